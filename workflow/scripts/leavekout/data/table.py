"""The table of images, and of queries: which texts are for whom, and which rows were trained on."""

import hashlib
import json
from typing import Literal

import numpy as np
import pandas as pd

Reader = Literal["denoiser", "encoders"]


def texts_for(table: pd.DataFrame, column: str, reader: Reader) -> pd.Series:
    """The texts of a column (`captions`, `prompt`) as a reader takes them.

    A table may have texts of its own for the denoiser's text encoder, or for all other encoders, in
    the columns `<column>_for_<reader>`; else all read the same.
    """
    own = f"{column}_for_{reader}"
    return table[own if own in table else column]


def trained_rows(table: pd.DataFrame) -> np.ndarray:
    """Which images the source model is trained on: bool [N].

    That is all, unless the column `trained` says otherwise.
    """
    if "trained" in table:
        return table["trained"].to_numpy(bool)
    return np.ones(len(table), bool)


def images_digest(table: pd.DataFrame) -> str:
    """SHA-256 of which images there are, in which order, with which captions."""
    said = [
        [int(name), *captions]
        for name, captions in zip(table["image_id"], table["captions"], strict=True)
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
