"""Reads score files that were computed elsewhere."""

from pathlib import Path

import numpy as np
import pandas as pd

from leavekout.base.artifacts import load_table
from leavekout.base.errors import InputError, first_few
from leavekout.contract.scores import check_scores, read_scores


def read_external_scores(path: Path, *, image_ids: np.ndarray, method: str) -> np.ndarray:
    """Scores that were computed elsewhere, in the order of `image_ids`: float32 [N].

    An npy file is in that order already; a parquet table has the columns `image_id` and `score`,
    in any order.

    Raises:
        InputError: naming file, method and reason, where the table does not have each image once,
            or the scores break the contract.
    """
    if path.suffix == ".npy":
        return read_scores(path, images=len(image_ids), method=method)
    table = load_table(path)
    for column in ("image_id", "score"):
        if column not in table:
            columns = first_few(list(table), 8) or "missing"
            raise InputError(
                f"{path}: method '{method}' has no column '{column}'; its columns are {columns}."
            )
    ids = table["image_id"]
    if not pd.api.types.is_numeric_dtype(ids) or pd.api.types.is_bool_dtype(ids):
        raise InputError(
            f"{path}: method '{method}' has ids of type {ids.dtype} in column 'image_id'; write "
            "them as whole numbers."
        )
    repeated = table["image_id"][table["image_id"].duplicated()]
    if len(repeated):
        raise InputError(f"{path}: method '{method}' scores image {repeated.iloc[0]} twice.")
    by_id = table.set_index("image_id")["score"]
    unknown, absent = np.setdiff1d(by_id.index, image_ids), np.setdiff1d(image_ids, by_id.index)
    if len(unknown) or len(absent):
        reason = (
            f"gives no score to {len(absent):,} of the {len(image_ids):,} images, the first of "
            f"them {absent[0]}"
            if len(absent)
            else f"scores {len(unknown):,} images that are not in the training set, the first of "
            f"them {unknown[0]}"
        )
        raise InputError(f"{path}: method '{method}' {reason}.")
    scores = by_id.loc[image_ids].to_numpy()
    return check_scores(scores, images=len(image_ids), method=method, source=str(path))
