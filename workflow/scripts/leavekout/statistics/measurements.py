"""All measurements as one tidy table, and what its columns mean."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from leavekout.errors import InputError

MEASURES = ("delta_loss", "mse", "clip")
# The direction in which a good method moves a measure, and its value where nothing has changed.
SIGN = {"delta_loss": 1, "mse": 1, "clip": -1}
NO_EFFECT = {"delta_loss": 0.0, "mse": 0.0, "clip": 1.0}
CONTROL, NO_REMOVAL = "random", "no_removal"

DICTIONARY = {
    "method": "Who named the removed images: an attribution method; `random`, a set drawn "
    "uniformly; or `no_removal`, where nothing was removed and the training has another seed.",
    "query": "The generated picture on which the retrained model was measured.",
    "k": "Number of training images removed before training from scratch.",
    "training_seed": "Seed of the retraining: its initial weights and its stream of samples. Where "
    "it is the source model's, the two trainings are paired.",
    "removal_set": "Number of the random set, nested in K and shared by all queries; empty for "
    "methods and where nothing was removed.",
    "measure": "`delta_loss`: rise of the diffusion loss on the query (ΔL, eq. 2; no unit). `mse`: "
    "mean squared difference of the two generated pictures, pixels in [0, 1]. `clip`: cosine "
    "similarity of their CLIP image embeddings.",
    "value": "The measured value. A good method raises delta_loss and mse and lowers clip.",
    "evaluation_error": "Standard error of `value` from the finite number of timesteps and noises "
    "at which the loss was evaluated; 0 for mse and clip, which compare one picture with another.",
}


def tabulate(
    evaluations: Iterable[tuple[str, Mapping[str, Any]]],
    queries: Sequence[str],
    *,
    source_losses: Mapping[str, np.ndarray],
    source_seed: int,
) -> pd.DataFrame:
    """One row for each evaluated model, query of `queries`, and measure.

    Args:
        evaluations: for each evaluated model its file, for messages, and the file's content.
        source_losses: for each query, L(ẑ, θ0) at the evaluation's timesteps: [T'].
        source_seed: the seed with which methods' and random removals' models are trained.

    Returns:
        A table with the columns of `DICTIONARY`, sorted.

    Raises:
        InputError: naming the file, if a value is not a finite number.
    """
    wanted, rows = set(queries), []
    for file, about in evaluations:
        method, number = about["method"], about["seed"]
        arm = {
            "method": method,
            "k": about["k"],
            "training_seed": source_seed if method == CONTROL else number,
            "removal_set": number if method == CONTROL else None,
        }
        for measured in about["queries"]:
            query = measured["query"]
            if query not in wanted:
                continue
            error = evaluation_error(np.asarray(measured["losses"]) - source_losses[query])
            for measure in MEASURES:
                if not np.isfinite(measured[measure]):
                    raise InputError(
                        f"{file}: {measure} of query {query} is {measured[measure]}, so the "
                        "retrained model is broken; delete the file to train it again."
                    )
                rows.append({
                    **arm, "query": query, "measure": measure, "value": measured[measure],
                    "evaluation_error": error if measure == "delta_loss" else 0.0,
                })  # fmt: skip
    table = pd.DataFrame(rows, columns=list(DICTIONARY)).astype({"removal_set": "Int64"})
    order = ["measure", "method", "k", "training_seed", "removal_set", "query"]
    return table.sort_values(order, ignore_index=True)


def evaluation_error(differences: np.ndarray) -> float:
    """Standard error of the mean of [T'] loss differences along the timesteps.

    The differences change slowly with the timestep, and the noise is fresh at each, so the noise's
    variance is half the mean square of successive differences (von Neumann, 1941); the plain
    standard deviation would count the slow change as noise. One timestep shows none: 0.
    """
    steps = np.diff(differences)
    return float(np.sqrt(np.square(steps).mean() / 2 / len(differences))) if len(steps) else 0.0


def dictionary() -> pd.DataFrame:
    """The data dictionary: a row for each column of the measurements."""
    return pd.DataFrame({"column": list(DICTIONARY), "meaning": list(DICTIONARY.values())})
