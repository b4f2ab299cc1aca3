"""A method's scores beside those of a finished study, before any model is trained for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from leavekout.contract.scores import tied_at
from leavekout.leave_k_out.statistics.arms import Arms
from leavekout.leave_k_out.statistics.lds import FEWEST_MODELS, lds_table, summed_scores
from leavekout.leave_k_out.statistics.repeatability import overlap
from leavekout.report.text import as_text, interval, records

# Scores [Q, N] of each method, in one order of queries.
Scores = Mapping[str, np.ndarray]
_DEVIATIONS = 3  # of the rank correlation of unrelated scores, up to which it is taken for chance
_RESAMPLES = 200  # of the LDS; they give its error to 5 %


def agreements(mine: np.ndarray, others: Scores, k: int) -> pd.DataFrame:
    """One row for each other method: columns `method`, `rank_correlation`, `overlap`.

    Both are means over queries: Spearman's correlation over all images, and the share of the top K
    in common.

    Args:
        mine: [Q, N].
    """
    rows = []
    for method, scores in others.items():
        pairs = list(zip(mine, scores, strict=True))
        correlations = [float(stats.spearmanr(a, b).statistic) for a, b in pairs]
        overlaps = [overlap(a, b, k) for a, b in pairs]
        rows.append((method, float(np.mean(correlations)), float(np.mean(overlaps))))
    return pd.DataFrame(rows, columns=["method", "rank_correlation", "overlap"])


def chance(images: int) -> float:
    """The rank correlation that unrelated scores of N images hardly exceed: 3 / √(N − 1).

    1 / √(N − 1) is its standard deviation for one query (Kendall and Gibbons, Rank Correlation
    Methods). A mean over queries is closer to 0, unless the same rows were mixed up in all of them.
    """
    return _DEVIATIONS / float(np.sqrt(images - 1))


def largest_sets(arms: Arms) -> int | None:
    """The K of which there are most models without random sets; None if they are too few."""
    counts = {k: models.shape[1] for k, models in arms.random.items()}
    best = max(counts, key=lambda k: (counts[k], k), default=None)
    return best if best is not None and counts[best] >= FEWEST_MODELS else None


def lds_of(scores: Scores, arms: Arms, sets: Sequence[np.ndarray], k: int) -> pd.DataFrame:
    """The linear datamodeling score of each method, from the study's models without random sets.

    Args:
        scores: queries are in the order of `arms`; sets: the rows of each set of `arms.sets[k]`.
        arms: of a measure that a good method raises.
    """
    predictions = {
        (method, k): [summed_scores(of_query, sets) for of_query in by_query]
        for method, by_query in scores.items()
    }
    return lds_table(arms, predictions, resamples=_RESAMPLES)


def doubts(mine: np.ndarray, agreement: pd.DataFrame, k: int) -> list[str]:
    """What may be wrong with scores [Q, N] that are valid: their sign, their order, ties.

    Args:
        agreement: see `agreements`.
    """
    found, limit = [], chance(mine.shape[1])
    correlations = agreement["rank_correlation"]
    if correlations.median() < -limit:
        found.append(
            f"The scores rank images against {(correlations < 0).sum()} of {len(agreement)} "
            "methods: is their sign turned? Higher must be more influential."
        )
    elif correlations.abs().max() < limit:
        found.append(
            f"The scores agree with no method's more than chance does (rank correlations below "
            f"{limit:.2f}): are they in the order of data/images.parquet, and each in its query's "
            "file?"
        )
    if len(mine) > 1 and (mine == mine[0]).all():
        found.append("All queries have the same scores.")
    tied = [ties for of_query in mine if (ties := tied_at(of_query, k))]
    if tied:
        found.append(
            f"For {len(tied)} of {len(mine)} queries the last of the top {k:,} is tied with up to "
            f"{max(tied):,} images outside; ties go to the image that comes first."
        )
    return found


@dataclass(frozen=True)
class Preview:
    """What `text` says.

    Args:
        agreement: see `agreements`; lds: see `lds_of`; None if random models are too few.
        repeats: see `repeatability.py`; None if no noise is drawn, or it is not known.
    """

    method: str
    study: str
    queries: int
    images: int
    k: int
    agreement: pd.DataFrame
    lds: pd.DataFrame | None
    repeats: pd.DataFrame | None
    doubts: Sequence[str]

    def text(self) -> str:
        """The preview for the terminal."""
        parts = [as_text([(self._title(), self._table(), self._note())])]
        if self.repeats is not None and len(self.repeats):
            row = records(self.repeats)[0]
            parts.append(
                f"With new noise, it would select {row['overlap']:.0%} of its top {row['k']:,} "
                f"again (rank correlation {row['rank_correlation']:.2f}).\n"
            )
        parts += [f"Check: {doubt}\n" for doubt in self.doubts]
        if not self.doubts:
            parts.append("Length, order and sign of the scores look right.\n")
        return "\n".join(parts)

    def _title(self) -> str:
        return f"{self.method} beside the methods of {self.study}: {self.queries} queries"

    def _table(self) -> pd.DataFrame:
        agreement = self.agreement.sort_values("rank_correlation", ascending=False)
        of_method = {} if self.lds is None else {row["method"]: row for row in records(self.lds)}
        rows = [
            {
                "method": row["method"],
                "rank correlation": f"{row['rank_correlation']:.2f}".replace("-", "−"),
                f"top {self.k:,} in common": f"{row['overlap']:.0%}",
            }
            for row in records(agreement)
        ]
        own = dict.fromkeys(rows[0], "") | {"method": self.method} if rows else {}
        table = pd.DataFrame([own, *rows])
        if self.lds is not None:
            table["LDS"] = [
                interval(row["lds"], (row["high"] - row["low"]) / 4, row["low"], row["high"])
                for row in (of_method[name] for name in table["method"])
            ]
        return table

    def _note(self) -> str:
        by_chance = f"Unrelated scores have {self.k / self.images:.1%} of the top in common."
        if self.lds is None:
            return f"{by_chance} The study has too few random models for an LDS."
        row = records(self.lds)[0]
        return (
            f"{by_chance} LDS: rank correlation of summed scores with the ΔL of the study's "
            f"{row['n_models']} models without {row['k']:,} random images (95 % interval); it "
            "is no substitute for the join (docs/statistics.md)."
        )
