"""What all figures share: the palette, a panel for each measure, and how a figure is written."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leavekout.measures.measure import Measure
from leavekout.measures.registry import measures_in
from leavekout.runtime.artifacts import atomic

# Okabe and Ito's palette, which colour-blind readers can tell apart.
_PALETTE = (
    *("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000"),
    *("#882255", "#44AA99", "#332288", "#999933"),  # of Tol's muted palette, for longer lists
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#666666"
_COLUMNS = 3  # of panels; more measures take further lines
plt.rcParams["svg.hashsalt"] = "leave-K-out"  # the same data give the same bytes


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


def save(figure: Figure, paths: Sequence[Path]) -> None:
    """Writes a figure as PNG, PDF or SVG, by the endings."""
    for path in paths:
        with atomic(path) as temporary:
            kind = path.suffix.removeprefix(".")
            # No date in the file: the same data give the same bytes.
            metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
            figure.savefig(temporary, format=kind, dpi=160, bbox_inches="tight", metadata=metadata)
    plt.close(figure)


def style(number: int) -> tuple[str, str]:
    """Colour and marker of a method by its place in the configuration; no two are alike."""
    lap = number // len(_PALETTE)
    return _PALETTE[number % len(_PALETTE)], _MARKERS[(number + lap) % len(_MARKERS)]


def bare(ax: Axes) -> None:
    """Takes away the frame's upper and right side."""
    ax.spines[["top", "right"]].set_visible(False)


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
