"""Queries that resemble each other: those for which a method removes nearly the same images.

Tests and intervals take queries for independent. Two queries of like prompts are not: a method
names nearly the same images for both, so its retrained models are nearly one model, and whatever
happened to that training counts twice. Such queries make a cluster, and clusters are what is drawn
again (`resampling.py`) and whose signs are flipped (`significance.py`). Each method and K has
clusters of its own, so that what is said of a method does not depend on which others are there.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import TypeVar

import networkx as nx
import numpy as np

Name = TypeVar("Name", str, int)
# Two queries belong together from this share of their removed images on, beyond what chance has.
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
    removed: Mapping[str, np.ndarray], prompts: Mapping[str, str], *, images: int
) -> dict[str, str]:
    """The cluster of each query for one method and K, by the name of its first query.

    Two queries are in one cluster if their prompts are the same, or if the sets of images that the
    method removes have `SHARED` or more in common; and so is whoever is in one with either.

    Args:
        removed: the rows that the method removes for each query; empty where it names none.
        prompts: of each query.
        images: N, which rows are of.
    """
    linked = [
        (first, second)
        for first, second in combinations(sorted(prompts), 2)
        if prompts[first] == prompts[second]
        or (removed and in_common(removed[first], removed[second], images=images) >= SHARED)
    ]
    return _connected(prompts, linked)


def common_clusters(found: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Clusters for controls, which name no images: what half of the methods put together.

    Args:
        found: `clusters` of each method and K, at least one.
    """
    linked = [
        (first, second)
        for first, second in combinations(sorted(found[0]), 2)
        if 2 * sum(one[first] == one[second] for one in found) >= len(found)
    ]
    return _connected(found[0], linked)


def joined(partitions: Sequence[np.ndarray]) -> np.ndarray:
    """The smallest clusters that hold those of every partition [Q]: int [Q].

    Two methods' models of two queries are independent only if neither method's sets are alike.
    """
    queries = range(len(partitions[0]))
    linked = [
        (first, second)
        for first, second in combinations(queries, 2)
        if any(one[first] == one[second] for one in partitions)
    ]
    found = _connected(queries, linked)
    return np.array([found[query] for query in queries])


def _connected(names: Iterable[Name], linked: Iterable[tuple[Name, Name]]) -> dict[Name, Name]:
    graph = nx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from(linked)
    return {name: min(part) for part in nx.connected_components(graph) for name in part}
