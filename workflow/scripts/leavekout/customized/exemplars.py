"""Pool and exemplars in one table of images, in which attribution methods have to find exemplars.

The pool comes first, then the exemplars of each customized model. The column `model` is an
exemplar's model, and empty for the pool.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from leavekout.base.errors import InputError
from leavekout.customized.tokens import (
    captions_with_tokens,
    captions_without_tokens,
    require_token,
)
from leavekout.data.coco import training_table

LARGEST_ID = 2**32 - 1  # that keys noise


def pool_rows(table: pd.DataFrame) -> np.ndarray:
    """Which images are training images of the base model: bool [N]."""
    return (table["model"] == "").to_numpy()


def exemplar_rows(table: pd.DataFrame, model: str) -> np.ndarray:
    """Which images are exemplars of a model, the ground truth of its queries: bool [N]."""
    return (table["model"] == model).to_numpy()


def model_of(query: str) -> str:
    """The model of a query's name, `<model>-<number>`."""
    return query.rsplit("-", 1)[0]


def candidates(table: pd.DataFrame, query: str) -> np.ndarray:
    """The rows that are ranked for a query: the pool and the exemplars of its own model."""
    return np.flatnonzero(pool_rows(table) | exemplar_rows(table, model_of(query)))


def exemplars_by_query(table: pd.DataFrame, queries: pd.DataFrame) -> dict[str, set[int]]:
    """The rows that are to be found for each query.

    Args:
        table: of the images; queries: by name.
    """
    return {
        str(query): set(np.flatnonzero(exemplar_rows(table, model)).tolist())
        for query, model in queries["model"].items()
    }


def read_exemplars(folder: Path, *, captions: int) -> pd.DataFrame:
    """The exemplars in a customized model's folder, in COCO's format.

    `exemplars.json` holds their captions, each with V*, and `exemplars/` the images.
    """
    annotations = folder / "exemplars.json"
    table = training_table(annotations, images=None, captions=captions)
    if table.empty:
        raise InputError(f"{annotations}: holds no exemplar.")
    require_token([text for texts in table["captions"] for text in texts], str(annotations))
    return table


def combined_table(pool: pd.DataFrame, exemplars: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One table of pool and exemplars.

    Its columns are `model`, `trained` (whether the base model is trained on an image), and captions
    for the denoiser's and for other text encoders (see `data.table`). An image's id keys its noise,
    so exemplars get new ids after the pool's. Their file names are relative to the models' folder.

    Raises:
        InputError: the pool's ids are too large.
    """
    tables, first = [pool.assign(model="")], int(pool["image_id"].max()) + 1
    for model, table in exemplars.items():
        names = f"{model}/exemplars/" + table["file_name"]
        ids = np.arange(first, first + len(table))
        tables.append(table.assign(image_id=ids, file_name=names, model=model))
        first += len(table)
    if first - 1 > LARGEST_ID:
        raise InputError("The pool's image ids leave no room for the exemplars' below 2^32.")
    whole = pd.concat(tables, ignore_index=True)
    whole["trained"] = pool_rows(whole)
    whole["captions_for_denoiser"] = pd.Series(captions_with_tokens(whole))
    whole["captions_for_encoders"] = pd.Series(captions_without_tokens(whole))
    return whole


def refuse_shared(pixels: np.ndarray, table: pd.DataFrame) -> None:
    """Refuses an exemplar that is also in the pool, where selecting it would count as an error.

    Args:
        pixels: uint8 [N, H, W, 3], cropped and resized.

    Raises:
        InputError: names the exemplar and the image of the pool.
    """
    in_pool = pool_rows(table)
    exemplars = {pixels[row].tobytes(): row for row in np.flatnonzero(~in_pool)}
    for row in np.flatnonzero(in_pool) if exemplars else ():
        twin = exemplars.get(pixels[row].tobytes())
        if twin is not None:
            raise InputError(
                f"{table['file_name'][twin]}: this exemplar of model '{table['model'][twin]}' is "
                f"also in the pool, as '{table['file_name'][row]}'; take it out of one of the two."
            )


def files_of(table: pd.DataFrame, pool: Path, models: Path) -> list[tuple[Path, list[str]]]:
    """(folder, file names) of the pool and of all exemplars, in the table's order."""
    in_pool = pool_rows(table)
    return [
        (pool, table["file_name"][in_pool].tolist()),
        (models, table["file_name"][~in_pool].tolist()),
    ]
