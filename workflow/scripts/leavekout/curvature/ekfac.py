"""EK-FAC: the curvature of linear and convolution layers in a Kronecker-factored eigenbasis.

George et al., *Fast Approximate Natural Gradient Descent in a Kronecker-factored Eigenbasis*
(NeurIPS 2018). AbU+ (FDA) uses this form of the Fisher instead of its diagonal. Influence by EK-FAC
(Mlodozeniec et al., *Influence Functions for Scalable Data Attribution in Diffusion Models*, ICLR
2025) uses it for the Gauss-Newton matrix.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from leavekout.base.errors import InputError
from leavekout.base.precision import arithmetic
from leavekout.base.sums import Sums
from leavekout.config.fields import Precision
from leavekout.curvature.fisher import FisherSample, fisher_samples
from leavekout.curvature.per_sample import watch_layers
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import Denoiser
from leavekout.models.process import Process

# The parts of one weight's factors, as suffixes of its name.
_INPUT, _OUTPUT, _EIGENVALUES = "input_basis", "output_basis", "eigenvalues"
Backward = Callable[[Denoiser, Process, FisherSample], Tensor]


def ekfac(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    weights: Mapping[str, nn.Parameter],
    *,
    samples: int,
    seed: int,
    precision: Precision = "float32",
    batch: int,
    objective: Backward | None = None,
    sums: Sums | None = None,
) -> dict[str, Tensor]:
    """The EK-FAC factors of weights W [out, in], from the samples of the diagonal Fisher.

    With a the layer's inputs and g the gradients of its outputs at each token (of a convolution: a
    patch of its input, and a place of its output), A = E[a aᵀ] = U_A Λ_A U_Aᵀ and
    S = E[g gᵀ] = U_S Λ_S U_Sᵀ. The curvature is assumed to be diagonal in this basis, and its
    diagonal is measured: Λ = E[(U_Sᵀ G U_A)²] over per-sample gradients G.

    Args:
        samples: number of samples for the bases; the eigenvalues use the same ones.
        objective: (denoiser, process, sample) → the outputs [B] to differentiate. The default is
            the loss, which gives the empirical Fisher.
        sums: where A, S and Λ are added up, maybe from the middle of an earlier attempt. It counts
            the samples twice.

    Returns:
        For each name in `weights`: `<name>.input_basis` U_A [in, in], `<name>.output_basis` U_S
        [out, out] and `<name>.eigenvalues` Λ [out, in], in float32; in = C·k·k of a convolution.

    Raises:
        InputError: a weight belongs to neither a linear nor a convolution layer.
    """
    backward = objective or (lambda network, process, sample: sample.loss(network, process))
    layers = {}
    for name in weights:
        layer, _, kind = name.rpartition(".")
        if kind != "weight" or not isinstance(denoiser.get_submodule(layer), nn.Linear | nn.Conv2d):
            raise InputError(
                "curvature 'ekfac' is for weights of linear and convolution layers, but the subset "
                f"holds '{name}'."
            )
        layers[layer] = name
    sums = sums or Sums()
    options: dict[str, Any] = {"samples": samples, "seed": seed, "batch": batch}
    seen: dict[tuple, tuple[str, Tensor]] = {}

    def leader_of(layer: str, module: nn.Module, a: Tensor) -> str:
        """The first layer with the same input; all keys and values share the text."""
        kind = (a.data_ptr(), _window(module))
        return seen.setdefault(kind, (layer, a))[0]  # holds a, so that its memory is not reused

    leaders: dict[str, str] = sums.notes.setdefault("leaders", {})

    def add_covariances(layer: str, module: nn.Module, a: Tensor, g: Tensor) -> None:
        leaders[layer] = leader_of(layer, module, a)
        for part, x in zip((_INPUT, _OUTPUT), _tokens(module, a, g), strict=True):
            if part == _OUTPUT or leaders[layer] == layer:
                x = _in_full(x).flatten(0, -2)  # [B·tokens, width]
                with torch.autocast(x.device.type, enabled=False):
                    sums.add(f"{layers[layer]}.{part}", x.T @ x)

    batches = partial(fisher_samples, process, data, **options)
    for sample in sums.counted(batches(what="EK-FAC, covariances", first=sums.count)):
        seen.clear()
        with arithmetic(precision, data.device), watch_layers(denoiser, layers, add_covariances):
            backward(denoiser, process, sample).sum().backward()
    bases = {
        key: torch.linalg.eigh(total).eigenvectors
        for key, total in sums.totals.items()
        if not key.endswith(_EIGENVALUES)
    }
    for layer, leader in leaders.items():
        bases[f"{layers[layer]}.{_INPUT}"] = bases[f"{layers[leader]}.{_INPUT}"]
    shared = {leader for layer, leader in leaders.items() if layer != leader}
    rotated: dict[str, Tensor] = {}  # of shared inputs alone: a convolution's patches are large

    def add_eigenvalues(layer: str, module: nn.Module, a: Tensor, g: Tensor) -> None:
        # U_Sᵀ (gᵀ a) U_A = (g U_S)ᵀ (a U_A): a U_A is computed once for all layers with one input,
        # and no gradient [out, in] is multiplied.
        name, leader = layers[layer], leaders[layer]
        a, g = map(_in_full, _tokens(module, a, g))
        u_s, u_a = (bases[f"{name}.{part}"].to(g) for part in (_OUTPUT, _INPUT))
        with torch.autocast(g.device.type, enabled=False):
            turned_a = rotated.get(leader)
            if turned_a is None:
                turned_a = (a @ u_a).reshape(len(a), -1, a.shape[-1])
            if leader in shared:
                rotated[leader] = turned_a
            turned_g = (g @ u_s).reshape(len(g), -1, g.shape[-1])
            product = torch.bmm(turned_g.transpose(1, 2), turned_a)  # [B, out, in]
        sums.add(f"{name}.{_EIGENVALUES}", product.square().sum(0))

    for sample in sums.counted(batches(what="EK-FAC, eigenvalues", first=sums.count - samples)):
        rotated.clear()
        with arithmetic(precision, data.device), watch_layers(denoiser, layers, add_eigenvalues):
            backward(denoiser, process, sample).sum().backward()
    measured = {
        key: total / samples for key, total in sums.totals.items() if key.endswith(_EIGENVALUES)
    }
    return {name: tensor.float() for name, tensor in (bases | measured).items()}


def gauss_newton(denoiser: Denoiser, process: Process, sample: FisherSample) -> Tensor:
    """⟨ε_θ, v⟩ of each sample, with v = η √(2/D), η ~ N(0, I) and D outputs: [B].

    Its gradients g have E[g gᵀ] = Jᵀ (2/D) J, the Gauss-Newton matrix of the mean squared error,
    whatever the target.
    """
    x_t = process.noised(sample.x0, sample.noise, sample.timesteps)
    predicted = denoiser(x_t, process.times(sample.timesteps), sample.text)
    scale = (2 / predicted[0].numel()) ** 0.5
    return (predicted * sample.output_noise.to(predicted) * scale).flatten(1).sum(1)


def _window(module: nn.Module) -> tuple:
    """What a convolution's patches depend on; empty for a linear layer."""
    if not isinstance(module, nn.Conv2d):
        return ()
    return (module.kernel_size, module.stride, module.padding, module.dilation)


