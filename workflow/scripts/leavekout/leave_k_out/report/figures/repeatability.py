"""How much of a method's top K another draw of its noise would name again."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from leavekout.leave_k_out.report.cautions import REPEATS
from leavekout.report.style import GREY, bare, style
from leavekout.report.text import records


def plot_repeatability(repeatability: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """For each K a panel, in it a line for each method that draws: from halves to the whole."""
    drawn = [method for method in methods if method in set(repeatability["method"])]
    ks = sorted(repeatability["k"].unique())
    figure, axes = plt.subplots(
        1,
        max(1, len(ks)),
        figsize=(2.2 + 3.4 * max(1, len(ks)), 1.3 + 0.32 * max(1, len(drawn))),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    if not ks:
        axes[0, 0].text(0.5, 0.5, "no method draws noise", ha="center", va="center")
        axes[0, 0].axis("off")
        return figure
    for ax, k in zip(axes[0], ks, strict=True):
        rows = {row["method"]: row for row in records(repeatability[repeatability["k"] == k])}
        for y, method in enumerate(reversed(drawn)):
            row, (color, marker) = rows[method], style(methods.index(method))
            ends = [100 * row["overlap_halves"], 100 * row["overlap"]]
            ax.plot(ends, [y, y], color=color, linewidth=1)
            ax.plot(ends[0], y, color=color, marker=marker, markerfacecolor="white")
            ax.plot(ends[1], y, color=color, marker=marker)
        ax.axvline(100 * REPEATS, color=GREY, linestyle="--", linewidth=1)
        ax.set_xlim(right=101)
        ax.set_yticks(range(len(drawn)), drawn[::-1])
        ax.set_xlabel(f"top {k:,} named again, %")
        bare(ax)
    return figure
