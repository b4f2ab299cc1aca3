"""Random equivalents: how many random images one would have to remove for the same effect."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from leavekout.leave_k_out.measures.registry import measure as measure_of
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.statistics.arms import Arms, arms_of
from leavekout.statistics.resampling import Resamples, mean

GRID = 400  # points along the random curve, from K = 0 on, at which methods are compared with it


@dataclass(frozen=True)
class RandomCurve:
    """Random removal of one measure as arrays: `values[:, j]` is model j, `columns[K]` those of K.

    Args:
        values: [Q, M], oriented so that removal raises it; sign and origin are taken out, so that
            it is 0 where nothing is removed.
        columns: K → the models of that K.
        number: [M], which of the resampled sets a model belongs to.
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


def random_curve(arms: Arms, measure: str) -> RandomCurve:
    """The random curve of a study.

    Sets of one number are nested in K and so are their errors: a set is resampled with all its
    models. Sets that go through the same K make one group, so that no K is ever without models.
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
        values=oriented(values, measure),
        columns={k: np.arange(starts[i], starts[i + 1]) for i, k in enumerate(ks)},
        number=np.array([order.index(number) for k in ks for number in arms.sets[k].tolist()]),
        groups=groups,
    )


def oriented(values: np.ndarray, measure: str) -> np.ndarray:
    """A measure as an effect: 0 where nothing changes, and the more the higher."""
    one = measure_of(measure)
    return one.direction * (values - one.unchanged)


def monotone(
    ks: np.ndarray, values: np.ndarray, models: np.ndarray, *, origin: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """A non-decreasing curve near the points (K, values), as knots (x, y); straight lines between.

    Centred isotonic regression (Oron and Flournoy, 2017): least squares under monotonicity, in
    which each flat piece is then shrunk to its weighted centre, so that the curve can be inverted.

    Args:
        ks: [n], ascending, above 0; values: [n]; models: [n], how many each value is the mean of.
        origin: whether the curve goes through (0, 0), known without error: trained again without
            removal, with its own seed, the source model comes out. Values below 0 then count as 0
            at their K. (Left out, they would leave a curve of those that chance made too high.)
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
    `..._censored`: the number is the curve's end, and the true one may lie beyond. `smallest_k`:
    the curve's smallest K; numbers below it are known to be below it, and no better.
    """
    rows = []
    for measure in [one.name for one in measures_in(measurements["measure"])]:
        arms = arms_of(measurements, measure)
        if not arms.random:
            continue
        curve = random_curve(arms, measure)
        curves = Curves(curve, arms.clusters, resamples, origin=origin)
        for (method, k), cell in sorted(arms.effects.items(), key=lambda item: item[0][::-1]):
            rows.append(
                {
                    "measure": measure,
                    "k": k,
                    "method": method,
                    **curves.equivalent(oriented(cell, measure)),
                }
            )
    columns = [
        "measure",
        "k",
        "method",
        "equivalent",
        "low",
        "high",
        "equivalent_censored",
        "low_censored",
        "high_censored",
        "smallest_k",
        "covers",
    ]
    return pd.DataFrame(rows, columns=columns)


class Curves:
    """The monotone curve of a random curve, and of each of its resamples, on a grid of K."""

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
        self._cache: dict[tuple[int, int], np.ndarray] = {}
        self.sets = int(self._models.min())

    def on_grid(self, queries: np.ndarray, sets: np.ndarray) -> np.ndarray:
        """The monotone curve for each row of weights: [B, G].

        The resamples hand the same arrays to every method, so each curve is fitted once.
        """
        key = (id(queries), id(sets))
        if key not in self._cache:
            values = self._random.means(queries, sets)
            self._cache[key] = np.stack([self._fit(row) for row in values])
        return self._cache[key]

    def _fit(self, values: np.ndarray) -> np.ndarray:
        ks = self._random.ks
        return np.interp(self.grid, *monotone(ks, values, self._models, origin=self._origin))

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
        """The first or last K at which [G] falls to 0, or the curve's end, and whether that."""
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
