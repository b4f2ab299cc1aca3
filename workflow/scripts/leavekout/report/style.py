"""What all figures share: colours, markers, and how a figure is written."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leavekout.base.artifacts import atomic

# The palette of Okabe and Ito, whose colours differ for colour-blind readers, too.
_PALETTE = (
    *("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000"),
    *("#882255", "#44AA99", "#332288", "#999933"),  # Tol's muted palette, for longer lists
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#666666"
plt.rcParams["svg.hashsalt"] = "leave-K-out"  # the same data give the same bytes


def save(figure: Figure, paths: Sequence[Path]) -> None:
    """Writes a figure as PNG, PDF or SVG, as the file endings say, and closes it."""
    for path in paths:
        with atomic(path) as temporary, warnings.catch_warnings():
            # Letters that the font lacks are drawn as boxes.
            warnings.filterwarnings("ignore", r"(?s).*missing from font")
            warnings.filterwarnings("ignore", "Matplotlib currently does not support")
            kind = path.suffix.removeprefix(".")
            # No date in the file: the same data give the same bytes.
            metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
            figure.savefig(temporary, format=kind, dpi=160, bbox_inches="tight", metadata=metadata)
    plt.close(figure)


def style(number: int) -> tuple[str, str]:
    """Colour and marker of a method by its place in the configuration; each pair is unique."""
    lap = number // len(_PALETTE)
    return _PALETTE[number % len(_PALETTE)], _MARKERS[(number + lap) % len(_MARKERS)]


def bare(ax: Axes) -> None:
    """Removes the upper and the right side of the frame."""
    ax.spines[["top", "right"]].set_visible(False)
