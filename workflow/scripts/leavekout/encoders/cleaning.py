"""Captions and prompts as all tokenizers read them."""

from collections.abc import Sequence

import numpy as np
from open_clip.tokenizer import basic_clean, whitespace_clean


def cleaned(text: str) -> str:
    """A text as CLIP was trained on texts: straight quotes, no ligatures, entities or wide letters.

    Tokenizers of open_clip clean texts and those of transformers do not, so without this they would
    read different tokens. Both make small letters, but not of the Greek capital sigma at the end of
    a word. A cleaned text does not change if it is cleaned again.
    """
    before = None
    while text != before:
        before, text = text, whitespace_clean(basic_clean(text)).lower()
    return text


def distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The distinct texts in order, and which of them each text is: int64 [len(texts)].

    Unlike np.unique, it needs no array whose items are all as wide as the longest text.
    """
    found = sorted(set(texts))
    place = {text: i for i, text in enumerate(found)}
    return found, np.array([place[text] for text in texts], np.int64)
