"""The measures of a leave-K-out model on a query: ΔL, MSE and CLIP similarity."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor


def loss_change(losses: np.ndarray, source: np.ndarray) -> float:
    """ΔL(ẑ) = L(ẑ, θ_−K) − L(ẑ, θ0) (eq. 2) from the losses [T'] at the same timesteps."""
    return float(losses.mean() - source.mean())


def mean_squared_error(image: np.ndarray, source: np.ndarray) -> float:
    """MSE of two uint8 images [H, W, 3], in [0, 1]² (eq. 3 with the L2 distance)."""
    return float(np.square(image / 255.0 - source / 255.0).mean())


def clip_similarity(embedding: Tensor, source: Tensor) -> float:
    """Cosine similarity of two image embeddings of unit length [D] (eq. 3 with CLIP)."""
    return float(embedding.double() @ source.double())


def measures(
    names: Sequence[str],
    *,
    losses: np.ndarray,
    source_losses: np.ndarray,
    generated: np.ndarray,
    regenerated: np.ndarray,
    clip: Callable[[np.ndarray], Tensor],
) -> list[dict[str, Any]]:
    """All measures of one model on Q queries, a dict for each.

    Args:
        losses, source_losses: [Q, T'], of the leave-K-out and the source model.
        generated, regenerated: uint8 [Q, H, W, 3], by the source and the leave-K-out model.
        clip: uint8 [B, H, W, 3] → unit embeddings [B, D].
    """
    before, after = clip(generated), clip(regenerated)
    return [
        {
            "query": name,
            "delta_loss": loss_change(losses[i], source_losses[i]),
            "mse": mean_squared_error(regenerated[i], generated[i]),
            "clip": clip_similarity(after[i], before[i]),
            "losses": losses[i].tolist(),
        }
        for i, name in enumerate(names)
    ]


def split_pictures(strip: np.ndarray, count: int) -> list[np.ndarray]:
    """The pictures that an evaluation stores side by side: uint8 [H, count·W, 3] → count."""
    return np.split(strip, count, axis=1)
