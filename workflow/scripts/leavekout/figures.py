"""The figures: one message each, the same colour for a method everywhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leavekout.artifacts import atomic
from leavekout.tables import CONTROL, NO_REMOVAL

# Okabe and Ito's palette, which colour-blind readers can tell apart.
_PALETTE = (
    *("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000"),
    *("#882255", "#44AA99", "#332288", "#999933"),  # of Tol's muted palette, for longer lists
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_GREY = "#666666"
_PANELS = {
    "delta_loss": "ΔL  (higher: more forgotten)",
    "mse": "MSE  (higher: more changed)",
    "clip": "CLIP similarity  (lower: more changed)",
}


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG or PDF, by its ending."""
    with atomic(path) as temporary:
        kind = path.suffix.removeprefix(".")
        # No date in the file: the same data give the same bytes.
        metadata = {"CreationDate": None} if kind == "pdf" else None
        figure.savefig(temporary, format=kind, dpi=160, bbox_inches="tight", metadata=metadata)
    plt.close(figure)  # pyplot would keep it; saving it again still works


def plot_measures(summary: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """Each measure against K: the methods, the random curve, and the noise floor."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    for ax, (measure, label) in zip(axes, _PANELS.items(), strict=True):
        _draw_floor(ax, summary, measure)
        for name in [CONTROL, *methods]:
            rows = summary[summary["method"] == name].sort_values("k")
            number = methods.index(name) if name in methods else -1
            ax.errorbar(
                rows["k"],
                rows[measure],
                rows[f"{measure}_se"],
                label=name,
                color=_style(number)[0] if number >= 0 else _GREY,
                marker=_style(number)[1] if number >= 0 else ".",
                linestyle="-" if number >= 0 else "--",
                capsize=3,
            )
        ks = sorted(summary.loc[summary["method"] != NO_REMOVAL, "k"].unique())
        if len(ks) > 1 and ks[-1] / ks[0] > 5:
            ax.set_xscale("log")
        if len(ks) <= 6:
            ax.set_xticks(ks, [f"{k:,}" for k in ks])
            ax.minorticks_off()
        if len(ks) == 1:
            ax.set_xlim(ks[0] * 0.5, ks[0] * 1.5)
        ax.ticklabel_format(axis="y", useOffset=False)
        ax.set_xlabel("K, training images removed")
        ax.set_title(label, fontsize=10)
        ax.spines[["top", "right"]].set_visible(False)
    handles, labels = axes[0].get_legend_handles_labels()
    columns = min(len(labels), 7)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _style(number: int) -> tuple[str, str]:
    """Colour and marker of a method by its place in the configuration; no two are alike."""
    lap = number // len(_PALETTE)
    return _PALETTE[number % len(_PALETTE)], _MARKERS[(number + lap) % len(_MARKERS)]


def plot_ranking(paired: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """Each method against random removal of as many images, best by ΔL on top.

    Args:
        paired: the table of `tables.paired_table`; the largest K is drawn filled.
    """
    ks = sorted(paired["k"].unique())
    of_loss = paired[(paired["measure"] == "delta_loss") & (paired["k"] == ks[-1])]
    order = of_loss.sort_values("difference")["method"].tolist()
    height = 1.1 + 0.3 * len(order) + 0.12 * len(ks)
    figure, axes = plt.subplots(1, 3, figsize=(11, height), sharey=True, layout="constrained")
    for ax, (measure, label) in zip(axes, _PANELS.items(), strict=True):
        for step, k in enumerate(ks):
            rows = paired[(paired["measure"] == measure) & (paired["k"] == k)]
            for _, row in rows.iterrows():
                color, marker = _style(methods.index(row["method"]))
                middle = row["difference"]
                ax.errorbar(
                    middle,
                    order.index(row["method"]) + 0.22 * (step - (len(ks) - 1) / 2),
                    xerr=[[middle - row["low"]], [row["high"] - middle]],
                    color=color,
                    marker=marker,
                    markerfacecolor=color if k == ks[-1] else "white",
                    capsize=2,
                )
        ax.axvline(0, color=_GREY, linestyle="--", linewidth=1)
        ax.set_yticks(range(len(order)), order)
        ax.set_xlabel("difference to random removal")
        ax.set_title(label, fontsize=10)
        ax.spines[["top", "right"]].set_visible(False)
    sizes = ", ".join(f"K = {k:,} {'filled' if k == ks[-1] else 'open'}" for k in ks)
    figure.suptitle(f"{sizes}; 95 % intervals over queries", fontsize=9)
    return figure


def _draw_floor(ax: Axes, summary: pd.DataFrame, measure: str) -> None:
    """A band at what training again with another seed does while removing nothing.

    Those trainings share nothing with the source model's; all others are paired with it.
    """
    floor = summary[summary["method"] == NO_REMOVAL]
    if floor.empty:
        return
    mean, error = float(floor[measure].iloc[0]), float(floor[f"{measure}_se"].iloc[0])
    ax.axhline(mean, color="#AAAAAA", linewidth=1, zorder=0, label="no removal, another seed")
    if np.isfinite(error):
        ax.axhspan(mean - error, mean + error, color="#DDDDDD", zorder=-1)


def draw_attributed(
    query: np.ndarray, prompt: str, ranked: Mapping[str, np.ndarray], pixels: np.ndarray
) -> Figure:
    """A generated picture, and the top images of each method in a row.

    Args:
        query: uint8 [H, W, 3]; ranked: rows of the best images, best first, for each method;
        pixels: uint8 [N, H, W, 3].
    """
    top = max(len(rows) for rows in ranked.values())
    figure, axes = _grid(len(ranked), top + 1)
    for line, (method, rows) in enumerate(ranked.items()):
        _show(axes[line, 0], query if line == 0 else None, "generated" if line == 0 else "")
        for column in range(top):
            found = column < len(rows)
            image = pixels[rows[column]] if found else None
            _show(axes[line, column + 1], image, f"{column + 1}" if line == 0 else "")
        axes[line, 1].set_ylabel(method, fontsize=9)
    figure.suptitle(f"“{prompt}”", fontsize=10)
    return figure


def draw_regenerated(
    query: np.ndarray, prompt: str, models: Mapping[str, Mapping[str, np.ndarray]]
) -> Figure:
    """A generated picture, and what each retrained model makes of its prompt and noise.

    Args:
        query: uint8 [H, W, 3]; models: for each column of the figure, its pictures by label.
    """
    lines = max(len(pictures) for pictures in models.values())
    figure, axes = _grid(lines, len(models) + 1)
    for line in range(lines):
        _show(axes[line, 0], query if line == 0 else None, "generated\n" if line == 0 else "")
        for column, (name, pictures) in enumerate(models.items(), start=1):
            shown = list(pictures.items())
            label, image = shown[line] if line < len(shown) else ("", None)
            _show(axes[line, column], image, f"{name}\n{label}" if line == 0 else label)
    figure.suptitle(f"“{prompt}”", fontsize=10)
    return figure


def _grid(lines: int, columns: int) -> tuple[Figure, np.ndarray]:
    return plt.subplots(
        lines,
        columns,
        figsize=(1.05 * columns + 0.6, 1.2 * lines + 0.4),
        squeeze=False,
        layout="constrained",
    )


def _show(ax: Axes, image: np.ndarray | None, title: str) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    if image is not None:
        ax.imshow(image, interpolation="nearest")
        ax.set_title(title, fontsize=8)
