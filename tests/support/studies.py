"""Made-up studies with known effects: as measurements, and as arms."""

from itertools import product

import numpy as np
import pandas as pd

from leavekout.leave_k_out.measures.registry import measure, measures_in
from leavekout.leave_k_out.statistics.arms import Arms
from leavekout.leave_k_out.statistics.clusters import intraclass_table
from leavekout.leave_k_out.statistics.comparisons import comparisons_table
from leavekout.leave_k_out.statistics.equivalents import equivalents_table
from leavekout.leave_k_out.statistics.estimates import estimates_table
from leavekout.leave_k_out.statistics.measurements import DICTIONARY, dictionary
from leavekout.leave_k_out.statistics.power import power_table, variance_table
from leavekout.leave_k_out.statistics.repeatability import COLUMNS


def study(
    *,
    queries: int = 8,
    sets: int = 4,
    ks: tuple[int, ...] = (10, 20),
    seed: int = 0,
    measures: tuple[str, ...] = ("delta_loss", "mse", "clip"),
    alike: int = 1,
    topic_sets: int = 0,
) -> pd.DataFrame:
    """Measurements of methods `good` and `bad`, of a random curve and of two other seeds.

    `alike` consecutive queries make a cluster. With `topic_sets`, each query has so many, whose
    removal has more effect than that of `bad`.
    """
    rng = np.random.default_rng(seed)
    rows = []

    def add(method: str, k: int, query: int, seed: int, number: int | None, level: float) -> None:
        names = f"q{query:03d}", f"q{query // alike * alike:03d}"
        for by in map(measure, measures):
            scale = 0.2 if np.isfinite(by.range[1]) else 1.0
            value = by.unchanged + by.direction * scale * (level + 0.1 * rng.standard_normal())
            rows.append([method, *names, k, seed, number, by.name, value, 0.01])

    for query in range(queries):
        add("good", 10, query, 0, None, 3.0)
        add("bad", 10, query, 0, None, 1.0)
        for k, number in product(ks, range(sets)):
            add("random", k, query, 0, number, 0.05 * k)
        for number in range(topic_sets):
            add("topic", 10, query, 0, number, 2.0)
        for training in (1, 2):
            add("no_removal", 0, query, training, None, 0.5)
    order = "method query cluster k training_seed removal_set measure value evaluation_error"
    table = pd.DataFrame(rows, columns=order.split())[list(DICTIONARY)]
    place = {name: i for i, name in enumerate(measures)}
    table = table.sort_values("measure", key=lambda m: m.map(place), kind="stable")
    return table.astype({"removal_set": "Int64"})


def arms_from(cells: dict[str, np.ndarray], random: dict[int, np.ndarray]) -> Arms:
    """Arms of one measure.

    Args:
        cells: effects of each method at the smallest K of `random`, [Q].
        random: effects of random sets for each K, [Q, sets].
    """
    k = min(random)
    return Arms(
        effects={(name, k): values for name, values in cells.items()},
        random=random,
        sets={k: np.arange(values.shape[1]) for k, values in random.items()},
        floor=np.empty((0, 0)),
        evaluation={(name, k): 0.0 for name in (*cells, "random")},
        clusters=np.arange(len(random[k])),
    )


def statistics(measurements: pd.DataFrame, resamples: int = 50) -> dict[str, pd.DataFrame]:
    """A report's tables of a study, and the dictionary; `resamples` are of random equivalents."""
    return {
        "estimates": estimates_table(measurements),
        "comparisons": comparisons_table(measurements),
        "equivalents": equivalents_table(measurements, resamples=resamples),
        "variance": variance_table(measurements),
        "power": power_table(measurements),
        "intraclass": intraclass_table(measurements),
        "dictionary": dictionary(measures_in(["delta_loss", "mse", "clip"])),
    }


def repeatability(**overlaps: float) -> pd.DataFrame:
    """A table of methods, and the share of the top 10 that another draw selects again."""
    rows = [(method, 10, 12, 0.5, 0.4, 0.6, share, 0.02, 0.3) for method, share in overlaps.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))
