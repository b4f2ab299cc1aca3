"""Does the cheap proxy agree with the gold standard? LDS beside the leave-K-out excess."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from leavekout.leave_k_out.report.headline import main_k, primary
from leavekout.leave_k_out.statistics.lds import agreement
from leavekout.report.style import GREY, bare, style
from leavekout.report.text import records


def plot_agreement(lds: pd.DataFrame, estimates: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """For each size of random sets a panel: linear datamodeling score against the excess."""
    ks = sorted(lds["k"].unique())
    k = main_k(estimates)
    measure = primary(estimates)
    rows = estimates[(estimates["measure"] == measure.name) & (estimates["k"] == k)]
    excess = {row["method"]: row for row in records(rows[rows["excess"].notna()])}
    scale = measure.scale
    figure, axes = plt.subplots(
        1,
        max(1, len(ks)),
        figsize=(1.6 + 3.9 * max(1, len(ks)), 3.8),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    if not ks:
        axes[0, 0].text(0.5, 0.5, "too few random models", ha="center", va="center")
        axes[0, 0].axis("off")
    for ax, size in zip(axes[0], ks, strict=False):
        scores = {row["method"]: row for row in records(lds[lds["k"] == size])}
        for number, method in enumerate(methods):
            if method not in scores or method not in excess:
                continue
            x, y = scores[method], excess[method]
            color, marker = style(number)
            ax.errorbar(
                x["lds"],
                scale * y["excess"],
                color=color,
                marker=marker,
                label=method,
                xerr=[[x["lds"] - x["low"]], [x["high"] - x["lds"]]],
                yerr=[
                    [scale * (y["excess"] - y["excess_low"])],
                    [scale * (y["excess_high"] - y["excess"])],
                ],
                capsize=2,
                linewidth=0.8,
            )
        rho, p = agreement(
            {method: row["lds"] for method, row in scores.items()},
            {method: measure.direction * row["excess"] for method, row in excess.items()},
        )
        rank = f"{rho:.2f}".replace("-", "−")
        said = "" if pd.isna(rho) else f"\nrank correlation of methods {rank}, p = {p:.2g}"
        models = next(iter(scores.values()))["n_models"]
        ax.set_title(f"from {models} models without {size:,} random images{said}", fontsize=9)
        ax.axvline(0, color=GREY, linestyle="--", linewidth=1)
        ax.set_xlabel("linear datamodeling score")
        bare(ax)
    axes[0, 0].set_ylabel(f"{measure.heading}, excess over random, K = {k:,}")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    return figure
