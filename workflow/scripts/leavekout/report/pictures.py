"""Grids of pictures: images that methods select, and what models without them generate."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leavekout.report.collect import Ranked
from leavekout.report.text import wrapped

_LETTERS = 10  # of a title, for each inch of a figure's width


def draw_attributed(
    query: np.ndarray,
    prompt: str,
    ranked: Mapping[str, Ranked],
    pixels: np.ndarray,
    framed: Collection[int] = (),
    note: str = "",
) -> Figure:
    """A generated picture, and the top images of each method in a row.

    Args:
        query: uint8 [H, W, 3]; ranked: method → the best images;
        pixels: uint8 [N, H, W, 3]; framed: rows whose pictures get a frame, which `note` explains.
    """
    top = max(len(best.rows) for best in ranked.values())
    figure, axes = _grid(len(ranked), top + 1)
    for line, (method, (rows, _)) in enumerate(ranked.items()):
        _show(axes[line, 0], query if line == 0 else None, "generated" if line == 0 else "")
        for column, ax in enumerate(axes[line, 1:]):
            present = column < len(rows)
            _show(
                ax, pixels[rows[column]] if present else None, f"{column + 1}" if line == 0 else ""
            )
            if present and rows[column] in framed:
                for spine in ax.spines.values():
                    spine.set(visible=True, color="#D55E00", linewidth=3)
        axes[line, 1].set_ylabel(method, fontsize=9)
    _title(figure, prompt, note)
    return figure


@dataclass(frozen=True)
class Idea:
    """One query of `draw_idea`: pictures uint8 [H, W, 3], and `named` [top, H, W, 3]."""

    prompt: str
    generated: np.ndarray
    named: np.ndarray
    without_named: np.ndarray
    without_random: np.ndarray


def draw_idea(ideas: Sequence[Idea], method: str, k: int) -> Figure:
    """What a leave-K-out study does, for a few queries, a row each.

    A row shows the prompt, the generated picture, the first of the K images that a method selects,
    what a model without them generates from the same prompt and noise, and what a model without K
    random images generates.
    """
    top = len(ideas[0].named)
    figure = plt.figure(figsize=(1.0 * (top + 4) + 1.6, 1.08 * len(ideas) + 0.55))
    widths = [1, 1, 0.35, *[1] * top, 0.35, 1, 0.15, 1]
    grid = figure.add_gridspec(
        len(ideas), len(widths), width_ratios=widths, wspace=0.06, hspace=0.1
    )
    first, last = 3, 3 + top
    for line, idea in enumerate(ideas):
        _write(figure.add_subplot(grid[line, 0]), wrapped(idea.prompt, 14, 6), fontsize=8)
        columns = {1: idea.generated, last + 1: idea.without_named, last + 3: idea.without_random}
        columns |= dict(enumerate(idea.named, start=first))
        for column, image in columns.items():
            _show(figure.add_subplot(grid[line, column]), image, "")
        for column in (2, last):
            _write(figure.add_subplot(grid[line, column]), "→", fontsize=16)
    removed = f"removed: the {k:,} training images that {method} selects (the first {top})"
    for start, stop, title in (
        (0, 1, "prompt"),
        (1, 2, "generated"),
        (first, last, removed),
        (last + 1, last + 2, "retrained\nwithout them"),
        (last + 3, last + 4, f"without {k:,}\nrandom ones"),
    ):
        heading = figure.add_subplot(grid[0, start:stop])
        heading.set_axis_off()
        heading.set_title(title, fontsize=9)
    return figure


def draw_filmstrip(
    prompt: str, generated: np.ndarray, lines: Mapping[str, Mapping[int, np.ndarray]]
) -> Figure:
    """One query as more and more images are removed, a line for each way to choose them.

    Args:
        generated: uint8 [H, W, 3]; lines: name → K → what a model without K images generates.
    """
    ks = sorted({k for pictures in lines.values() for k in pictures})
    figure, axes = plt.subplots(
        len(lines),
        len(ks) + 1,
        figsize=(1.3 * (len(ks) + 1) + 1.4, 1.35 * len(lines) + 0.7),
        squeeze=False,
        layout="constrained",
    )
    for number, (name, pictures) in enumerate(lines.items()):
        first, line = number == 0, axes[number]
        _show(line[0], generated, "nothing removed" if first else "")
        line[0].set_ylabel(wrapped(name, 16, 3), fontsize=9, rotation=0, ha="right", va="center")
        for ax, k in zip(line[1:], ks, strict=True):
            _show(ax, pictures.get(k), f"K = {k:,}" if first else "")
    _title(figure, prompt)
    return figure


@dataclass(frozen=True)
class Compared:
    """One query of `draw_compared`.

    Args:
        generated: uint8 [H, W, 3]; named: method → the pictures of its best images, best first.
    """

    prompt: str
    generated: np.ndarray
    named: Mapping[str, np.ndarray]


def draw_compared(queries: Sequence[Compared]) -> Figure:
    """For each query its picture, and beside it the best images of each method in a line."""
    lines = [(query, method) for query in queries for method in query.named]
    top = max(len(query.named[method]) for query, method in lines)
    figure, axes = plt.subplots(
        len(lines),
        top + 1,
        figsize=(0.62 * (top + 1) + 1.4, 0.62 * len(lines) + 0.4),
        squeeze=False,
        layout="constrained",
    )
    for line, (query, method) in zip(axes, lines, strict=True):
        first = method == next(iter(query.named))
        title = wrapped(query.prompt, 24, 2) if first else ""
        _show(line[0], query.generated if first else None, "")
        line[0].set_title(title, fontsize=7, loc="left", parse_math=False)
        for column, ax in enumerate(line[1:]):
            named = query.named[method]
            _show(ax, named[column] if column < len(named) else None, "")
        line[1].set_ylabel(method, fontsize=8, rotation=0, ha="right", va="center")
    return figure


def _grid(lines: int, columns: int) -> tuple[Figure, np.ndarray]:
    return plt.subplots(
        lines,
        columns,
        figsize=(1.05 * columns + 0.6, 1.2 * lines + 0.4),
        squeeze=False,
        layout="constrained",
    )


def _title(figure: Figure, prompt: str, note: str = "") -> None:
    """The prompt, in two lines of the figure's width at most, above a note."""
    text = f"“{wrapped(prompt, int(_LETTERS * figure.get_figwidth()), 2)}”"
    figure.suptitle(f"{text}\n{note}" if note else text, fontsize=10, parse_math=False)


def _write(ax: Axes, text: str, *, fontsize: int) -> None:
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", fontsize=fontsize, parse_math=False)


def _show(ax: Axes, image: np.ndarray | None, title: str) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=8)
    if image is not None:
        ax.imshow(image, interpolation="nearest")
