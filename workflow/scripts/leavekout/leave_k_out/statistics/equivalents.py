"""Random equivalents: how many random images have to be removed for the same effect."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.statistics.arms import Arms, arms_of_measures
from leavekout.statistics.resampling import Resamples, mean

GRID = 400  # points along the random curve, from K = 0, at which methods are compared with it
COLUMNS = [
    *("measure", "k", "method", "equivalent", "low", "high", "equivalent_censored"),
    *("low_censored", "high_censored", "smallest_k", "covers"),
]


@dataclass(frozen=True)
class RandomCurve:
    """Random removal of one measure as arrays.

    Args:
        values: [Q, M], of M models as effects: 0 if nothing is lost, and the more the higher.
        columns: K → the models of that K.
        number: [M], the resampled set of each model.
        groups: sizes of the groups of sets that are resampled together.
    """

    values: np.ndarray
    columns: dict[int, np.ndarray]
    number: np.ndarray
    groups: list[int]

    @property
    def ks(self) -> np.ndarray:
        """The K of the curve, ascending."""
        return np.array(sorted(self.columns))

    def means(self, queries: np.ndarray, sets: np.ndarray) -> np.ndarray:
        """Weighted means [B, n_K] for weights of queries [B, Q] and of sets [B, S]."""
        by_model = mean(self.values, queries)  # [B, M]
        weights = sets[:, self.number]
        weighted = by_model * weights
        return np.stack(
            [
                weighted[:, columns].sum(axis=1) / weights[:, columns].sum(axis=1)
                for _, columns in sorted(self.columns.items())
            ],
            axis=1,
        )


def random_curve(arms: Arms, measure: Measure) -> RandomCurve:
    """The random curve of a study.

    Sets of one number are nested in K, and so are their errors; a set is resampled with all its
    models. Sets with the same values of K make one group, so that no K is ever without models.
    """
    ks = sorted(arms.random)
    through: dict[int, tuple[int, ...]] = {}
    for k in ks:
        for number in arms.sets[k].tolist():
            through[number] = (*through.get(number, ()), k)
    order = sorted(through, key=lambda number: (through[number], number))
    groups = [list(through.values()).count(kind) for kind in sorted(set(through.values()))]
    values = np.concatenate([arms.random[k] for k in ks], axis=1)
    starts = np.cumsum([0, *(arms.random[k].shape[1] for k in ks)])
    return RandomCurve(
        values=measure.as_effect(values),
        columns={k: np.arange(starts[i], starts[i + 1]) for i, k in enumerate(ks)},
        number=np.array([order.index(number) for k in ks for number in arms.sets[k].tolist()]),
        groups=groups,
    )


def monotone(
    ks: np.ndarray, values: np.ndarray, models: np.ndarray, *, origin: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """A non-decreasing, piecewise linear curve near the points (K, values), as knots (x, y).

    Centred isotonic regression (Oron and Flournoy, 2017): least squares under monotonicity, then
    each flat piece is shrunk to its weighted centre, so that the curve can be inverted.

    Args:
        ks: [n], ascending, above 0; values: [n]; models: [n], how many each value is the mean of.
        origin: whether the curve goes through (0, 0), which is known without error, because
            retraining with the same seed and no removal gives the source model. Values below 0 then
            count as 0 at their K. (Without them, the curve would consist of lucky values.)
    """
    fit = isotonic_regression(values, weights=models)
    starts = fit.blocks[:-1]  # of the flat pieces
    levels = fit.x[starts]
    if origin:
        below = int((levels <= 0).sum())  # all that are not above 0 make one piece
        if below:
            starts, levels = np.append(0, starts[below:]), np.append(0.0, levels[below:])
    centres = np.add.reduceat(models * ks, starts) / np.add.reduceat(models, starts)
    if origin:
        centres, levels = np.append(0.0, centres), np.append(0.0, levels)
    return centres, levels


def equivalents_table(
    measurements: pd.DataFrame, *, resamples: int, origin: bool = True
) -> pd.DataFrame:
    """One row for each measure, K and method; `origin` as in `monotone`.

    Columns: `equivalent`, the number of random images whose removal has the method's mean effect,
    with `low` and `high` (95 %, over the method's queries and models and the random curve's);
    `..._censored`: the number is the curve's end, and the true one may be larger. `smallest_k`: the
    curve's smallest K; numbers below it are only known to be below it.
    """
    rows = []
    for measure, arms in arms_of_measures(measurements):
        if arms.random:
            curve = random_curve(arms, measure)
            curves = Curves(curve, arms.clusters, resamples, origin=origin)
            for (method, k), cell in sorted(arms.effects.items(), key=lambda item: item[0][::-1]):
                cell_of = {"measure": measure.name, "k": k, "method": method}
                rows.append(cell_of | curves.equivalent(measure.as_effect(cell)))
    return pd.DataFrame(rows, columns=COLUMNS)


class Curves:
    """The monotone curve of a random curve, and of each of its resamples, on a grid of K.

    Args:
        clusters: [Q], the cluster of each query; count: the number of resamples.
        origin: as in `monotone`.
    """

    def __init__(
        self,
        random: RandomCurve,
        clusters: np.ndarray,
        count: int,
        *,
        origin: bool = True,
        seed: int = 0,
    ) -> None:
        self._origin = origin
        self._models = np.array([len(random.columns[k]) for k in random.ks], float)
        self._random = random
        end = float(random.ks[-1])
        self.grid = np.unique(np.concatenate([np.linspace(0, end, GRID), random.ks]))
        self._draws = Resamples(
            len(clusters), random.groups, count=count, seed=seed, clusters=clusters
        )
        self._fitted: dict[tuple[int, int], np.ndarray] = {}
        self.sets = int(self._models.min())

    def on_grid(self, queries: np.ndarray, sets: np.ndarray) -> np.ndarray:
        """The monotone curve for each row of weights of the resamples: [B, G].

        All methods share these curves, so each is fitted once. Weights are those of the study, in
        one row, or of its resamples, in B rows, so their numbers of rows identify them.
        """
        rows = len(queries), len(sets)
        if rows not in self._fitted:
            ks, values = self._random.ks, self._random.means(queries, sets)
            knots = (monotone(ks, v, self._models, origin=self._origin) for v in values)
            self._fitted[rows] = np.stack([np.interp(self.grid, x, y) for x, y in knots])
        return self._fitted[rows]

    def equivalent(self, cell: np.ndarray) -> dict[str, Any]:
        """The random equivalent of a method's effects [Q], a row of `equivalents_table`.

        The interval holds every K at which the method's mean and the curve are not significantly
        different, so it carries the noise of both.
        """
        difference = self._draws.estimate(
            lambda q, m: mean(cell, q)[:, None] - self.on_grid(q, m), models=self.sets
        )
        point, beyond = self._crossing(difference.value)
        low, low_beyond = self._crossing(difference.low)
        high, high_beyond = self._crossing(difference.high, last=True)
        unknown = not np.isfinite(difference.error).all()
        return {
            "equivalent": point,
            "equivalent_censored": beyond,
            "low": np.nan if unknown else low,
            "low_censored": low_beyond and not unknown,
            "high": np.nan if unknown else high,
            "high_censored": high_beyond and not unknown,
            "smallest_k": int(self._random.ks[0]),
            "covers": "queries and models" if self.sets > 1 else "queries",
        }

    def _crossing(self, difference: np.ndarray, *, last: bool = False) -> tuple[float, bool]:
        """The first or last K at which a difference [G] falls to 0, and whether it is censored.

        A difference that stays above 0 gives the end of the curve, and True.
        """
        above = np.flatnonzero(difference > 0)
        if len(above) == 0:
            return 0.0, False
        reached = np.flatnonzero(difference <= 0)
        after = above[-1] + 1 if last else (reached[0] if len(reached) else len(difference))
        if after == len(difference):
            return float(self.grid[-1]), True
        if after == 0:
            return 0.0, False
        before = after - 1
        share = difference[before] / (difference[before] - difference[after])
        return float(self.grid[before] + share * (self.grid[after] - self.grid[before])), False
