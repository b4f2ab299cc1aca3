"""The description of a measure, from which tables and figures take all that they show of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from leavekout.contract.outcome import Outcome

# uint8 [B, H, W, 3] → float32 [B, D]
Encoder = Callable[[np.ndarray], np.ndarray]
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@dataclass(frozen=True)
class Measure:
    """One measure of what a model without some images has lost on a query.

    Args:
        name: in the configuration and in tables.
        label: for people.
        meaning: one sentence for the data dictionary, without the name.
        direction: 1 if a good method raises it, -1 if it lowers it.
        unchanged: its value where the model is the source model.
        effect: what a value in this direction means, for axes: "more changed".
        values: (outcome, source's outcome on the same queries, encoder) → float64 [Q].
        range: the lowest and the highest possible value.
        exponent: people are shown the value times 10 to this power.
        encoder: the image encoder that it needs, one of `encoders`; None if it needs none.
        errors: (outcome, source's outcome) → standard errors [Q] of the values from a finite
            evaluation; None if two pictures are compared, which has no such error.
    """

    name: str
    label: str
    meaning: str
    direction: Literal[1, -1]
    unchanged: float
    effect: str
    values: "Callable[[Outcome, Outcome, Encoder | None], np.ndarray]"
    range: tuple[float, float] = (-np.inf, np.inf)
    exponent: int = 0
    encoder: str | None = None
    errors: "Callable[[Outcome, Outcome], np.ndarray] | None" = None

    def as_effect(self, values: np.ndarray) -> np.ndarray:
        """Values as effects: 0 if nothing is lost, and the more is lost, the higher."""
        return self.direction * (values - self.unchanged)

    @property
    def range_of_differences(self) -> tuple[float, float]:
        """The lowest and the highest possible difference of two values."""
        lowest, highest = self.range
        return lowest - highest, highest - lowest

    @property
    def scale(self) -> float:
        """The factor by which people are shown a value."""
        return 10**self.exponent

    @property
    def heading(self) -> str:
        """The label with its factor: `ΔL × 10³`."""
        factor = f" × 10{str(self.exponent).translate(_SUPERSCRIPTS)}" if self.exponent else ""
        return self.label + factor

    @property
    def axis(self) -> str:
        """The label with the direction of a good method, for figures."""
        return f"{self.label}  ({'higher' if self.direction > 0 else 'lower'}: {self.effect})"


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine similarity of the rows of [Q, D] and [Q, D], in float64: [Q]."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(axis=1) / np.sqrt(np.square(a).sum(axis=1) * np.square(b).sum(axis=1))
