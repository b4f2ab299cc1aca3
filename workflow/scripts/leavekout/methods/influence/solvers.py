"""Influence scores from projected gradients: TRAK's ridge regression, DataInf, DAS, and cosines.

Each scores an image by a product of its gradient and the query's. DAS squares the product; the
other scores are positive if training on the image lowers the query's loss.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from leavekout.base.errors import InputError

_HALVES = 2
_PART_BYTES = 1 << 28  # of the memory-mapped features, read at a time


@dataclass(frozen=True)
class Features:
    """Features of the training images in a memory-mapped file, of all draws or of half of them.

    Args:
        array: float32 [N, F, H, L, p].
        half: which half to use; the mean of all H unless given.
    """

    array: np.ndarray
    half: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, F, L, p)."""
        images, flips, _, layers, dimension = self.array.shape
        return images, flips, layers, dimension

    def parts(self, device: torch.device) -> Iterator[tuple[slice, Tensor]]:
        """Some rows at a time, float64 [b, F, L, p] on the device."""
        rows = max(1, _PART_BYTES // self.array[0].nbytes)
        for start in range(0, len(self.array), rows):
            part = slice(start, min(start + rows, len(self.array)))
            all_halves = torch.from_numpy(np.array(self.array[part])).to(device).double()
            yield part, all_halves.mean(2) if self.half is None else all_halves[:, :, self.half]


def with_halves(
    array: np.ndarray, queries: Tensor, solve: Callable[[Features, Tensor], np.ndarray]
) -> np.ndarray:
    """The scores by all draws, and by each half of them if both sides have halves.

    Args:
        array: float32 [N, F, H, L, p]; queries: [Q, H', L, p].
        solve: features, queries [Q, L, p] → scores [Q, N, F].

    Returns:
        float64 [1, Q, N, F], or [3, Q, N, F].
    """
    found = [solve(Features(array), queries.mean(1))]
    if array.shape[2] == queries.shape[1] == _HALVES:
        found += [solve(Features(array, half), queries[:, half]) for half in range(_HALVES)]
    return np.stack(found)


def ridge_scores(
    features: Features,
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
        features: [N, F, L, p]; the L blocks are one vector. The flips of an image count together
            as one image in ΦᵀΦ.
        queries: [Q, L, p].
        damping: λ, in the units of ΦᵀΦ.
        trained: bool [N], the images that the model was trained on and ΦᵀΦ is made of; all unless
            given.

    Returns:
        float64 [Q, N, F].

    Raises:
        InputError: ΦᵀΦ + λ I has no inverse.
    """
    factor = _factored_kernel(features, damping=damping, device=device, trained=trained)
    solved = torch.cholesky_solve(queries.flatten(1).T.to(factor), factor)  # [L·p, Q]
    scores = np.empty((len(queries), *features.shape[:2]))
    for here, values in features.parts(device):
        scores[:, here] = (values.flatten(2) @ solved).movedim(2, 0).cpu().numpy()
    return scores


def das_scores(
    features: Features,
    queries: Tensor,
    losses: np.ndarray,
    *,
    damping: float,
    device: torch.device,
    trained: np.ndarray | None = None,
) -> np.ndarray:
    """DAS: τ(ẑ, z) = (φ(ẑ)ᵀ G φ(z) · r(z) / (1 − φ(z)ᵀ G φ(z)))², G = (ΦᵀΦ + λ I)⁻¹.

    Lin et al., *Diffusion Attribution Score: Evaluating Training Data Influence in Diffusion
    Models* (ICLR 2025): how far the linearized model's output at the query moves when z is left
    out. r is the root of the image's mean squared error. Each of F flips has a weight of 1/F in
    ΦᵀΦ, and therefore in the leverage that the divisor contains.

    Args:
        features, queries, damping, trained: as in `ridge_scores`, of the mean output's gradient.
        losses: [N, F], L(z, θ).

    Returns:
        float64 [Q, N, F].
    """
    factor = _factored_kernel(features, damping=damping, device=device, trained=trained)
    solved = torch.cholesky_solve(queries.flatten(1).T.to(factor), factor)  # [L·p, Q]
    scores = np.empty((len(queries), *features.shape[:2]))
    for here, values in features.parts(device):
        phi = values.flatten(2)  # [b, F, L·p]
        half = torch.linalg.solve_triangular(factor, phi.flatten(0, 1).T, upper=False)
        # A flip counts 1/F in ΦᵀΦ, and an image that is not in it cannot be left out.
        leverage = half.square().sum(0).view(phi.shape[:2]) / phi.shape[1]
        if trained is not None:
            leverage[~torch.from_numpy(trained[here]).to(device)] = 0
        residual = torch.from_numpy(losses[here]).to(phi).sqrt()
        moved = (phi @ solved) * (residual / (1 - leverage))[..., None]
        scores[:, here] = moved.square().movedim(2, 0).cpu().numpy()
    return scores


def cosine_scores(
    features: Features, queries: Tensor, *, device: torch.device, **_: object
) -> np.ndarray:
    """The cosine between φ(z) and φ(ẑ): gradient products with both sides normalised.

    ReTrac (arXiv 2401.09031) normalises both sides; Motive (arXiv 2601.08828) compares gradients
    at the same timesteps and noises (`shared_draws` of `gradients`).

    Returns:
        float64 [Q, N, F].
    """
    directions = torch.nn.functional.normalize(queries.flatten(1).double().to(device), dim=1)
    scores = np.empty((len(queries), *features.shape[:2]))
    for here, values in features.parts(device):
        phi = torch.nn.functional.normalize(values.flatten(2), dim=2)
        scores[:, here] = (phi @ directions.T).movedim(2, 0).cpu().numpy()
    return scores


def _factored_kernel(
    features: Features, *, damping: float, device: torch.device, trained: np.ndarray | None
) -> Tensor:
    """The lower Cholesky factor of ΦᵀΦ + λ I, float64 [L·p, L·p]; see `ridge_scores`."""
    _, flips, layers, each = features.shape
    dimension = layers * each
    kernel = damping * torch.eye(dimension, dtype=torch.float64, device=device)
    for here, part in features.parts(device):
        rows = (part if trained is None else part[trained[here]]).reshape(-1, dimension)
        kernel.addmm_(rows.T, rows, alpha=1 / flips)
    factor, failed = torch.linalg.cholesky_ex(kernel)
    if failed:
        raise InputError(
            f"the kernel of {features.shape[0]:,} images' gradients in {dimension:,} dimensions "
            "has no inverse; lower 'dimension', or raise 'damping'."
        )
    return factor


def datainf_scores(
    features: Features,
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
        features: [N, F, L, p], each layer's gradients projected by themselves; queries: [Q, L, p].
            Inner products of gradients are those of their projections over p.
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
        for here, part in features.parts(device)
    )  # mean of ‖g_l‖², [L]
    ridge = damping * torch.as_tensor(squares) / torch.tensor(entries, device=device)
    correction = torch.zeros_like(v)
    for here, part in features.parts(device):
        g = part[chosen[here]].flatten(0, 1) * scale  # [B·F, L, p]
        inner = torch.einsum("nlp,qlp->nql", g, v)
        weight = inner / (ridge + g.square().sum(2))[:, None]
        correction += torch.einsum("nql,nlp->qlp", weight, g) / (count * flips)
    solved = (v - correction) / ridge[:, None]
    scores = np.empty((len(v), images, flips))
    for here, values in features.parts(device):
        found = torch.einsum("nflp,qlp->qnf", values * scale, solved)
        scores[:, here] = found.cpu().numpy()
    return scores


def ensemble_scores(of_models: Iterable[np.ndarray]) -> np.ndarray:
    """The mean over source models of scores […, N, F], then the better of an image and its flip.

    Scores are taken model by model, because those of a COCO ensemble fill gigabytes.

    Returns:
        float64 […, N].
    """
    total, models = np.zeros(()), 0
    for scores in of_models:
        total, models = total + scores, models + 1
    return (total / models).max(axis=-1)
