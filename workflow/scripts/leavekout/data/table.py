"""Reads the tables of images and of queries."""

import hashlib
import json
from typing import Literal

import numpy as np
import pandas as pd


def texts_for(
    table: pd.DataFrame, column: str, reader: Literal["denoiser", "encoders"]
) -> pd.Series:
    """The texts of a column (`captions`, `prompt`) for a reader.

    If the table has a column `<column>_for_<reader>`, its texts are for the denoiser's text encoder
    or for all other encoders only.
    """
    own = f"{column}_for_{reader}"
    return table[own if own in table else column]


def trained_rows(table: pd.DataFrame) -> np.ndarray:
    """Which images the source model is trained on: bool [N], the column `trained` or all."""
    return table["trained"].to_numpy(bool) if "trained" in table else np.ones(len(table), bool)


def images_digest(table: pd.DataFrame) -> str:
    """SHA-256 of the images' ids and captions, in their order."""
    pairs = zip(table["image_id"], table["captions"], strict=True)
    rows = [[int(image), *captions] for image, captions in pairs]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
