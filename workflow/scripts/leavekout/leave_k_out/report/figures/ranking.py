"""Each method's excess over random removal, and which methods cannot be told apart."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leavekout.leave_k_out.report.figures.layout import beside, forest, panels
from leavekout.leave_k_out.report.headline import main_k, methods_ks, ranked
from leavekout.leave_k_out.statistics.comparisons import indistinguishable
from leavekout.report.style import GREY, bare
from leavekout.report.text import records


def plot_ranking(
    estimates: pd.DataFrame, comparisons: pd.DataFrame, methods: Sequence[str]
) -> Figure:
    """A forest plot for each measure, best by the first measure at the K of most methods on top.

    The bars beside it join methods of which no two differ significantly at that K; a dot
    marks who belongs to a bar.

    Args:
        estimates, comparisons: the tables of `estimates.py` and `comparisons.py`.
    """
    ks, main = methods_ks(estimates), main_k(estimates)
    order = ranked(estimates, main)[::-1]  # from the bottom
    height = 1.4 + 0.32 * len(order) + 0.12 * len(ks)
    figure, shown = panels(estimates["measure"], height=height, sharey=True)
    for ax, measure in shown:
        rows = estimates[(estimates["measure"] == measure.name) & estimates["excess"].notna()]
        forest(
            ax,
            [
                {
                    "y": order.index(row["method"]) + beside(ks, row["k"]),
                    "value": row["excess"],
                    "low": row["excess_low"],
                    "high": row["excess_high"],
                    "method": row["method"],
                    "filled": row["k"] == main,
                }
                for row in records(rows)
            ],
            methods,
        )
        same = comparisons[(comparisons["measure"] == measure.name) & (comparisons["k"] == main)]
        _draw_groups(ax, indistinguishable(same, order), order)
        ax.axvline(0, color=GREY, linestyle="--", linewidth=1)
        ax.set_yticks(range(len(order)), order)
        ax.set_ylim(-0.6, len(order) - 0.4)
        ax.set_xlabel("excess over random removal")
        bare(ax)
    if len(ks) > 1:
        sizes = ", ".join(f"K = {k:,} {'filled' if k == main else 'open'}" for k in ks)
        where = f" at K = {main:,}"
    else:
        sizes, where = f"K = {main:,}", ""
    bars = "Methods with a dot on the same grey bar cannot be told apart"
    figure.suptitle(f"{sizes}; 95 % intervals. {bars}{where}", fontsize=9)
    return figure


def _draw_groups(ax: Axes, groups: Sequence[Sequence[str]], order: Sequence[str]) -> None:
    """Bars right of the panel, each along the methods of one group."""
    groups = [group for group in groups if len(group) > 1]
    for number, group in enumerate(groups):
        x = 1.03 + 0.035 * number
        y = [order.index(name) for name in group]
        ax.plot(
            [x] * len(y),
            y,
            color="#999999",
            linewidth=2,
            marker="o",
            markersize=3.5,
            transform=ax.get_yaxis_transform(),
            clip_on=False,
        )
