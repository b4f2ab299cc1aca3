"""What figures of measures share: panels, and methods as lines of intervals."""

from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.report.style import style

_COLUMNS = 3  # of panels; more measures take further lines


def panels(
    names: Iterable[str], *, height: float, sharey: bool = False
) -> tuple[Figure, list[tuple[Axes, Measure]]]:
    """A panel for each measure of a table's column `measure`, titled with what is better.

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


def beside(ks: Sequence[int], k: int) -> float:
    """How far a K's interval stands above the middle of its method's line."""
    return 0.22 * (list(ks).index(k) - (len(ks) - 1) / 2)


def forest(ax: Axes, rows: Sequence[dict], methods: Sequence[str]) -> None:
    """Draws intervals in lines: `y`, `value`, `low`, `high`, `method`, `filled`."""
    for row in rows:
        color, marker = style(methods.index(row["method"]))
        ends = [[row["value"] - row["low"]], [row["high"] - row["value"]]]
        ax.errorbar(
            row["value"],
            row["y"],
            xerr=ends,
            color=color,
            marker=marker,
            capsize=2,
            markerfacecolor=color if row["filled"] else "white",
        )
