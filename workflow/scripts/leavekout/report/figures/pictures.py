"""Grids of pictures: what methods name, and what the models without them generate."""

from collections.abc import Collection, Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure


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
    lines = max(len(pictures) for pictures in models.values())
    figure, axes = _grid(lines, len(models) + 1)
    for line in range(lines):
        _show(axes[line, 0], query if line == 0 else None, "generated\n" if line == 0 else "")
        for column, (name, pictures) in enumerate(models.items(), start=1):
            shown = list(pictures.items())
            label, image = shown[line] if line < len(shown) else ("", None)
            _show(axes[line, column], image, f"{name}\n{label}" if line == 0 else label)
    figure.suptitle(f"“{prompt}”", fontsize=10, parse_math=False)
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


def _frame(ax: Axes) -> None:
    for spine in ax.spines.values():
        spine.set(visible=True, color="#D55E00", linewidth=3)