def _tokens(module: nn.Module, a: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs [B, …, in] and gradients of outputs [B, …, out] at each token or place."""
    if not isinstance(module, nn.Conv2d):
        return a, g
    patches = functional.unfold(
        a,
        module.kernel_size,
        dilation=module.dilation,
        padding=cast(Any, module.padding),
        stride=module.stride,
    )
    return patches.transpose(1, 2), g.flatten(2).transpose(1, 2)


def _in_full(x: Tensor) -> Tensor:
    """In single precision at least, so that bases are not rounded to a model's half precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def solve(
    factors: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor],
    damping: float,
    *,
    absolute: bool = False,
) -> dict[str, Tensor]:
    """(F + λ̄)⁻¹ G for each weight: U_S [(U_Sᵀ G U_A) / (Λ + λ̄)] U_Aᵀ, with λ̄ = λ · mean(Λ).

    The mean is over the layer's own eigenvalues (Grosse et al., *Studying Large Language Model
    Generalization with Influence Functions*, 2023).

    Args:
        gradients: [*weight.shape] by name, or [Q, *weight.shape].
        absolute: takes λ̄ = λ.

    Raises:
        InputError: the factors are of other weights, or λ = 0 and some eigenvalue is zero.
    """
    result = {}
    for name, gradient in gradients.items():
        parts = [factors.get(f"{name}.{part}") for part in (_OUTPUT, _INPUT, _EIGENVALUES)]
        if any(part is None for part in parts):
            raise InputError(f"fisher: no EK-FAC factors of the weight '{name}'.")
        u_s, u_a, values = (part.to(gradient) for part in parts if part is not None)
        divisor = values + (damping if absolute else damping * values.mean())
        zeros = int((divisor <= 0).sum())
        if zeros:
            raise InputError(
                f"{zeros:,} of {divisor.numel():,} EK-FAC eigenvalues of '{name}' are zero; use "
                "damping > 0."
            )
        rotated = (u_s.T @ gradient.reshape(-1, *values.shape) @ u_a) / divisor
        result[name] = (u_s @ rotated @ u_a.T).reshape(gradient.shape)
    return result
