"""How much of a method's top K would be selected again with new noise."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from leavekout.leave_k_out.report.cautions import REPEATS
from leavekout.leave_k_out.report.figures.layout import row_of_panels, say_instead
from leavekout.report.style import GREY, bare, style
from leavekout.report.text import records


def plot_repeatability(repeatability: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """For each K a panel with a line for each stochastic method: from half to all of its draws."""
    stochastic = [method for method in methods if method in set(repeatability["method"])]
    ks = sorted(repeatability["k"].unique())
    figure, axes = row_of_panels(len(ks), 3.4, (2.2, 1.3 + 0.32 * max(1, len(stochastic))))
    if not ks:
        say_instead(axes[0], "no method draws noise")
        return figure
    for ax, k in zip(axes, ks, strict=True):
        rows = {row["method"]: row for row in records(repeatability[repeatability["k"] == k])}
        for y, method in enumerate(reversed(stochastic)):
            row, (color, marker) = rows[method], style(methods.index(method))
            ends = [100 * row["overlap_halves"], 100 * row["overlap"]]
            ax.plot(ends, [y, y], color=color, linewidth=1)
            ax.plot(ends[0], y, color=color, marker=marker, markerfacecolor="white")
            ax.plot(ends[1], y, color=color, marker=marker)
        ax.axvline(100 * REPEATS, color=GREY, linestyle="--", linewidth=1)
        ax.set_xlim(right=101)
        ax.set_yticks(range(len(stochastic)), stochastic[::-1])
        ax.set_xlabel(f"top {k:,} selected again, %")
        bare(ax)
    return figure
