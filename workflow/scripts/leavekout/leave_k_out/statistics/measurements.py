"""All measurements of a study as one tidy table, and the meaning of its columns."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from leavekout.contract.removal import TARGET
from leavekout.leave_k_out.measures.measure import Measure

DICTIONARY = {
    "method": "What selected the removed images: an attribution method; `random`, a uniform draw; "
    "or `no_removal`, where nothing was removed and the training has another seed.",
    "query": "The generated picture on which the retrained model was measured.",
    "cluster": "The topics that the query's prompt names; the query itself, if it names none. "
    "Queries of one cluster depend on each other.",
    "k": "Number of training images removed before training from scratch.",
    "training_seed": "Seed of the retraining: of its initial weights and its stream of samples. If "
    "it is the source model's seed, the two trainings are paired.",
    "removal_set": "Number of the random set, which is nested in K and shared by all queries; "
    "empty for methods and where nothing was removed.",
    "measure": "{measures}.",
    "value": "The measured value. {directions}.",
    "evaluation_error": "Standard error of `value`, because the loss is evaluated at finitely many "
    "timesteps and noises; 0 where two pictures are compared.",
}
_OF_TOPICS = {
    "method": " `topic`: a draw from the images that are like the query by their captions.",
    "removal_set": " Of `topic`: the number of the query's own set.",
}


def tabulate(tables: Iterable[pd.DataFrame], clusters: Mapping[str, str]) -> pd.DataFrame:
    """The measurements of all models of methods and controls.

    Args:
        tables: of `measuring.measure_outcomes`.
        clusters: of each query; see `clusters.py`.

    Returns:
        One row for each model, query of `clusters` and measure, with the columns of `DICTIONARY`.
        Measures are in the order of the configuration, all else is sorted.
    """
    table = pd.concat(tables, ignore_index=True)
    table = table[table["query"].isin(list(clusters))]  # controls are measured on the whole pool
    order = {name: place for place, name in enumerate(table["measure"].unique())}
    # Methods' models count on their target, not on queries that the forgetting check adds. Controls
    # have no targets and count on all queries.
    counts = table["role"].eq(TARGET) | table["targets"].eq("")
    table = table[counts].rename(columns={"number": "removal_set"})
    keys = ["place", "method", "k", "training_seed", "removal_set", "query"]
    places = {"place": table["measure"].map(order), "cluster": table["query"].map(clusters)}
    table = table.assign(**places).sort_values(keys, ignore_index=True)
    return table[list(DICTIONARY)]


def rows_of(table: pd.DataFrame, measure: Measure, k: int | None = None) -> pd.DataFrame:
    """The rows of a table that are of one measure, and of one K if it is given."""
    rows = table[table["measure"] == measure.name]
    return rows if k is None else rows[rows["k"] == k]


def dictionary(measures: Sequence[Measure], *, topics: bool = False) -> pd.DataFrame:
    """The data dictionary: a row for each column of the measurements.

    Args:
        topics: whether there are models without topic sets.
    """
    names = {
        verb: ", ".join(f"`{m.name}`" for m in measures if m.direction == direction)
        for verb, direction in (("raises", 1), ("lowers", -1))
    }
    text = {
        "measures": ". ".join(f"`{m.name}`: {m.meaning}" for m in measures),
        "directions": "A good method "
        + " and ".join(f"{verb} {of_verb}" for verb, of_verb in names.items() if of_verb),
    }
    more = _OF_TOPICS if topics else {}
    meanings = [
        meaning.format(**text) + more.get(column, "") for column, meaning in DICTIONARY.items()
    ]
    return pd.DataFrame({"column": list(DICTIONARY), "meaning": meanings})
