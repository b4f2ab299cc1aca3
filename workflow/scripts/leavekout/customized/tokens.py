"""V*: the word that a customized model learned for its exemplars.

Captions and prompts contain the placeholder `V*`. The denoiser's text encoder reads each model's
own token in its place, so one text encoder serves all models. Other text encoders, which do not
know the word, read the text without it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from leavekout.base.errors import InputError

PLACEHOLDER = "V*"


def token_of(model: str) -> str:
    """The token of a customized model, as the extended tokenizer knows it."""
    return f"<{model}>"


def with_token(text: str, model: str) -> str:
    """A text with the model's own token in place of V*; unchanged if the model is ""."""
    return text.replace(PLACEHOLDER, token_of(model)) if model else text


def without_token(text: str) -> str:
    """A text without V*, for encoders that do not know the word."""
    return " ".join(text.replace(PLACEHOLDER, " ").split())


def captions_with_tokens(table: pd.DataFrame) -> list[list[str]]:
    """The captions of a table of images [N][C] for the denoiser's text encoder."""
    return [
        [with_token(text, model) for text in texts]
        for texts, model in zip(table["captions"], table["model"], strict=True)
    ]


def captions_without_tokens(table: pd.DataFrame) -> list[list[str]]:
    """The captions of a table of images [N][C] for other text encoders."""
    return [
        [without_token(text) for text in texts] if model else list(texts)
        for texts, model in zip(table["captions"], table["model"], strict=True)
    ]


def require_token(texts: Sequence[str], source: str) -> None:
    """Refuses texts of a customized model without its token."""
    for text in texts:
        if PLACEHOLDER not in text:
            raise InputError(
                f"{source}: '{text}' lacks {PLACEHOLDER}, which stands for the model's token."
            )


def add_tokens(tokenizer: Any, text_encoder: Any, embeddings: Mapping[str, Tensor]) -> None:
    """Adds the token of each model to a tokenizer and a text encoder, in place.

    Args:
        embeddings: [E] for each model's name.

    Raises:
        InputError: an embedding has another width than the text encoder.
    """
    width = text_encoder.get_input_embeddings().embedding_dim
    for model, embedding in embeddings.items():
        if embedding.shape != (width,):
            raise InputError(
                f"model '{model}': its token's embedding has shape {tuple(embedding.shape)}, but "
                f"the base model's text encoder takes ({width},)."
            )
    tokenizer.add_tokens([token_of(model) for model in embeddings])
    # All new embeddings are set below, so transformers need not compute means for them.
    text_encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    table = text_encoder.get_input_embeddings().weight
    with torch.no_grad():
        for model, embedding in embeddings.items():
            table[tokenizer.convert_tokens_to_ids(token_of(model))] = embedding.to(table)
