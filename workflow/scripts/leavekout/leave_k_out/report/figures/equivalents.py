"""Random equivalents: how many random images have the effect of a method's K."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from leavekout.contract.removal import RANDOM
from leavekout.leave_k_out.report.figures.layout import Interval, beside, forest, panels, sizes
from leavekout.leave_k_out.report.headline import main_k, methods_ks, ranked
from leavekout.leave_k_out.statistics.measurements import rows_of
from leavekout.report.style import GREY, bare
from leavekout.report.text import records


def plot_equivalents(
    equivalents: pd.DataFrame, estimates: pd.DataFrame, methods: Sequence[str]
) -> Figure:
    """A forest plot for each measure; arrows point beyond the end of the random curve."""
    ks, main = methods_ks(estimates), main_k(estimates)
    order = ranked(estimates, main)[::-1]
    controls = estimates[estimates["method"] == RANDOM]
    end = int(controls["k"].max()) if len(controls) else 1
    height = 1.4 + 0.32 * len(order) + 0.12 * len(ks)
    figure, shown = panels(estimates["measure"], height=height, sharey=True)
    for ax, measure in shown:
        intervals = []
        for row in records(rows_of(equivalents, measure)):
            y = order.index(row["method"]) + beside(ks, row["k"])
            value, known = row["equivalent"], pd.notna(row["low"])
            low, high = (row["low"], row["high"]) if known else (value, value)
            intervals.append(Interval(row["method"], value, low, high, y, row["k"] == main))
            if row["high_censored"] or row["equivalent_censored"]:
                ax.annotate(
                    "",
                    (end * 1.09, y),
                    (end, y),
                    annotation_clip=False,
                    arrowprops={"arrowstyle": "->", "color": GREY},
                )
        forest(ax, intervals, methods, order)
        for k in ks:
            ax.axvline(k, color=GREY, linestyle="--", linewidth=1)
        ax.axvline(end, color="#AAAAAA", linewidth=1)
        ax.set_xlim(0, end * 1.1)
        ax.set_xlabel("random images with the same effect")
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        bare(ax)
    figure.suptitle(
        f"{sizes(ks, main)} (dashed); the random curve ends at {end:,}, arrows point beyond; "
        "95 % intervals",
        fontsize=9,
    )
    return figure
