"""Queries that resemble each other: those whose nearest training images are nearly the same.

Tests and intervals take queries for independent. Two queries of like pictures are not: methods name
like images for both, so their retrained models are nearly one model, and whichever method is ahead
on one is ahead on the other. Such queries make a cluster, and clusters are what is drawn again
(`resampling.py`) and whose signs are flipped (`significance.py`). Which queries are alike must not
depend on the methods that are compared, so it is asked of the study's CLIP features.
"""

from collections.abc import Mapping
from itertools import combinations

import networkx as nx
import numpy as np

# Two queries belong together from this share of their nearest images on, beyond what chance has.
SHARED = 0.25


def in_common(first: np.ndarray, second: np.ndarray, *, images: int) -> float:
    """The share of images that two sets of K of N have in common, less that of chance.

    0 is what two random sets have in common (K / N of K), 1 what a set has with itself.
    """
    k = len(first)
    chance = k / images
    if chance == 1:
        return 0.0
    return (len(np.intersect1d(first, second)) / k - chance) / (1 - chance)


def clusters(
    nearest: Mapping[str, np.ndarray], prompts: Mapping[str, str], *, images: int
) -> dict[str, str]:
    """The cluster of each query, by the name of its first query.

    Two queries are in one cluster if their prompts are the same, or if their nearest images have
    `SHARED` or more in common; and so is whoever is in one with either.

    Args:
        nearest: for each query the rows of its K nearest training images.
        prompts: of each query.
        images: N, which rows are of.
    """
    names = sorted(nearest)
    graph = nx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from(
        (first, second)
        for first, second in combinations(names, 2)
        if prompts[first] == prompts[second]
        or in_common(nearest[first], nearest[second], images=images) >= SHARED
    )
    return {name: min(part) for part in nx.connected_components(graph) for name in part}
