"""Compares our scores with those that others published for the same queries."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from leavekout.base.errors import InputError
from leavekout.leave_k_out.statistics.lds import rank_correlations
from leavekout.leave_k_out.statistics.repeatability import (
    of_the_whole,
    overlap,
    overlap_of_the_whole,
)

MEANING = (
    "If both are the same method on the same model, they differ by their noise alone: then the "
    "rank correlation and the overlap are what our own scores would have with themselves, drawn "
    "again (columns 'repeated'). A shorter or longer step of unlearning lowers them somewhat. They "
    "are near zero if images, queries or signs are mixed up."
)

_TELLING = 0.3  # rank correlation of our scores with themselves


def published_table(
    pairs: Iterable[tuple[str, np.ndarray, np.ndarray, np.ndarray | None]], ks: Sequence[int]
) -> pd.DataFrame:
    """One row for each query and K: how well our scores agree with published ones.

    Columns: query, k; Spearman's `rank_correlation` over all images and `overlap` of the top K,
    each also `_repeated`, as predicted for our own scores with new noise (see `repeatability.py`).

    Args:
        pairs: (query, our scores [N], theirs [N], ours by each half of the draws [2, N], or None
            if ours do not depend on noise).
    """
    rows = []
    for query, ours, theirs, halves in pairs:
        for k in ks:
            repeated = 1.0, 1.0
            if halves is not None:
                first, second = halves
                repeated = (
                    of_the_whole(float(rank_correlations(first, second))),
                    overlap_of_the_whole(overlap(first, second, k), k / len(ours)),
                )
            rows.append(
                {
                    "query": query,
                    "k": k,
                    "rank_correlation": float(rank_correlations(ours, theirs)),
                    "rank_correlation_repeated": repeated[0],
                    "overlap": overlap(ours, theirs, k),
                    "overlap_repeated": repeated[1],
                }
            )
    return pd.DataFrame(rows)


def in_words(table: pd.DataFrame) -> list[str]:
    """A line for each query of `published_table`."""
    lines = []
    for query, rows in table.groupby("query", sort=False):
        first = rows.iloc[0]
        overlaps = ", ".join(
            f"{row.overlap:.0%} of the top {row.k:,} (repeated: {row.overlap_repeated:.0%})"
            for row in rows.itertuples()
        )
        lines.append(
            f"{query}: rank correlation {first['rank_correlation']:.3f} (repeated: "
            f"{first['rank_correlation_repeated']:.3f}); {overlaps}"
        )
    return lines


def require_agreement(table: pd.DataFrame, least: float, method: str) -> None:
    """Raises InputError if a query's scores agree less than `least` of what repeating allows.

    Also if ours repeat so badly that no comparison says anything.
    """
    repeated = table["rank_correlation_repeated"]
    if not (repeated >= _TELLING).all():
        raise InputError(
            f"our scores of '{method}' depend too much on their noise for a comparison: drawn "
            f"again, their rank correlation with themselves would be {repeated.min():.2f}; raise "
            "'losses.draws'."
        )
    wanted = least * repeated
    low = table[~(table["rank_correlation"] >= wanted)]
    if len(low):
        queries = list(dict.fromkeys(low["query"]))
        raise InputError(
            f"our scores of '{method}' do not agree with the published ones on {len(queries)} of "
            f"{table['query'].nunique()} queries, the first {queries[0]}: rank correlation "
            f"{low['rank_correlation'].iloc[0]:.3f}, but at least {wanted[low.index[0]]:.3f} is "
            f"needed ({least} of what our own scores would have, drawn again); check "
            "'published.order', the queries, and the curvature before anything is retrained."
        )
