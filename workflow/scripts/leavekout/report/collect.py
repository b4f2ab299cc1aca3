"""Gathers for each query what figures and report show of it."""

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from leavekout.attribution.scores import read_scores, top_k
from leavekout.customized.exemplars import candidates
from leavekout.measures.evaluation import split_pictures
from leavekout.runtime.artifacts import load_image, load_json


def ranked_by_query(
    scores: Iterable[Path], *, top: int, table: pd.DataFrame
) -> dict[str, dict[str, np.ndarray]]:
    """query → method → rows of the best images, from files `<method>/<query>.npy`.

    Args:
        table: of the images; other customized models' exemplars in it are left out.
    """
    ranked: dict[str, dict[str, np.ndarray]] = {}
    for path in scores:
        method, query = path.parent.name, path.stem
        values = read_scores(path, images=len(table), method=method)
        rows = candidates(table, query)
        ranked.setdefault(query, {})[method] = rows[top_k(values[rows], top)]
    return ranked


def regenerated_by_query(
    evaluations: Iterable[Path], queries: Collection[str]
) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """query → method → label of the model → its picture uint8 [H, W, 3], beside the evaluations."""
    models: dict[str, dict[str, dict[str, np.ndarray]]] = {query: {} for query in queries}
    for path in evaluations:
        about = load_json(path)
        names = [row["query"] for row in about["queries"]]
        if models.keys().isdisjoint(names):
            continue
        label = f"K = {about['k']:,}" if about["k"] else f"seed {about['seed']}"
        strip = split_pictures(load_image(path.with_suffix(".png")), len(names))
        for query, picture in zip(names, strip, strict=True):
            if query in models:
                models[query].setdefault(about["method"], {})[label] = picture
    return models
