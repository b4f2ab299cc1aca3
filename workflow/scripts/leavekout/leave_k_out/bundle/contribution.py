"""A contributed row: the part of a joined study that belongs to the method that joined.

    about.yaml       who contributes it, and the paper, code and licence
    rows.csv         the method's rows of the joined study's estimates
    manifest.json, study.yaml, scores/*.zip, models/*.zip    as in a bundle

Whoever receives one can check that its models lack what its scores name, that its numbers follow
from its outcomes, and, by training some models again, that the outcomes are true.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leavekout.base.errors import InputError
from leavekout.config.reading import read_yaml
from leavekout.contract.outcome import Outcome
from leavekout.contract.removal import Removal
from leavekout.leave_k_out.bundle.files import Bundle
from leavekout.leave_k_out.bundle.manifest import Name
from leavekout.leave_k_out.removals import removed_rows

ABOUT, ROWS = "about.yaml", "rows.csv"
Filled = Annotated[str, Field(min_length=1)]


class About(BaseModel):
    """Who contributes a row.

    Args:
        method: its name; who: a person or group, and how to reach them.
        paper: its address, or `none`; code: address of what made the scores, or `none`.
        licence: of the contributed files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Name
    who: Filled
    paper: Filled
    code: Filled
    licence: Filled
    date: date


def read_about(folder: Path) -> About:
    """Reads a contribution's `about.yaml`.

    Raises:
        InputError: a key is missing, empty or unknown; names it.
    """
    path = folder / ABOUT
    try:
        about = About.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(name) for name in first["loc"])
        raise InputError(f"{path}: '{key}': {first['msg']}; please fill it in.") from None
    if about.method != folder.name:
        raise InputError(f"{path}: 'method' is '{about.method}', but the folder's name is another.")
    return about


def of_method(artifacts: Mapping[str, Sequence[str]], method: str) -> dict[str, list[str]]:
    """The archives of a study's bundle that belong to one method: its scores and its models."""
    names = {f"scores/{method}.zip", f"models/{method}.zip", f"models/again-{method}.zip"}
    return {archive: [*paths] for archive, paths in artifacts.items() if archive in names}


def require_all_and_only(part: Bundle, expected: Mapping[str, Sequence[str]]) -> None:
    """Refuses a contribution that lacks an artifact of its method, or has others.

    What it may lack is how well the scores repeat and what they cost, since scores may have been
    made elsewhere.

    Raises:
        InputError: names the first of them.
    """
    paths = {path for archive in expected.values() for path in archive}
    optional = tuple(path for path in paths if path.startswith(("repeatability/", "costs/")))
    if missing := sorted(paths - {*part.entries, *optional}):
        raise InputError(f"{part.folder}: '{missing[0]}' is missing; run: make submit.")
    if others := sorted({*part.entries} - paths):
        raise InputError(
            f"{part.folder}: has '{others[0]}', which is no score, model or measurement of its "
            "method."
        )


def require_rows_of_scores(models: Sequence[Removal], files: Path, *, images: int) -> None:
    """Refuses outcomes of models that do not lack exactly the images their scores name.

    Args:
        models: the method's models; files: the folder with its scores and outcomes; images: N.

    Raises:
        InputError: names the outcome.
    """
    for model in models:
        path = files / model.outcome
        outcome = Outcome.load(path)
        inputs = {name: [files / one for one in paths] for name, paths in model.inputs.items()}
        named = np.sort(removed_rows(model, inputs, images=images))
        if Removal.from_dict(outcome.about) != model:
            raise InputError(f"{path}: is the outcome of another model than its name says.")
        if not np.array_equal(np.sort(outcome.removed), named):
            raise InputError(
                f"{path}: the model lacks other images than the {model.k} that its scores name."
            )


def require_same_numbers(
    ours: pd.DataFrame, theirs: pd.DataFrame, *, what: str, tolerance: float
) -> None:
    """Refuses a table that differs from the one computed here.

    Args:
        tolerance: largest difference, as a share of a column's largest number.

    Raises:
        InputError: names the column.
    """
    if list(ours.columns) != list(theirs.columns) or len(ours) != len(theirs):
        raise InputError(f"{what}: has other rows or columns than follow from the outcomes.")
    for column in ours:
        tables = ours, theirs
        if pd.api.types.is_numeric_dtype(ours[column]):
            mine, given = (table[column].to_numpy(float, na_value=np.nan) for table in tables)
            most = tolerance * np.nanmax(np.abs(mine), initial=1e-12)
            same = np.allclose(mine, given, rtol=0, atol=most, equal_nan=True)
        else:
            texts = [table[column].fillna("").astype(str).tolist() for table in tables]
            same = texts[0] == texts[1]
        if not same:
            raise InputError(f"{what}: '{column}' differs from what follows from the outcomes.")


def differences(
    retrained: pd.DataFrame, submitted: pd.DataFrame, effects: Mapping[str, float]
) -> pd.DataFrame:
    """How far models that were trained again are from the submitted ones.

    Args:
        retrained, submitted: measurements of the same models, as of `measure_outcomes`.
        effects: for each measure the median absolute excess of the published methods.

    Returns:
        One row for each model, query and measure, with `difference` and `share` of the effect.
    """
    keys = ["policy", "method", "k", "training_seed", "targets", "query", "measure"]
    both = retrained.merge(submitted, on=keys, suffixes=("", "_submitted"), validate="1:1")
    both["difference"] = both["value"] - both["value_submitted"]
    both["share"] = both["difference"].abs() / both["measure"].map(effects)
    return both[[*keys, "difference", "share"]]
