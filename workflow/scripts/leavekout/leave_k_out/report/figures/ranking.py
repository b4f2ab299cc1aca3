"""Each method's excess over random removal, and which methods are not significantly different."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leavekout.contract.removal import TOPIC
from leavekout.leave_k_out.report.figures.layout import Interval, beside, forest, panels, sizes
from leavekout.leave_k_out.report.headline import has_topics, main_k, methods_ks, ranked
from leavekout.leave_k_out.statistics.comparisons import indistinguishable
from leavekout.leave_k_out.statistics.measurements import rows_of
from leavekout.report.style import GREY, bare
from leavekout.report.text import records


def plot_ranking(
    estimates: pd.DataFrame, comparisons: pd.DataFrame, methods: Sequence[str]
) -> Figure:
    """A forest plot for each measure, best by the first measure at the K of most methods on top.

    Each bar beside it joins methods of which no two are significantly different at that K. Dots
    mark the members of a bar. A dotted line shows the excess of topic removal at that K.

    Args:
        estimates, comparisons: the tables of `estimates.py` and `comparisons.py`.
    """
    ks, main = methods_ks(estimates), main_k(estimates)
    order = ranked(estimates, main)[::-1]  # from the bottom
    height = 1.4 + 0.32 * len(order) + 0.12 * len(ks)
    figure, shown = panels(estimates["measure"], height=height, sharey=True)
    for ax, measure in shown:
        intervals = [
            Interval(
                row["method"],
                row["excess"],
                row["excess_low"],
                row["excess_high"],
                y=order.index(row["method"]) + beside(ks, row["k"]),
                filled=row["k"] == main,
            )
            for row in records(rows_of(estimates, measure).dropna(subset="excess"))
            if row["method"] in methods
        ]
        forest(ax, intervals, methods, order)
        _draw_groups(ax, indistinguishable(rows_of(comparisons, measure, main), order), order)
        ax.axvline(0, color=GREY, linestyle="--", linewidth=1)
        for row in records(rows_of(estimates, measure, main)):
            if row["method"] == TOPIC:
                ax.axvline(row["excess"], color=GREY, linestyle=":", linewidth=1.5)
        ax.set_xlabel("excess over random removal")
        bare(ax)
    several = len(ks) > 1
    with_topics = has_topics(estimates[estimates["k"] == main])
    dotted = "; dotted: topic removal" if with_topics else ""
    bars = "Methods with a dot on the same grey bar are not significantly different"
    figure.suptitle(
        f"{sizes(ks, main) if several else f'K = {main:,}'}; 95 % intervals{dotted}. {bars}"
        f"{f' at K = {main:,}' if several else ''}",
        fontsize=9,
    )
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
