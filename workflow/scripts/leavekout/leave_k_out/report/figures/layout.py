"""What figures of measures share: panels, and methods as intervals on lines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leavekout.contract.removal import CONTROLS
from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.report.headline import main_k, primary
from leavekout.leave_k_out.statistics.measurements import rows_of
from leavekout.report.style import style
from leavekout.report.text import records

_COLUMNS = 3  # of panels; more measures take further lines


def panels(
    names: Iterable[str], *, height: float, sharey: bool = False
) -> tuple[Figure, list[tuple[Axes, Measure]]]:
    """A panel for each measure of a table's column `measure`, titled with its good direction.

    Args:
        height: inches of a line of panels.
    """
    measures = measures_in(names)
    columns = min(_COLUMNS, len(measures))
    lines = -(-len(measures) // columns)
    width = 11 * columns / _COLUMNS if columns > 1 else 5.5
    figure, axes = plt.subplots(
        lines,
        columns,
        figsize=(width, height * lines),
        sharey=sharey,
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat[len(measures) :]:
        ax.set_visible(False)
    shown = list(zip(axes.flat, measures, strict=False))
    for ax, measure in shown:
        ax.set_title(measure.axis, fontsize=10)
    return figure, shown


def row_of_panels(count: int, width: float, size: tuple[float, float]) -> tuple[Figure, np.ndarray]:
    """Panels beside each other, at least one: [count].

    Args:
        width: inches of a panel; size: inches of the rest of the figure's width, and its height.
    """
    count = max(1, count)
    figure, axes = plt.subplots(
        1,
        count,
        figsize=(size[0] + width * count, size[1]),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    return figure, axes[0]


def say_instead(ax: Axes, text: str) -> None:
    """Shows a text in the place of a panel that has no data."""
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
    ax.axis("off")


def beside(ks: Sequence[int], k: int) -> float:
    """How far a K's interval is above the middle of its method's line."""
    return 0.22 * (list(ks).index(k) - (len(ks) - 1) / 2)


@dataclass(frozen=True)
class Interval:
    """A method's value with its interval; `y` is the height at which it is drawn."""

    method: str
    value: float
    low: float
    high: float
    y: float = 0.0
    filled: bool = True


def forest(
    ax: Axes, intervals: Sequence[Interval], methods: Sequence[str], order: Sequence[str]
) -> None:
    """Draws horizontal intervals, with a line for each method of `order`, from the bottom."""
    for interval in intervals:
        color, marker = style(methods.index(interval.method))
        ax.errorbar(
            interval.value,
            interval.y,
            xerr=[[interval.value - interval.low], [interval.high - interval.value]],
            color=color,
            marker=marker,
            capsize=2,
            markerfacecolor=color if interval.filled else "white",
        )
    ax.set_yticks(range(len(order)), order)
    ax.set_ylim(-0.6, len(order) - 0.4)


def excesses(estimates: pd.DataFrame) -> dict[str, Interval]:
    """Each method's excess by the primary measure at the K of most methods, in the shown unit."""
    measure = primary(estimates)
    rows = rows_of(estimates, measure, main_k(estimates)).dropna(subset="excess")
    rows = rows[~rows["method"].isin(CONTROLS)]
    names = ("excess", "excess_low", "excess_high")
    return {
        row["method"]: Interval(row["method"], *(measure.scale * row[name] for name in names))
        for row in records(rows)
    }


def axis_of_excess(estimates: pd.DataFrame) -> str:
    """The label of an axis of `excesses`."""
    return f"{primary(estimates).heading}, excess over random, K = {main_k(estimates):,}"


def sizes(ks: Sequence[int], main: int) -> str:
    """A legend of the values of K, the main one filled."""
    return ", ".join(f"K = {k:,} {'filled' if k == main else 'open'}" for k in ks)
