"""Where ΔL comes from: each method's excess in each third of the timesteps."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from leavekout.leave_k_out.measures.delta_loss import MEASURE as DELTA_LOSS
from leavekout.leave_k_out.report.figures.layout import (
    Interval,
    forest,
    row_of_panels,
    say_instead,
)
from leavekout.leave_k_out.report.headline import main_k, ranked
from leavekout.report.style import GREY, bare
from leavekout.report.text import records


def plot_timesteps(
    timesteps: pd.DataFrame, estimates: pd.DataFrame, methods: Sequence[str]
) -> Figure:
    """A panel for each third, the least noisy first; methods as in the ranking.

    Args:
        timesteps: the table of `timesteps.timesteps_table`.
    """
    k = main_k(estimates)
    order = ranked(estimates, k)[::-1]  # from the bottom
    rows = timesteps[(timesteps["k"] == k) & timesteps["method"].isin(methods)]
    parts = rows.dropna(subset="excess").groupby(["first", "last"])
    figure, axes = row_of_panels(len(parts), 3.1, (1.6, 1.2 + 0.28 * len(order)))
    if not len(parts):
        say_instead(axes[0], "no random models of this K")
    for ax, ((first, last), part) in zip(axes, parts, strict=False):
        intervals = [
            Interval(
                row["method"],
                row["excess"] * DELTA_LOSS.scale,
                row["excess_low"] * DELTA_LOSS.scale,
                row["excess_high"] * DELTA_LOSS.scale,
                y=order.index(row["method"]),
            )
            for row in records(part)
        ]
        forest(ax, intervals, methods, order)
        ax.axvline(0, color=GREY, linestyle="--", linewidth=1)
        share = f"{100 * part['share'].iloc[0]:.0f} % of the source model's loss"
        ax.set_title(f"timesteps {first:,} to {last:,}\n{share}", fontsize=9)
        ax.set_xlabel(f"{DELTA_LOSS.heading}, excess")
        bare(ax)
    return figure
