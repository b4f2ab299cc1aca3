"""The text encoder: captions → the states that the denoiser attends to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils.logging import disable_progress_bar

from leavekout.base.rows import write_rows
from leavekout.encoders.pretrained import from_folder, load_encoder, module_from_folder, starts

disable_progress_bar()  # while loading weights, it would break the terminal lines of other jobs


@dataclass
class TextEncoder:
    """A tokenizer and the text tower that conditions the diffusion model."""

    tokenizer: Any
    model: Any

    @classmethod
    def load(cls, tokenizer: Path, model: Path, device: torch.device) -> "TextEncoder":
        """Reads the two `from_pretrained` folders."""
        return cls(load_tokenizer(tokenizer), load_text_tower(model, device))

    @torch.no_grad()
    def __call__(self, captions: Sequence[str]) -> Tensor:
        """B captions → their last hidden states after the final norm: [B, T, E]."""
        return self.with_gradient(captions)

    def with_gradient(self, captions: Sequence[str]) -> Tensor:
        """The same states, differentiable with respect to the token embeddings."""
        length = self.model.config.max_position_embeddings
        tokens = self.tokenizer(
            list(captions),
            padding="max_length",
            truncation=True,
            max_length=length,
            return_tensors="pt",
        )
        return self.model(tokens.input_ids.to(self.model.device)).last_hidden_state


def load_tokenizer(folder: Path) -> Any:
    """Loads the tokenizer of a `from_pretrained` folder."""
    return from_folder(CLIPTokenizer, folder)


def load_text_tower(folder: Path, device: torch.device) -> Any:
    """Loads the text tower of a `from_pretrained` folder, which may hold a whole CLIP."""
    return load_encoder(
        lambda: module_from_folder(CLIPTextModel, folder, parts=True, dtype=torch.float32),
        folder,
        "a CLIPTextModel",
        device,
    )


def write_text(
    path: Path,
    encoder: TextEncoder,
    captions: Sequence[Sequence[str]],
    *,
    batch: int,
    identity: str,
    save_seconds: float,
) -> None:
    """Writes `text.npy`: float16 [N, C, T, E], the states of C captions of each image.

    Args:
        identity, save_seconds: as in `Rows`.
    """
    count, states = len(captions[0]), encoder([""]).shape[1:]
    at_once = max(1, batch // count)

    def parts(first: int) -> Iterator[Tensor]:
        for start in starts(first, len(captions), at_once, "encoding captions"):
            part = [text for texts in captions[start : start + at_once] for text in texts]
            distinct, inverse = np.unique(part, return_inverse=True)
            encoded = encoder(list(distinct)).half()
            places = torch.from_numpy(inverse).to(encoded.device)
            yield encoded[places].unflatten(0, (-1, count))

    shape = (len(captions), count, *states)
    write_rows(path, np.float16, shape, parts, identity=identity, save_seconds=save_seconds)
