"""Recall@K and average precision: are a model's exemplars found among all other images?"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from leavekout.contract.scores import read_scores
from leavekout.customized.exemplars import candidates, exemplar_rows, model_of

TOP = 10  # K of Recall@K
MEASURES = {"recall": f"Recall@{TOP}", "average_precision": "mAP"}
DICTIONARY = {
    "method": "attribution method",
    "model": "customized model that generated the query",
    "kind": "object or style: what the model was customized on",
    "query": "name of the query",
    "exemplars": "number of the model's exemplars, all of which are to be found",
    "candidates": "number of images that are ranked: the pool and the model's exemplars",
    "recall": f"share of the exemplars among the {TOP} best, the mean over the orders of ties",
    "average_precision": "area below the query's precision-recall steps; of a group of ties the "
    "precision is that after all of it; its mean over queries is the mAP",
}


def recall_at(scores: np.ndarray, relevant: np.ndarray, k: int = TOP) -> float:
    """The share of relevant images among the k best.

    If images inside and outside of the k best share the k-th score, the mean over all their orders
    counts, so the order of rows does not matter.

    Args:
        scores: [M]; relevant: bool [M], of which at least one is true.
    """
    k = min(k, len(scores))
    last = np.partition(scores, len(scores) - k)[len(scores) - k]
    above, tied = scores > last, scores == last
    places = (k - above.sum()) / tied.sum()  # share of the tied images that find a place
    return float((relevant & above).sum() + places * (relevant & tied).sum()) / relevant.sum()


def retrieval_table(
    paths: Iterable[Path], images: pd.DataFrame, kinds: Mapping[str, str]
) -> pd.DataFrame:
    """One row for each score file `<method>/<model>-<number>.npy`, columns as in `DICTIONARY`.

    Ranks the images of `exemplars.candidates`.

    Args:
        images: the table of images, with the column `model`; kinds: of each model.
    """
    rows = []
    for path in paths:
        method, query = path.parent.name, path.stem
        model, ranked = model_of(query), candidates(images, query)
        scores = read_scores(path, images=len(images), method=method)[ranked]
        relevant = exemplar_rows(images, model)[ranked]
        rows.append(
            {
                "method": method,
                "model": model,
                "kind": kinds[model],
                "query": query,
                "exemplars": int(relevant.sum()),
                "candidates": len(scores),
                "recall": recall_at(scores, relevant),
                "average_precision": float(average_precision_score(relevant, scores)),
            }
        )
    return pd.DataFrame(rows, columns=list(DICTIONARY))
