"""What a method's effect costs: its excess against the seconds for a query."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from leavekout.leave_k_out.report.figures.layout import axis_of_excess, excesses
from leavekout.leave_k_out.report.headline import primary
from leavekout.report.style import GREY, bare, style
from leavekout.report.text import records


def plot_costs(costs: pd.DataFrame, estimates: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """The excess of each method against its seconds for a query; hollow with its preparation.

    The preparation is divided by the number of queries of the study, so a line shows how much
    cheaper a method becomes with more queries.
    """
    excess = excesses(estimates)
    cost = {row["method"]: row for row in records(costs)}
    figure, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    for number, method in enumerate(methods):
        if method not in cost or method not in excess:
            continue
        color, marker = style(number)
        y = excess[method]
        own, whole = cost[method]["seconds_per_query"], cost[method]["seconds_per_query_here"]
        if not pd.isna(whole):
            ax.plot([own, whole], [y.value, y.value], color=color, linewidth=1)
            ax.plot(whole, y.value, color=color, marker=marker, markerfacecolor="white")
        ax.errorbar(
            own,
            y.value,
            yerr=[[y.value - y.low], [y.high - y.value]],
            color=color,
            marker=marker,
            label=method,
            capsize=2,
            linewidth=0.8,
        )
    ax.axhline(0, color=GREY, linestyle="--", linewidth=1)
    if ax.get_legend_handles_labels()[1]:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        figure.legend(loc="outside right center", frameon=False, fontsize=9)
    else:
        ax.text(0.5, 0.5, "no method's cost is known", ha="center", transform=ax.transAxes)
    ax.set_xlabel("seconds for a query")
    ax.set_ylabel(axis_of_excess(estimates))
    ax.set_title(primary(estimates).axis, fontsize=10)
    bare(ax)
    return figure
