"""Does the cheap proxy agree with the gold standard? LDS beside the leave-K-out excess."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from leavekout.leave_k_out.report.figures.layout import (
    axis_of_excess,
    excesses,
    row_of_panels,
    say_instead,
)
from leavekout.leave_k_out.report.headline import primary
from leavekout.leave_k_out.statistics.lds import agreements
from leavekout.report.style import GREY, bare, style
from leavekout.report.text import records


def plot_agreement(lds: pd.DataFrame, estimates: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """For each size of random sets a panel: linear datamodeling score against the excess."""
    direction, excess = primary(estimates).direction, excesses(estimates)
    ks = sorted(lds["k"].unique())
    figure, axes = row_of_panels(len(ks), 3.9, (1.6, 4.0))
    if not ks:
        say_instead(axes[0], "too few random models")
    effects = {method: direction * interval.value for method, interval in excess.items()}
    found_agreements = list(agreements(lds, effects))
    for ax, size in zip(axes, ks, strict=False):
        scores = {row["method"]: row for row in records(lds[lds["k"] == size])}
        for number, method in enumerate(methods):
            if method not in scores or method not in excess:
                continue
            x, y = scores[method], excess[method]
            color, marker = style(number)
            ax.errorbar(
                x["lds"],
                y.value,
                color=color,
                marker=marker,
                label=method,
                xerr=[[x["lds"] - x["low"]], [x["high"] - x["lds"]]],
                yerr=[[y.value - y.low], [y.high - y.value]],
                capsize=2,
                linewidth=0.8,
            )
        agreeing = "".join(
            f"\n{name} "
            + f"{found.rho:.2f} ({found.low:.2f} to {found.high:.2f})".replace("-", "−")
            + f", p = {found.p:.2g}"
            for k, name, found in found_agreements
            if k == size
        )
        models = next(iter(scores.values()))["n_models"]
        title = f"from {models} models without {size:,} random images"
        of_methods = f"{title}\nrank correlation of methods:{agreeing}" if agreeing else title
        ax.set_title(of_methods, fontsize=9)
        ax.axvline(0, color=GREY, linestyle="--", linewidth=1)
        ax.set_xlabel("linear datamodeling score")
        bare(ax)
    axes[0].set_ylabel(axis_of_excess(estimates))
    handles, labels = axes[0].get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    return figure
