"""The interface of a denoiser; builds and loads denoisers, and checks their weights."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from leavekout.base.errors import InputError
from leavekout.base.tensors import load_tensors, require_finite
from leavekout.config.experiment import Model
from leavekout.config.fields import WeightSubset
from leavekout.models.geometry import geometry_of
from leavekout.models.shared_text import KeysAndValues


class Denoiser(nn.Module, ABC):
    """A network that predicts from a noised latent, its time and a text.

    A subclass adds a network of diffusers. It is the class `Network` of the file in this folder
    with the architecture's name. Called with x_t [B, C, h, w], times (numbers [B], or one for all)
    and text states [B, T, E], it returns the prediction [B, C, h, w].
    """

    # A parameter belongs to a subset if its name matches. diffusers names a block's self-attention
    # attn1, its cross-attention attn2 and its perceptron ff.
    subsets: ClassVar[Mapping[WeightSubset, str]] = {
        "all": "",
        "attention": r"\.attn[12]\.",
        "cross_attention": r"\.attn2\.",
        "cross_attention_kv": r"\.attn2\.to_[kv]\.",
        "matrices": r"^(?!.*norm).*weight$",  # of linear and convolution layers
        "feed_forward": r"(\.ff\.|caption_projection\.).*weight$",
    }
    # Parameters of no layer, used as p[None], where the new dimension is over the samples of
    # a batch. Parameters of layers have per-sample gradients by the layer's kind.
    broadcast: ClassVar[tuple[str, ...]] = ()

    latent_shape: tuple[int, int, int]
    text_width: int | None
    settings: Mapping[str, Any]
    shared_widths: list[int] | None = None  # of all keys and values, within `shared_text`

    def prepare(self, device: torch.device) -> None:
        """Chooses the fastest operations for a device, before the weights are moved there."""

    @abstractmethod
    def forward(self, x_t: Tensor, times: Tensor, text: Tensor) -> Tensor:
        """The prediction [B, C, h, w]."""

    @abstractmethod
    def shared_text(self) -> AbstractContextManager[KeysAndValues]:
        """Within the block the denoiser takes keys and values [G, T, P] in place of text states.

        Yields the differentiable function that makes them from text states [G, T, E]. A batch of B
        samples may have G texts: the first B/G samples attend to the first text, and so on.
        """


def build_denoiser(model: Model, *, seed: int, device: torch.device) -> Denoiser:
    """A denoiser with initial weights that depend on `seed` alone.

    It is in float32 on `device`, in evaluation mode (it has no dropout).
    """
    network: Any = import_module(f"leavekout.models.{model.architecture}").Network
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            denoiser = network(**model.arguments)
        except (TypeError, ValueError, NotImplementedError) as error:
            raise InputError(f"{model.key}: diffusers refuses these values ({error}).") from error
    geometry = geometry_of(model)
    denoiser.latent_shape = (geometry.in_channels, geometry.side, geometry.side)
    denoiser.text_width = geometry.text_width
    # Names with _ are internal to diffusers, and their order changes from process to process.
    arguments = {k: v for k, v in denoiser.config.items() if not k.startswith("_")}
    denoiser.settings = {"architecture": model.architecture, **arguments}
    denoiser.prepare(device)
    return denoiser.to(device).eval()


def skeleton(model: Model) -> Denoiser:
    """The denoiser without memory for weights; it has only their names and shapes."""
    with torch.device("meta"):
        return build_denoiser(model, seed=0, device=torch.device("meta"))


def load_denoiser(
    model: Model, weights: str | Path | Sequence[str | Path], *, device: torch.device
) -> Denoiser:
    """The denoiser with weights from a file; weights of further files replace some of them.

    Raises:
        InputError: the first file has other names or shapes, a further file has weights that do
            not fit, or a weight is not finite.
    """
    first, *changes = [weights] if isinstance(weights, str | Path) else weights
    denoiser = build_denoiser(model, seed=0, device=device)
    tensors, _ = load_tensors(Path(first))
    require_weights(tensors, denoiser, Path(first))
    for path in map(Path, changes):
        changed, _ = load_tensors(path)
        require_part(changed, denoiser, path)
        tensors.update(changed)
    denoiser.load_state_dict(tensors)
    return denoiser


def require_weights(tensors: Mapping[str, Tensor], denoiser: nn.Module, path: Path) -> None:
    """Requires tensors, read from `path`, to be exactly the denoiser's weights, all finite."""
    _require_fit(tensors, denoiser, f"{path}: does not fit the configuration's model", whole=True)
    require_finite(tensors, path)


def require_part(tensors: Mapping[str, Tensor], denoiser: nn.Module, path: Path) -> None:
    """Requires tensors, read from `path`, to be some of the denoiser's weights, all finite."""
    problem = f"{path}: does not fit the base model"
    if not tensors:
        raise InputError(f"{problem}; it holds no weights.")
    _require_fit(tensors, denoiser, problem, whole=False)
    require_finite(tensors, path)


def _require_fit(
    tensors: Mapping[str, Tensor], denoiser: nn.Module, problem: str, *, whole: bool
) -> None:
    shapes = {name: tuple(t.shape) for name, t in tensors.items()}
    expected = {name: tuple(p.shape) for name, p in denoiser.state_dict().items()}
    names = expected | shapes if whole else shapes
    wrong = sorted(name for name in names if expected.get(name) != shapes.get(name))
    if wrong:
        raise InputError(
            f"{problem}; the first of {len(wrong)} differing tensors is '{wrong[0]}': "
            f"{shapes.get(wrong[0], 'absent')} in the file, "
            f"{expected.get(wrong[0], 'absent')} in the model."
        )


def select_weights(denoiser: Denoiser, subset: WeightSubset) -> dict[str, nn.Parameter]:
    """The named parameters of a subset; raises InputError if it is empty."""
    pattern = re.compile(denoiser.subsets[subset])
    chosen = {n: p for n, p in denoiser.named_parameters() if pattern.search(n)}
    if not chosen:
        raise InputError(f"model: this denoiser has no weights of the subset '{subset}'.")
    return chosen


def operations(model: Model, tokens: int) -> int:
    """Floating-point operations of a forward pass of one sample with `tokens` tokens of text."""
    denoiser = skeleton(model)
    shapes = denoiser.latent_shape, (), (tokens, denoiser.text_width or 1)
    inputs = [torch.empty(1, *shape, device="meta") for shape in shapes]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        denoiser(*inputs)
    return counter.get_total_flops()
