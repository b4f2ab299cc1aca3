"""The text encoder: captions → the states that the denoiser attends to."""

import logging
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
from leavekout.encoders.cleaning import cleaned, distinct
from leavekout.encoders.pretrained import from_folder, load_encoder, module_from_folder, starts

logger = logging.getLogger("leavekout")
_TEXTS_AT_ONCE = 4096
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
        tokens = padded_tokens(self.tokenizer, captions, self.length)
        return self.model(tokens.to(self.model.device)).last_hidden_state

    @property
    def length(self) -> int:
        """The most tokens of a text, those of its start and end included."""
        return self.model.config.max_position_embeddings

    def readings(self, texts: Sequence[str]) -> list[bytes]:
        """What is read of each text: texts with the same tokens have the same reading."""
        return [
            np.array(tokens[: self.length - 1], np.int32).tobytes()  # the end token is the last
            for tokens in self._whole_tokens(texts)
        ]

    def report_cut(self, texts: Sequence[str], what: str) -> None:
        """Logs how many texts are longer than what is read of them."""
        cut = sum(len(tokens) > self.length for tokens in self._whole_tokens(texts))
        if cut:
            message = "%d of %d %s are cut, because the text encoder reads %d tokens"
            logger.warning(message, cut, len(texts), what, self.length)

    def _whole_tokens(self, texts: Sequence[str]) -> Iterator[list[int]]:
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            yield from _read(self.tokenizer, texts[start : start + _TEXTS_AT_ONCE], verbose=False)


def padded_tokens(tokenizer: Any, texts: Sequence[str], length: int) -> Tensor:
    """The tokens of texts, cut or padded to the same length: int64 [B, length]."""
    cut = {"truncation": True, "max_length": length}
    return _read(tokenizer, texts, padding="max_length", return_tensors="pt", **cut)


def _read(tokenizer: Any, texts: Sequence[str], **options: Any) -> Any:
    """The tokens of cleaned texts.

    Some tokenizers pad with "!", and would read one in a text as padding if special tokens were not
    split. The text encoder was trained on exclamation marks.
    """
    clean = [cleaned(text) for text in texts]
    return tokenizer(clean, split_special_tokens=True, **options).input_ids


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
            part = [text for own in captions[start : start + at_once] for text in own]
            texts, inverse = distinct(part)
            encoded = encoder(texts).half()
            places = torch.from_numpy(inverse).to(encoded.device)
            yield encoded[places].unflatten(0, (-1, count))

    shape = (len(captions), count, *states)
    write_rows(path, np.float16, shape, parts, identity=identity, save_seconds=save_seconds)
