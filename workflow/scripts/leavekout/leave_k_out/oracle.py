"""The positive control: scores measured by leave-one-group-out retraining."""

import numpy as np
from sklearn.decomposition import PCA

_SIDE = 16  # pixels


def group_images(pixels: np.ndarray, groups: int) -> np.ndarray:
    """The group of each image: int64 [N].

    The order along the first principal component of the pixels, uint8 [N, H, W, 3], is cut into
    groups of similar images and nearly equal size.
    """
    step = max(1, pixels.shape[1] // _SIDE)  # coarse pictures suffice, and fit in memory
    coarse = np.asarray(pixels[:, ::step, ::step], dtype=np.float32).reshape(len(pixels), -1)
    along = PCA(1, svd_solver="randomized", random_state=0).fit_transform(coarse)[:, 0]
    result = np.empty(len(pixels), np.int64)
    order = np.argsort(along, kind="stable")
    for number, rows in enumerate(np.array_split(order, groups)):
        result[rows] = number
    return result


def oracle_scores(groups: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """τ(ẑ, z) = ΔL(ẑ) of the model trained without z's group: float64 [Q, N].

    Args:
        groups: int64 [N]; changes: ΔL [groups, Q], of the model without group 0, 1, …
    """
    return changes.T[:, groups]
