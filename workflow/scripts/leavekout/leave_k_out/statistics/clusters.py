"""Queries that resemble each other: those whose nearest training images are nearly the same.

Tests and intervals take queries for independent. Two queries of like pictures need not be: methods
name like images for both, so their retrained models are much alike, and a method that is ahead on
one may be ahead on the other for that reason (docs/statistics.md has how often). Such queries make
a cluster, and clusters are what is drawn again (`resampling.py`) and whose signs are flipped
(`significance.py`). Which queries are alike must not depend on the methods that are compared, so it
is asked of the study's CLIP features.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

# Queries belong together from this share of their nearest images on, beyond what chance has.
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
    nearest: Mapping[str, np.ndarray],
    prompts: Mapping[str, str],
    *,
    images: int,
    shared: float = SHARED,
) -> dict[str, str]:
    """The cluster of each query, by the name of its first query.

    The two queries or clusters that have most in common are joined, again and again, as long as
    their queries have `shared` or more in common on average (average linkage). Were one pair
    enough, many queries would make chains, and so one cluster of queries that share nothing.

    Args:
        nearest: for each query the rows of its K nearest training images.
        prompts: of each query; those with the same prompt have all in common.
        images: N, which rows are of.
        shared: the threshold; docs/statistics.md has what others would change.
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
