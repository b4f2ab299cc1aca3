"""What the queries' pictures are: do they show their prompts, and are they copies?

A table of effects means little if the source model generates blobs, or copies. Three things say so
without a person who looks: whether CLIP reads a query's own prompt from its picture, how near the
nearest training image is, and the source model's loss on it.
"""

import numpy as np

from leavekout.encoders.similarity import cosine_scores

SIDE = 32  # pixels of a side at most, when pictures are compared
# Training images that stand for all: where distances are compared, and where losses are.
COMPARED, WITH_LOSSES = 1000, 100
# A picture is memorised, or neither, beyond this share of training images at one end.
MARGIN = 0.05
_AT_ONCE = 256


def prompts_below(pictures: np.ndarray, prompts: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The share of other prompts that are less like a picture than its own: float64 [Q].

    1 if its own prompt is the first, 0.5 on average by chance. Half of each tie counts. NaN if
    there is no other prompt.

    Args:
        pictures: features [Q, D]; prompts: features [P, D] of P different prompts.
        own: int [Q], the row of each picture's own prompt.
    """
    if len(prompts) == 1:
        return np.full(len(pictures), np.nan)
    scores = cosine_scores(pictures, prompts)
    mine = scores[np.arange(len(scores)), own][:, None]
    below = (scores < mine).sum(axis=1) + ((scores == mine).sum(axis=1) - 1) / 2
    return below / (len(prompts) - 1)


def small(pixels: np.ndarray) -> np.ndarray:
    """Pictures as vectors, with blocks of pixels averaged to at most `SIDE` a side.

    Args:
        pixels: uint8 [N, S, S, 3].

    Returns:
        float32 [N, D], from 0 to 1.
    """
    side = pixels.shape[1]
    block = -(-side // SIDE)
    kept = side // block * block  # what is left over at two edges is cut off
    blocks = pixels[:, :kept, :kept].reshape(-1, kept // block, block, kept // block, block, 3)
    return (blocks.mean(axis=(2, 4), dtype=np.float32) / 255).reshape(len(pixels), -1)


def without_contrast(vectors: np.ndarray) -> np.ndarray:
    """Vectors [N, D] with mean 0 and mean square 1. A flat picture is near to none of them."""
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    size = np.sqrt(np.square(centred).mean(axis=1, keepdims=True))
    return centred / np.maximum(size, 1e-6)


def nearest_images(
    some: np.ndarray, images: np.ndarray, *, rows: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Of each vector the nearest image, int64 [Q], and its root mean squared difference [Q].

    Args:
        some: [Q, D]; images: [N, D].
        rows: where the vectors are images themselves, their rows, which are left out.
    """
    lengths = np.square(images, dtype=np.float64).sum(axis=1)
    found, far = [], []
    for start in range(0, len(some), _AT_ONCE):
        part = some[start : start + _AT_ONCE]
        squared = lengths - 2 * (part @ images.T).astype(np.float64)
        if rows is not None:
            squared[np.arange(len(part)), rows[start : start + _AT_ONCE]] = np.inf
        best = squared.argmin(axis=1)
        found.append(best)
        far.append(np.sqrt(np.square(part - images[best], dtype=np.float64).mean(axis=1)))
    return np.concatenate(found), np.concatenate(far)


def share_below(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    """The share of `of` [S] that is smaller than each value [Q]; half of each tie counts."""
    ordered = np.sort(of)
    left, right = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return (left + right) / 2 / len(of)


def kinds(closer: np.ndarray, closer_shapes: np.ndarray) -> list[str]:
    """What each picture is: `memorised`, `new` as another training image would be, or `neither`.

    A blurred picture is near to all images pixel by pixel, and a pale one without contrast. A copy
    is near in both ways, and a new picture far away in neither.

    Args:
        closer, closer_shapes: float64 [Q], the shares of training images that have another one
            nearer than the picture has one; as they are, and without contrast.
    """
    copies = np.maximum(closer, closer_shapes) < MARGIN
    neither = np.maximum(closer, closer_shapes) > 1 - MARGIN
    found: list[str] = np.select([copies, neither], ["memorised", "neither"], "new").tolist()
    return found


def spread_rows(images: int, count: int) -> np.ndarray:
    """At most `count` rows of N images at equal distances: int64, ascending."""
    return np.unique(np.linspace(0, images - 1, min(images, count)).round().astype(np.int64))
