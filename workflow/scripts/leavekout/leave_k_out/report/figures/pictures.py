"""Grids of pictures: what methods name, and what the models without them generate."""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leavekout.contract.removal import NO_REMOVAL


def draw_attributed(
    query: np.ndarray,
    prompt: str,
    ranked: Mapping[str, np.ndarray],
    pixels: np.ndarray,
    framed: Collection[int] = (),
    note: str = "",
) -> Figure:
    """A generated picture, and the top images of each method in a row.

    Args:
        query: uint8 [H, W, 3]; ranked: rows of the best images, best first, for each method;
        pixels: uint8 [N, H, W, 3]; framed: rows that stand out by a frame, which `note` explains.
    """
    top = max(len(rows) for rows in ranked.values())
    figure, axes = _grid(len(ranked), top + 1)
    for line, (method, rows) in enumerate(ranked.items()):
        _show(axes[line, 0], query if line == 0 else None, "generated" if line == 0 else "")
        for column in range(top):
            found = column < len(rows)
            image = pixels[rows[column]] if found else None
            ax = axes[line, column + 1]
            _show(ax, image, f"{column + 1}" if line == 0 else "")
            if found and rows[column] in framed:
                _frame(ax)
        axes[line, 1].set_ylabel(method, fontsize=9)
    title = f"“{prompt}”\n{note}" if note else f"“{prompt}”"
    figure.suptitle(title, fontsize=10, parse_math=False)
    return figure


def draw_regenerated(
    query: np.ndarray, prompt: str, models: Mapping[str, Mapping[str, np.ndarray]]
) -> Figure:
    """A generated picture, and what each retrained model makes of its prompt and noise.

    Args:
        query: uint8 [H, W, 3]; models: for each column of the figure, its pictures by label.
    """
    # A line for each K, so that neighbours lack as many images; other seeds fill their own column.
    removed = {name: pictures for name, pictures in models.items() if name != NO_REMOVAL}
    ks = list(dict.fromkeys(label for pictures in removed.values() for label in pictures))
    columns = {name: ks if name in removed else list(models[name]) for name in models}
    lines = max(map(len, columns.values()))
    figure, axes = _grid(lines, len(models) + 1)
    for line in range(lines):
        _show(axes[line, 0], query if line == 0 else None, "generated\n" if line == 0 else "")
        for column, (name, labels) in enumerate(columns.items(), start=1):
            label = labels[line] if line < len(labels) else ""
            image = models[name].get(label)
            shown = label if image is not None else ""
            _show(axes[line, column], image, f"{name}\n{shown}" if line == 0 else shown)
    figure.suptitle(f"“{prompt}”", fontsize=10, parse_math=False)
    return figure


@dataclass(frozen=True)
class Idea:
    """One query of `draw_idea`: pictures uint8 [H, W, 3], but for `named`, [top, H, W, 3]."""

    prompt: str
    generated: np.ndarray
    named: np.ndarray
    without_named: np.ndarray
    without_random: np.ndarray


def draw_idea(ideas: Sequence[Idea], method: str, k: int) -> Figure:
    """What a leave-K-out study does, for a few queries, a row each.

    The prompt; a picture generated from it; the first of the K images that a method names; what a
    model makes of the same prompt and noise that was trained without them; and one without as many
    random images.
    """
    top = len(ideas[0].named)
    figure = plt.figure(figsize=(1.0 * (top + 4) + 1.6, 1.08 * len(ideas) + 0.55))
    widths = [1, 1, 0.35, *[1] * top, 0.35, 1, 0.15, 1]
    grid = figure.add_gridspec(
        len(ideas), len(widths), width_ratios=widths, wspace=0.06, hspace=0.1
    )
    first, last = 3, 3 + top
    for line, idea in enumerate(ideas):
        _write(figure.add_subplot(grid[line, 0]), textwrap.fill(idea.prompt, 14), fontsize=8)
        columns = {1: idea.generated, last + 1: idea.without_named, last + 3: idea.without_random}
        columns |= dict(enumerate(idea.named, start=first))
        for column, image in columns.items():
            _show(figure.add_subplot(grid[line, column]), image, "")
        for column in (2, last):
            _write(figure.add_subplot(grid[line, column]), "→", fontsize=16)
    removed = f"removed: the {k:,} training images that {method} names (the first {top})"
    for start, stop, title in (
        (0, 1, "prompt"),
        (1, 2, "generated"),
        (first, last, removed),
        (last + 1, last + 2, "trained again\nwithout them"),
        (last + 3, last + 4, f"without {k:,}\nrandom ones"),
    ):
        heading = figure.add_subplot(grid[0, start:stop])
        heading.set_axis_off()
        heading.set_title(title, fontsize=9)
    return figure


def _grid(lines: int, columns: int) -> tuple[Figure, np.ndarray]:
    return plt.subplots(
        lines,
        columns,
        figsize=(1.05 * columns + 0.6, 1.2 * lines + 0.4),
        squeeze=False,
        layout="constrained",
    )


def _write(ax: Axes, text: str, *, fontsize: int) -> None:
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", fontsize=fontsize)


def _show(ax: Axes, image: np.ndarray | None, title: str) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=8)
    if image is not None:
        ax.imshow(image, interpolation="nearest")


def _frame(ax: Axes) -> None:
    for spine in ax.spines.values():
        spine.set(visible=True, color="#D55E00", linewidth=3)
