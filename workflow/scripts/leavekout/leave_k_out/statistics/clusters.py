"""Clusters of queries that resemble each other: their nearest training images are nearly the same.

Tests and intervals assume independent queries. Queries of similar pictures are not independent:
methods select similar images for them, so their retrained models are similar, and a method that is
ahead on one may be ahead on the other for that reason (docs/statistics.md says how often). Whole
clusters are therefore resampled (`resampling.py`), and change their signs together
(`significance.py`). Similarity must not depend on the methods that are compared, so it is measured
by the study's CLIP features.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

# Queries with at least this share of their nearest images in common, beyond chance, are a cluster.
SHARED = 0.25


def in_common(first: np.ndarray, second: np.ndarray, *, images: int) -> float:
    """The share of K images, out of N, that two sets have in common, corrected for chance.

    Two random sets have 0 (a share of K / N), and a set has 1 with itself.
    """
    k = len(first)
    chance = k / images
    if chance == 1:
        return 0.0
    return (len(np.intersect1d(first, second)) / k - chance) / (1 - chance)


def clusters(
    nearest: Mapping[str, np.ndarray],
    prompts: Mapping[str, str],
    *,
    images: int,
    shared: float = SHARED,
) -> dict[str, str]:
    """The cluster of each query, by the name of its first query.

    The two queries or clusters with most in common are merged repeatedly, as long as their queries
    have at least `shared` in common on average (average linkage). With single linkage, many queries
    would form chains, and thus one cluster of queries with nothing in common.

    Args:
        nearest: for each query the rows of its K nearest training images.
        prompts: of each query; queries with the same prompt have everything in common.
        images: N.
        shared: the threshold; docs/statistics.md has results for others.
    """
    names = sorted(nearest)
    if len(names) < 2:
        return {name: name for name in names}
    apart = [
        0.0
        if prompts[first] == prompts[second]
        else 1 - in_common(nearest[first], nearest[second], images=images)
        for first, second in combinations(names, 2)
    ]
    labels = fcluster(linkage(apart, "average"), 1 - shared, "distance")
    return {
        name: names[int(np.argmax(labels == label))]
        for name, label in zip(names, labels, strict=True)
    }
