"""Queries that resemble each other: those for which methods remove nearly the same images.

Tests and intervals take queries for independent. Two queries of like prompts are not: methods name
nearly the same images for both, so their retrained models are nearly one model, and whichever
method is ahead on one is ahead on the other. Such queries make a cluster, and clusters are what is
drawn again (`resampling.py`) and whose signs are flipped (`significance.py`).
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import networkx as nx
import numpy as np

# A method finds two queries alike from this share of their removed images on, beyond chance's.
SHARED = 0.25


def in_common(first: np.ndarray, second: np.ndarray, *, images: int) -> float:
    """The share of removed images that two sets of K of N have in common, less that of chance.

    0 is what two random sets have in common (K / N of K), 1 what a set has with itself.
    """
    k = len(first)
    chance = k / images
    if chance == 1:
        return 0.0
    return (len(np.intersect1d(first, second)) / k - chance) / (1 - chance)


def clusters(
    removed: Mapping[str, Sequence[np.ndarray]], prompts: Mapping[str, str], *, images: int
) -> dict[str, str]:
    """The cluster of each query, by the name of its first query.

    Two queries are in one cluster if their prompts are the same, or if half of the methods find
    them alike: their sets of removed images have `SHARED` or more in common. So is whoever is in
    one with either. Methods have one vote each, so that one that names the same images for every
    query, or others at random, decides nothing alone.

    Args:
        removed: for each query the rows that each method removes, methods in the same order.
        prompts: of each query.
        images: N, which rows are of.
    """
    names = sorted(removed)
    graph = nx.Graph()
    graph.add_nodes_from(names)
    for first, second in combinations(names, 2):
        pairs = zip(removed[first], removed[second], strict=True)
        alike = [in_common(a, b, images=images) >= SHARED for a, b in pairs]
        if prompts[first] == prompts[second] or (alike and np.mean(alike) >= 0.5):
            graph.add_edge(first, second)
    return {name: min(part) for part in nx.connected_components(graph) for name in part}
