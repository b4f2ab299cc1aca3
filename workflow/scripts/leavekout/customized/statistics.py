"""Statistics of retrievals: means, errors and intervals of methods, and tests of pairs.

Queries of one model share its exemplars, its weights and its token, so they are not independent.
The papers' standard error assumes independence; the tables report it beside ours. Our intervals
and tests are over models, each with the mean of its queries.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from leavekout.customized.retrieval import MEASURES
from leavekout.statistics.significance import LEVEL, holm

ALL = "all"
_PAIRS = [
    *("kind", "measure", "ahead", "behind", "models", "difference", "low", "high"),
    *("models_ahead", "p", "p_holm", "distinguishable"),
]


def summary_table(retrievals: pd.DataFrame) -> pd.DataFrame:
    """One row for each kind (object, style, all), measure and method.

    Columns: `models`, `queries`; `mean` over queries; `se` over queries, as in the papers; `low`,
    `high`: 95 % interval of the mean, by Student's t over models, within [0, 1].
    """
    rows = []
    for kind, measure, of_kind in _kinds(retrievals):
        for method, values in of_kind.groupby("method", sort=False):
            of_models = values.groupby("model")[measure].mean().to_numpy()
            queries = values[measure].to_numpy()
            low, high = _interval(of_models)
            rows.append(
                {
                    "kind": kind,
                    "measure": measure,
                    "method": method,
                    "models": len(of_models),
                    "queries": len(queries),
                    "mean": queries.mean(),
                    "se": stats.sem(queries) if len(queries) > 1 else np.nan,
                    "low": np.clip(low, 0, 1),
                    "high": np.clip(high, 0, 1),
                }
            )
    return pd.DataFrame(rows)


def comparisons_table(retrievals: pd.DataFrame) -> pd.DataFrame:
    """One row for each kind, measure and pair of methods, the one that is ahead first.

    Columns: `difference` of the means, `low`, `high`: 95 % interval over models, within [-1, 1];
    `models`, `models_ahead`: in how many the first is ahead; `p`: paired t-test over models;
    `p_holm`: corrected for all pairs of the kind and measure; `distinguishable`: p_holm ≤ 0.05.
    No row for one method.
    """
    tables = []
    for kind, measure, rows_of_kind in _kinds(retrievals):
        means = rows_of_kind.pivot_table(index="model", columns="method", values=measure)
        rows = []
        for pair in combinations(means.columns, 2):
            ahead, behind = sorted(pair, key=lambda name: -means[name].mean())
            difference = (means[ahead] - means[behind]).to_numpy()
            low, high = _interval(difference)
            rows.append(
                {
                    "kind": kind,
                    "measure": measure,
                    "ahead": ahead,
                    "behind": behind,
                    "models": len(difference),
                    "difference": difference.mean(),
                    "low": np.clip(low, -1, 1),
                    "high": np.clip(high, -1, 1),
                    "models_ahead": int((difference > 0).sum()),
                    "p": _p(difference),
                }
            )
        if rows:
            table = pd.DataFrame(rows)
            table["p_holm"] = holm(table["p"].to_numpy())
            tables.append(table.assign(distinguishable=table["p_holm"] <= LEVEL))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_PAIRS)


def _kinds(retrievals: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """The retrievals of each kind, and of all if there are several, for each measure."""
    kinds = list(dict.fromkeys(retrievals["kind"]))
    for kind in [*kinds, ALL] if len(kinds) > 1 else kinds:
        rows = retrievals if kind == ALL else retrievals[retrievals["kind"] == kind]
        for measure in MEASURES:
            yield kind, measure, rows


def _interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of independent values by Student's t; NaN for one value."""
    if len(values) < 2:
        return np.nan, np.nan
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return values.mean() - half, values.mean() + half


def _p(differences: np.ndarray) -> float:
    """Two-sided paired t-test that the mean difference is zero."""
    if len(differences) < 2 or not differences.any():
        return 1.0
    if np.ptp(differences) < 1e-9:  # all differences are equal: t has no scale
        return 2.0 ** (1 - len(differences))  # of a sign test
    return float(stats.ttest_1samp(differences, 0).pvalue)
