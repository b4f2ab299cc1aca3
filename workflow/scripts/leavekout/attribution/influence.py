"""Influence scores from projected gradients: TRAK's ridge regression, and DataInf.

Both score an image by gᵀ H⁻¹ g_ẑ with the gradients of the image and of the query. The score is
positive where training on the image lowers the loss of the query.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from leavekout.errors import InputError

_PART_BYTES = 1 << 28  # of the memory-mapped features, read at a time


def _parts(features: np.ndarray, device: torch.device) -> Iterator[tuple[slice, Tensor]]:
    """Rows of features [N, F, …] in float64 on the device."""
    rows = max(1, _PART_BYTES // features[0].nbytes)
    for start in range(0, len(features), rows):
        part = slice(start, min(start + rows, len(features)))
        yield part, torch.from_numpy(np.array(features[part])).to(device).double()


def ridge_scores(
    features: np.ndarray,
    queries: Tensor,
    *,
    damping: float,
    device: torch.device,
    trained: np.ndarray | None = None,
) -> np.ndarray:
    """TRAK: τ(ẑ, z) = φ(z)ᵀ (Φᵀ Φ + λ I)⁻¹ φ(ẑ), of each image and flip.

    Park et al., *TRAK: Attributing Model Behavior at Scale* (ICML 2023), eq. 13, for a model output
    whose derivative of the loss is one; with ‖ε_θ‖² gradients, D-TRAK (Zheng et al., *Intriguing
    Properties of Data Attribution on Diffusion Models*, ICLR 2024).

    Args:
        features: float32 [N, F, L, p], the blocks of which are taken as one vector; queries:
            [Q, L, p]. The flips of an image count together as one image in ΦᵀΦ.
        damping: λ, as large as it is in the units of ΦᵀΦ.
        trained: bool [N], the images that the model was trained on, which make ΦᵀΦ; by default
            all.

    Returns:
        float64 [Q, N, F].

    Raises:
        InputError: ΦᵀΦ + λ I has no inverse.
    """
    dimension = queries[0].numel()
    flips = features.shape[1]
    kernel = damping * torch.eye(dimension, dtype=torch.float64, device=device)
    for here, part in _parts(features, device):
        rows = (part if trained is None else part[trained[here]]).reshape(-1, dimension)
        kernel.addmm_(rows.T, rows, alpha=1 / flips)
    factor, failed = torch.linalg.cholesky_ex(kernel)
    if failed:
        raise InputError(
            f"the kernel of {len(features):,} images' gradients in {dimension:,} dimensions has no "
            "inverse; lower 'dimension', or raise 'damping'."
        )
    solved = torch.cholesky_solve(queries.flatten(1).T.to(kernel), factor)  # [L·p, Q]
    scores = np.empty((len(queries), *features.shape[:2]))
    for here, values in _parts(features, device):
        scores[:, here] = (values.flatten(2) @ solved).movedim(2, 0).cpu().numpy()
    return scores


def datainf_scores(
    features: np.ndarray,
    queries: Tensor,
    entries: Sequence[int],
    *,
    damping: float,
    device: torch.device,
    trained: np.ndarray | None = None,
) -> np.ndarray:
    """DataInf: τ(ẑ, z) = Σ_l g_l(z)ᵀ H_l⁻¹ g_l(ẑ), with its closed form of H_l⁻¹.

    Kwon et al., *DataInf: Efficiently Estimating Data Influence in LoRA-tuned LLMs and Diffusion
    Models* (ICLR 2024): the mean over images of (g gᵀ + λ_l I)⁻¹ stands for the inverse of the
    mean, so H_l⁻¹ v ≈ (v − mean_i [(g_iᵀ v) / (λ_l + ‖g_i‖²) · g_i]) / λ_l, with λ_l = `damping`
    times the mean square of a layer's gradient entries (the paper: 0.1).

    Args:
        features: float32 [N, F, L, p], each layer's gradients projected by themselves; queries:
            [Q, L, p]. Inner products of gradients are those of their projections over p.
        entries: number of weights of each layer, [L].
        trained: as in `ridge_scores`; the images that the means are over.

    Returns:
        float64 [Q, N, F].
    """
    images, flips, _, dimension = features.shape
    chosen = np.ones(images, bool) if trained is None else trained
    count = int(chosen.sum())
    scale = dimension**-0.5
    v = queries.to(device, torch.float64) * scale  # [Q, L, p]
    squares = sum(
        part[chosen[here]].square().sum((0, 1, 3)) / (count * flips * dimension)
        for here, part in _parts(features, device)
    )  # mean of ‖g_l‖², [L]
    ridge = damping * torch.as_tensor(squares) / torch.tensor(entries, device=device)
    correction = torch.zeros_like(v)
    for here, part in _parts(features, device):
        g = part[chosen[here]].flatten(0, 1) * scale  # [B·F, L, p]
        inner = torch.einsum("nlp,qlp->nql", g, v)
        weight = inner / (ridge + g.square().sum(2))[:, None]
        correction += torch.einsum("nql,nlp->qlp", weight, g) / (count * flips)
    solved = (v - correction) / ridge[:, None]
    scores = np.empty((len(v), images, flips))
    for here, values in _parts(features, device):
        found = torch.einsum("nflp,qlp->qnf", values * scale, solved)
        scores[:, here] = found.cpu().numpy()
    return scores


def ensemble_scores(of_models: Iterable[np.ndarray]) -> np.ndarray:
    """The mean over source models of scores [Q, N, F], then the better of an image and its flip.

    Takes one model's scores after the other, since those of a COCO ensemble fill gigabytes.

    Returns:
        float64 [Q, N].
    """
    total, models = np.zeros(()), 0
    for scores in of_models:
        total, models = total + scores, models + 1
    return (total / models).max(axis=2)
