"""Each measure against K: the methods, the random curve, and the noise floor."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leavekout.contract.removal import NO_REMOVAL, RANDOM, TOPIC
from leavekout.leave_k_out.report.figures.layout import panels
from leavekout.leave_k_out.report.headline import has_topics, methods_ks
from leavekout.leave_k_out.statistics.measurements import rows_of
from leavekout.report.style import GREY, bare, style


def plot_measures(estimates: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """Means with 95 % intervals over queries and models.

    Args:
        estimates: the table of `estimates.estimates_table`.
    """
    figure, shown = panels(estimates["measure"], height=3.6)
    ks = sorted(estimates.loc[estimates["method"] != NO_REMOVAL, "k"].unique())
    # Methods of the same K are drawn slightly apart, so that their intervals are visible.
    spread = 1.02 if len(methods_ks(estimates)) > 1 else 1.07
    for ax, measure in shown:
        rows = rows_of(estimates, measure)
        _draw_floor(ax, rows)
        for number, name in enumerate(methods):
            color, marker = style(number)
            beside = spread ** (number - (len(methods) - 1) / 2)
            _draw_curve(ax, rows, name, beside, color, marker, "-")
        _draw_curve(ax, rows, RANDOM, 1.0, GREY, ".", "--")
        if has_topics(estimates):
            _draw_curve(ax, rows, TOPIC, 1.0, GREY, "x", ":")
        if len(ks) > 1 and ks[-1] / ks[0] > 5:
            ax.set_xscale("log")
        if len(ks) <= 8:
            ax.set_xticks(ks, [f"{k:,}" for k in ks], fontsize=8, rotation=60 if len(ks) > 4 else 0)
            ax.minorticks_off()
        if len(ks) == 1:
            ax.set_xlim(ks[0] * 0.5, ks[0] * 1.5)
        ax.ticklabel_format(axis="y", useOffset=False)
        ax.set_xlabel("K, training images removed")
        bare(ax)
    handles, labels = shown[0][0].get_legend_handles_labels()
    columns = min(len(labels), 7 if len(shown) > 1 else 3)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _draw_curve(
    ax: Axes, rows: pd.DataFrame, name: str, shift: float, color: str, marker: str, line: str
) -> None:
    rows = rows[rows["method"] == name].sort_values("k")
    ends = [rows["mean"] - rows["mean_low"], rows["mean_high"] - rows["mean"]]
    ax.errorbar(
        rows["k"] * shift,
        rows["mean"],
        np.array(ends),
        label=name,
        color=color,
        marker=marker,
        markersize=5,
        linestyle=line,
        linewidth=1.2,
        elinewidth=0.9,
        capsize=2,
    )


def _draw_floor(ax: Axes, rows: pd.DataFrame) -> None:
    """A band at the values of models of other seeds without a removal.

    Their trainings share nothing with the source model's; all others are paired with it.
    """
    floor = rows[rows["method"] == NO_REMOVAL]
    if floor.empty:
        return
    mean, low, high = (float(floor[name].iloc[0]) for name in ("mean", "mean_low", "mean_high"))
    ax.axhline(mean, color="#AAAAAA", linewidth=1, zorder=0, label="no removal, another seed")
    if np.isfinite(low):
        ax.axhspan(low, high, color="#E5E5E5", zorder=-1)
