"""What the rest may ask of a denoiser; denoisers built, read, and their weights checked."""

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
from leavekout.base.tensors import load_tensors
from leavekout.config.experiment import Model
from leavekout.config.fields import WeightSubset
from leavekout.models.geometry import geometry_of
from leavekout.models.shared_text import KeysAndValues


class Denoiser(nn.Module, ABC):
    """A network that predicts from a noised latent, its time and a text: what the rest sees of it.

    A subclass adds a network of diffusers, and stands in a file of its name in this folder as
    `Network`. Called with x_t [B, C, h, w], times (numbers [B], or one for all) and text states
    [B, T, E], it returns the prediction [B, C, h, w].
    """

    # A parameter belongs to a subset if this is found in its name: diffusers calls a block's
    # self-attention attn1, its cross-attention attn2 and its perceptron ff.
    subsets: ClassVar[Mapping[WeightSubset, str]] = {
        "all": "",
        "attention": r"\.attn[12]\.",
        "cross_attention": r"\.attn2\.",
        "cross_attention_kv": r"\.attn2\.to_[kv]\.",
        "matrices": r"^(?!.*norm).*weight$",  # of linear and convolution layers
        "feed_forward": r"(\.ff\.|caption_projection\.).*weight$",
    }
    # Parameters that belong to no layer and are used as p[None], with the samples of a batch along
    # the new dimension. (Those of layers have per-sample gradients by the kind of the layer.)
    broadcast: ClassVar[tuple[str, ...]] = ()

    latent_shape: tuple[int, int, int]
    text_width: int | None
    settings: Mapping[str, Any]
    shared_widths: list[int] | None = None  # within `shared_text`: of all layers' keys and values

    def prepare(self, device: torch.device) -> None:
        """Chooses what is fastest on a device, before the weights go there."""

    @abstractmethod
    def forward(self, x_t: Tensor, times: Tensor, text: Tensor) -> Tensor:
        """The prediction [B, C, h, w]."""

    @abstractmethod
    def shared_text(self) -> AbstractContextManager[KeysAndValues]:
        """Within the block the denoiser takes keys and values [G, T, P] in place of text states.

        Yields the function that makes them from text states [G, T, E]. A batch of B samples may
        come with G texts: the first B/G samples attend to the first, and so on. Differentiable.
        """


def build_denoiser(model: Model, *, seed: int, device: torch.device) -> Denoiser:
    """A denoiser with initial weights that depend on `seed` alone.

    Returns the model in float32 on `device`, in evaluation mode (it has no dropout).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            denoiser = _network(model)(**model.arguments)
        except (TypeError, ValueError, NotImplementedError) as error:
            raise InputError(f"{model.key}: diffusers refuses these values ({error}).") from error
    geometry = geometry_of(model)
    denoiser.latent_shape = (geometry.in_channels, geometry.side, geometry.side)
    denoiser.text_width = geometry.text_width
    # Names with _ are diffusers' own notes, and their order changes from process to process.
    own = {k: v for k, v in denoiser.config.items() if not k.startswith("_")}
    denoiser.settings = {"architecture": model.architecture, **own}
    denoiser.prepare(device)
    return denoiser.to(device).eval()


def _network(model: Model) -> Any:
    """The class of a model's denoiser."""
    return import_module(f"leavekout.models.{model.architecture}").Network


def skeleton(model: Model) -> Denoiser:
    """The denoiser without any weights, for names and shapes: it takes no memory."""
    with torch.device("meta"):
        return build_denoiser(model, seed=0, device=torch.device("meta"))


def load_denoiser(
    model: Model, weights: str | Path | Sequence[str | Path], *, device: torch.device
) -> Denoiser:
    """The denoiser with weights from a file, and those that further files hold in their place.

    Raises:
        InputError: the first file has weights of another shape, or a further one weights that the
            denoiser has not.
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
    """Refuses tensors, read from `path`, that are not the weights of such a denoiser."""
    expected = {name: tuple(p.shape) for name, p in denoiser.state_dict().items()}
    found = {name: tuple(t.shape) for name, t in tensors.items()}
    if found != expected:
        wrong = sorted(n for n in expected | found if expected.get(n) != found.get(n))
        raise InputError(
            f"{path}: does not fit the configuration's model; the first of {len(wrong)} differing "
            f"tensors is '{wrong[0]}': {found.get(wrong[0], 'absent')} in the file, "
            f"{expected.get(wrong[0], 'absent')} in the model."
        )


def require_part(tensors: Mapping[str, Tensor], denoiser: nn.Module, path: Path) -> None:
    """Refuses tensors, read from `path`, that cannot stand in place of some of the denoiser's."""
    own = {name: tuple(p.shape) for name, p in denoiser.state_dict().items()}
    wrong = sorted(name for name, t in tensors.items() if own.get(name) != tuple(t.shape))
    if wrong or not tensors:
        reason = (
            f"the first of {len(wrong)} differing tensors is '{wrong[0]}': "
            f"{tuple(tensors[wrong[0]].shape)} in the file, "
            f"{own.get(wrong[0], 'absent')} in the model"
            if wrong
            else "it holds no weights"
        )
        raise InputError(f"{path}: does not fit the base model; {reason}.")


def select_weights(denoiser: Denoiser, subset: WeightSubset) -> dict[str, nn.Parameter]:
    """The named parameters of a subset (`PROTOCOL.md`: K,V of COCO are 32 tensors, 7,077,888)."""
    pattern = re.compile(denoiser.subsets[subset])
    chosen = {n: p for n, p in denoiser.named_parameters() if pattern.search(n)}
    if not chosen:
        raise InputError(f"model: this denoiser has no weights of the subset '{subset}'.")
    return chosen


def operations(model: Model, tokens: int) -> int:
    """Floating-point operations of a forward pass of one sample with so many tokens of text."""
    denoiser = skeleton(model)
    x_t, times = (
        torch.empty(1, *denoiser.latent_shape, device="meta"),
        torch.empty(1, device="meta"),
    )
    text = torch.empty(1, tokens, denoiser.text_width or 1, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        denoiser(x_t, times, text)
    return counter.get_total_flops()
