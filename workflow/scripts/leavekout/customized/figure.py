"""Object models against style models: how well each method finds the exemplars of both."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leavekout.customized.retrieval import MEASURES
from leavekout.report.style import bare, style
from leavekout.report.text import keyed

_KINDS = {"object": "object models", "style": "style models"}


def plot_retrieval(summary: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """A panel for each measure, a point for each method, ± 1 standard error over queries.

    This is the papers' figure with their error bars; tables have intervals over models.

    Args:
        summary: the table of `statistics.summary_table`.
    """
    found = keyed(summary, "kind", "measure", "method")
    figure, axes = plt.subplots(1, len(MEASURES), figsize=(10, 4.6), layout="constrained")
    for ax, (measure, label) in zip(axes, MEASURES.items(), strict=True):
        for number, method in enumerate(methods):
            _draw(ax, {kind: found.get((kind, measure, method)) for kind in _KINDS}, method, number)
        ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal", title=label)
        ax.set_xlabel(f"{label}, {_KINDS['object']}")
        ax.set_ylabel(f"{label}, {_KINDS['style']}")
        ax.plot([0, 1], [0, 1], color="#cccccc", linewidth=0.8, zorder=0)
        bare(ax)
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=9
    )
    return figure


def _draw(ax: Axes, rows: Mapping[str, Mapping | None], method: str, number: int) -> None:
    """A method's point; on the axis of one kind if there are models of that kind alone."""
    color, marker = style(number)
    values = {kind: (row["mean"], row["se"]) if row else (0.0, 0.0) for kind, row in rows.items()}
    (x, x_error), (y, y_error) = values["object"], values["style"]
    ax.errorbar(
        x,
        y,
        xerr=x_error,
        yerr=y_error,
        color=color,
        marker=marker,
        label=method,
        capsize=2,
        markersize=6,
        elinewidth=1,
        linestyle="",
    )
