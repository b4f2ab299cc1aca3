"""Shared by the encoders: loads complete pretrained weights, and makes batches."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers.utils.logging import set_verbosity_error

from leavekout.base.errors import InputError
from leavekout.base.job import progress
from leavekout.base.tensors import require_finite, require_unquantised, types_in


def load_encoder(
    load: Callable[[], nn.Module], folder: Path, kind: str, device: torch.device
) -> Any:
    """A frozen encoder in float32, whatever precision its weights are stored in.

    Args:
        load: reads the folder. It raises an exception if a weight is missing or does not fit.
        kind: what the folder should be of.

    Raises:
        InputError: the folder cannot be read, or a weight is missing, does not fit, is quantised or
            is not finite.
    """
    with reading_folder(folder, kind):
        for path in sorted(folder.glob("*.safetensors")):
            require_unquantised(types_in(path), path)
        encoder = load().float()
    require_finite(encoder.state_dict(), folder)
    return encoder.to(device).eval().requires_grad_(False)


def from_folder(kind: Any, folder: Path) -> Any:
    """Loads a tokenizer of a class with `from_pretrained`; downloads nothing.

    Raises:
        InputError: the folder does not contain one.
    """
    with reading_folder(folder, f"a {kind.__name__}"):
        return kind.from_pretrained(folder, local_files_only=True)


def module_from_folder(
    kind: Any, folder: Path, *, unused: str | None = None, parts: bool = False, **options: Any
) -> Any:
    """Loads a module of a class of transformers or diffusers; downloads nothing.

    Args:
        unused: name of a part whose weights may be missing.
        parts: whether the file may hold other parts of a larger model, such as its head.

    Raises:
        InputError: a weight is missing, unexpected or has another shape.
    """
    set_verbosity_error()  # no report of weights that do not fit; the first of them is named here
    module, report = kind.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        **options,
    )
    ours = {name for name, _ in module.named_children()}
    ours.add(getattr(module, "base_model_prefix", ""))  # of a larger model's file
    faults = [
        *(f"'{n}' is missing" for n in sorted(report["missing_keys"]) if _part(n) != unused),
        *(
            f"'{n}' has shape {tuple(a)}, not {tuple(b)}"
            for n, a, b in sorted(report["mismatched_keys"])
        ),
        *(
            f"'{n}' is not one of the model's"
            for n in sorted(report["unexpected_keys"])
            if not parts or _part(n) in ours
        ),
    ]
    if faults:
        raise InputError(
            f"{folder}: does not fit its config.json; the first of {len(faults)} differing weights "
            f"{faults[0]}."
        )
    return module


def _part(name: str) -> str:
    return name.split(".")[0]


@contextmanager
def reading_folder(folder: Path, kind: str) -> Iterator[None]:
    """Raises InputError if a library cannot read the folder within the block."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # the libraries raise many kinds
        # PyTorch names the weights that do not fit in the lines after the first.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = (lines[1:] if lines and lines[0].endswith(":") else lines) or [repr(error)]
        first = re.sub('", ".*', '"', reason[0]).rstrip(". ")
        raise InputError(f"{folder}: not a folder of {kind} ({first}).") from error


def require_trained(what: str, loss: Tensor, weights: Mapping[str, Tensor]) -> None:
    """Raises InputError if the training of `what` diverged."""
    if not loss.isfinite():
        raise InputError(f"{what}: the loss is {loss.item()}; lower its learning rate.")
    require_finite(weights, what, "training diverged; lower its learning rate")


def starts(first: int, total: int, step: int, what: str) -> Iterable[int]:
    """The first rows of batches of `step` rows, with logs of the progress."""
    rows = range(first, total, step)
    return progress(rows, what, total=len(rows))


def steps_of(images: int, batch_size: int, epochs: int) -> int:
    """Steps of a training whose epochs leave out the last, incomplete batch."""
    return epochs * max(1, images // batch_size)


def shuffled_batches(
    images: int, batch_size: int, epochs: int, what: str, generator: torch.Generator | None = None
) -> Iterator[torch.Tensor]:
    """Yields the rows of each step's batch; each epoch has a new order."""
    steps = steps_of(images, batch_size, epochs)
    for step in progress(range(steps), what, total=steps):
        start = step % (steps // epochs) * batch_size
        if start == 0:
            order = torch.randperm(images, generator=generator)
        yield order[start : start + batch_size]
