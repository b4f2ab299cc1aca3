"""Studies that are looked at several times as they grow: alpha spending (Lan and DeMets, 1983)."""

from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy import stats
from scipy.optimize import brentq

_NODES, _WEIGHTS = leggauss(101)
_FARTHEST = 38.0  # beyond it normal probabilities underflow
_GRID = np.append(
    np.logspace(-15, -0.05, 120), 0.99
)  # levels between which the level of one look is interpolated


def spent(level: float, fraction: float) -> float:
    """The share of errors that may have been made at a fraction of the planned information.

    Like O'Brien and Fleming's: 2 (1 − Φ(z / √t)) for either side, which is level / 2 at t = 1.
    """
    return float(4 * stats.norm.sf(stats.norm.isf(level / 4) / np.sqrt(fraction)))


def boundaries(level: float, fractions: Sequence[float]) -> list[float]:
    """|z| that is significant at each look, so that all looks together have a two-sided level.

    By recursion over the looks (Armitage, McPherson and Rowe, 1969): the density of the sum that
    has crossed no boundary yet is integrated over the increment to the next look.

    Args:
        fractions: of the planned information, ascending, the last 1.
    """
    found: list[float] = []
    # Nodes of the sum at the look before, and the probability that each stands for.
    sums, mass, before, already = np.zeros(1), np.ones(1), 0.0, 0.0
    for fraction in fractions:
        step, end, allowed = np.sqrt(fraction - before), np.sqrt(fraction), spent(level, fraction)
        beyond = partial(_beyond, sums=sums, mass=mass, step=step, more=allowed - already)
        found.append(float(brentq(beyond, 0, _FARTHEST * end, xtol=1e-10) / end))
        nodes = found[-1] * end * _NODES
        density = stats.norm.pdf((nodes[:, None] - sums) / step) @ mass / step
        sums, mass = nodes, found[-1] * end * _WEIGHTS * density
        before, already = fraction, allowed
    return found


def _beyond(limit: float, *, sums: np.ndarray, mass: np.ndarray, step: float, more: float) -> float:
    """The probability that the next sum is beyond ± `limit`, minus `more`."""
    above, below = stats.norm.sf((limit - sums) / step), stats.norm.cdf((-limit - sums) / step)
    return float(mass @ (above + below)) - more


def sequential(p_values: np.ndarray, queries: int, looks: Sequence[int]) -> np.ndarray:
    """P-values [P] of one look → the smallest level of the whole plan that finds each significant.

    So a p-value below 5 % comes with a chance of at most 5 % over all looks together, if there is
    nothing to find (Liu and Anderson, 2008). Queries are the information: a look has a share
    queries / (planned queries) of it.

    Args:
        queries: at this look; looks: the numbers of queries at all looks, ascending.
    """
    levels = _levels(looks.index(queries), tuple(looks))
    found = np.exp(np.interp(np.log(np.maximum(p_values, 1e-300)), np.log(levels), np.log(_GRID)))
    return np.where(np.isnan(p_values), np.nan, np.maximum(found, p_values))


@lru_cache
def _levels(look: int, looks: tuple[int, ...]) -> np.ndarray:
    """The p-value that is significant at one look, for each level of `_GRID`."""
    fractions = [number / looks[-1] for number in looks[: look + 1]]
    z = [boundaries(level, fractions)[-1] for level in _GRID]
    return np.maximum.accumulate(np.maximum(2 * stats.norm.sf(z), 1e-300))
