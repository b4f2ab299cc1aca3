"""All measurements of a study as one tidy table, and what its columns mean."""

from collections.abc import Iterable, Mapping

import pandas as pd

from leavekout.contract.removal import NO_REMOVAL, RANDOM, TARGET
from leavekout.leave_k_out.measures.measure import Measure

CONTROL = RANDOM
DICTIONARY = {
    "method": "Who named the removed images: an attribution method; `random`, a set drawn "
    "uniformly; or `no_removal`, where nothing was removed and the training has another seed.",
    "query": "The generated picture on which the retrained model was measured.",
    "cluster": "The first of the queries that resemble this one, whose nearest training images by "
    "CLIP features are nearly the same; the query itself, if none does.",
    "k": "Number of training images removed before training from scratch.",
    "training_seed": "Seed of the retraining: its initial weights and its stream of samples. Where "
    "it is the source model's, the two trainings are paired.",
    "removal_set": "Number of the random set, nested in K and shared by all queries; empty for "
    "methods and where nothing was removed.",
    "measure": "{measures}.",
    "value": "The measured value. {directions}.",
    "evaluation_error": "Standard error of `value` from the finite number of timesteps and noises "
    "at which the loss was evaluated; 0 where two pictures are compared.",
}


def tabulate(tables: Iterable[pd.DataFrame], clusters: Mapping[str, str]) -> pd.DataFrame:
    """The measurements behind all claims: models of methods, and their controls.

    Args:
        tables: of `measuring.measure_outcomes`.
        clusters: of each query; see `clusters.py`.

    Returns:
        One row for each model, query and measure, with the columns of `DICTIONARY`; measures in
        the order of the configuration, the rest sorted.
    """
    table = pd.concat(tables, ignore_index=True)
    order = {name: place for place, name in enumerate(table["measure"].unique())}
    # Of models without a query's images the query counts, and not what the forgetting check adds;
    # of controls, which have no targets, all queries count.
    counts = table["role"].eq(TARGET) | table["targets"].eq("")
    table = table[counts].rename(columns={"number": "removal_set"})
    keys = ["place", "method", "k", "training_seed", "removal_set", "query"]
    places = {"place": table["measure"].map(order), "cluster": table["query"].map(clusters)}
    table = table.assign(**places).sort_values(keys, ignore_index=True)
    return table[list(DICTIONARY)]


def dictionary(measures: Iterable[Measure]) -> pd.DataFrame:
    """The data dictionary: a row for each column of the measurements."""
    measures = list(measures)
    words = {1: "raises", -1: "lowers"}
    directions = {
        way: ", ".join(f"`{m.name}`" for m in measures if m.direction == way) for way in words
    }
    said = {
        "measures": ". ".join(f"`{m.name}`: {m.meaning}" for m in measures),
        "directions": "A good method "
        + " and ".join(f"{words[way]} {names}" for way, names in directions.items() if names),
    }
    meanings = [text.format(**said) for text in DICTIONARY.values()]
    return pd.DataFrame({"column": list(DICTIONARY), "meaning": meanings})


__all__ = ["CONTROL", "DICTIONARY", "NO_REMOVAL", "dictionary", "tabulate"]
