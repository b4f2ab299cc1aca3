"""Random equivalents: how many random images it takes for what a method's K do."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from leavekout.leave_k_out.report.figures.layout import beside, forest, panels
from leavekout.leave_k_out.report.headline import main_k, methods_ks, ranked
from leavekout.report.style import GREY, bare
from leavekout.report.text import records


def plot_equivalents(
    equivalents: pd.DataFrame, estimates: pd.DataFrame, methods: Sequence[str]
) -> Figure:
    """A forest plot for each measure; arrows lead beyond the end of the random curve."""
    ks, main = methods_ks(estimates), main_k(estimates)
    order = ranked(estimates, main)[::-1]
    controls = estimates[(estimates["method"] == "random")]
    end = int(controls["k"].max()) if len(controls) else 1
    height = 1.4 + 0.32 * len(order) + 0.12 * len(ks)
    figure, shown = panels(estimates["measure"], height=height, sharey=True)
    for ax, measure in shown:
        lines = []
        for row in records(equivalents[equivalents["measure"] == measure.name]):
            y = order.index(row["method"]) + beside(ks, row["k"])
            known = pd.notna(row["low"])
            lines.append(
                {
                    "y": y,
                    "value": row["equivalent"],
                    "method": row["method"],
                    "low": row["low"] if known else row["equivalent"],
                    "high": row["high"] if known else row["equivalent"],
                    "filled": row["k"] == main,
                }
            )
            if row["high_censored"] or row["equivalent_censored"]:
                ax.annotate(
                    "",
                    (end * 1.09, y),
                    (end, y),
                    annotation_clip=False,
                    arrowprops={"arrowstyle": "->", "color": GREY},
                )
        forest(ax, lines, methods)
        for k in ks:
            ax.axvline(k, color=GREY, linestyle="--", linewidth=1)
        ax.axvline(end, color="#AAAAAA", linewidth=1)
        ax.set_xlim(0, end * 1.1)
        ax.set_yticks(range(len(order)), order)
        ax.set_ylim(-0.6, len(order) - 0.4)
        ax.set_xlabel("random images with the same effect")
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        bare(ax)
    sizes = ", ".join(f"K = {k:,} {'filled' if k == main else 'open'}" for k in ks)
    figure.suptitle(
        f"{sizes} (dashed); the random curve ends at {end:,}, arrows lead beyond; 95 % intervals",
        fontsize=9,
    )
    return figure
