"""What the report shows of each query: pictures on a sheet, and the numbers of every cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leavekout.contract.removal import CONTROLS, NO_REMOVAL, RANDOM
from leavekout.leave_k_out.measures.measure import Measure
from leavekout.report.collect import Ranked, Regenerated
from leavekout.report.sheets import Sheet, sheet
from leavekout.report.text import rounded


@dataclass(frozen=True)
class Layout:
    """Where a picture is on the sheet of every query.

    The first line holds the query itself and the picture of another training seed. Each arm has a
    line: first the images that it removes, then the model's picture for each K.

    Args:
        arms: methods and controls; top: images shown of each; ks: ascending.
    """

    arms: Sequence[str]
    top: int
    ks: Sequence[int]

    @property
    def lines(self) -> int:
        """Lines of a sheet."""
        return 1 + len(self.arms)

    @property
    def columns(self) -> int:
        """Columns of a sheet."""
        return max(2, self.top + len(self.ks))

    def place(self, arm: str, k: int) -> tuple[int, int]:
        """Line and column of the picture of an arm's model."""
        return (0, 1) if arm == NO_REMOVAL else (1 + self.arms.index(arm), self.column(k))

    def column(self, k: int) -> int:
        """The column of pictures of models without K images."""
        return self.top + self.ks.index(k)

    def draw(
        self,
        query: np.ndarray,
        ranked: Mapping[str, Ranked],
        models: Sequence[Regenerated],
        pixels: np.ndarray,
    ) -> Sheet:
        """The sheet of a query: uint8 [H, W, 3], with training images uint8 [N, H, W, 3]."""
        pictures = {(0, 0): query}
        for arm, best in ranked.items():
            line = 1 + self.arms.index(arm)
            pictures |= {(line, column): pixels[row] for column, row in enumerate(best.rows)}
        pictures |= {self.place(model.method, model.k): model.picture for model in models}
        return sheet(pictures, self.lines, self.columns)


class Values:
    """The measured values of a study by cell, from its table of measurements."""

    def __init__(self, measurements: pd.DataFrame) -> None:
        keys = ["measure", "k", "method", "query"]
        self._of = {
            key: rows.to_numpy(np.float64)
            for key, rows in measurements.groupby(keys, sort=False)["value"]
        }

    def of(self, measure: Measure, k: int, arm: str, query: str) -> np.ndarray:
        """The values of all models of an arm on a query; empty if there are none."""
        return self._of.get((measure.name, k, arm, query), np.empty(0))

    def excess(self, measure: Measure, k: int, arm: str, query: str) -> float:
        """How much more a method's removal does than random ones on average; NaN if unknown."""
        own, random = (self.of(measure, k, one, query) for one in (arm, RANDOM))
        return float(own.mean() - random.mean()) if len(own) and len(random) else np.nan


@dataclass(frozen=True)
class Number:
    """One cell as text: its value, its excess over random removal, and how many it beats."""

    value: str = ""
    excess: str = ""
    beaten: str = ""
    fails: bool = False


@dataclass(frozen=True)
class Line:
    """One arm of a query: the images it removed, as tooltips, and a number for each choice.

    Its pictures are on one line of the sheet: the column of each K is in `pictures`.
    """

    arm: str
    line: int
    pictures: Mapping[int, int]
    removed: Sequence[str]
    numbers: Sequence[Number]


@dataclass(frozen=True)
class Pictures:
    """The queries of a report, and where their pictures are.

    Args:
        layout: of every query's sheet.
        addresses: of the sheet of each query, and of `queries`, which has all queries in a line.
        prompts: of each query that is shown.
        ranked: query → method → the best images; captions: of all training images.
    """

    layout: Layout
    addresses: Mapping[str, str]
    prompts: Mapping[str, str]
    ranked: Mapping[str, Mapping[str, Ranked]]
    captions: Sequence[str]

    def views(
        self, values: Values, choices: Sequence[tuple[Measure, int]]
    ) -> dict[str, list[Line]]:
        """query → a line for each method, the largest effect first, and for each control.

        Effects are those of the first of `choices`.
        """
        views = {}
        for query in self.prompts:
            lines = [self._line(query, arm, values, choices) for arm in self.layout.arms]
            lines.sort(key=lambda line: self._order(query, line.arm, values, choices))
            lines.append(self._line(query, NO_REMOVAL, values, choices))
            views[query] = [line for line in lines if line.pictures]
        return views

    def _order(
        self, query: str, arm: str, values: Values, choices: Sequence[tuple[Measure, int]]
    ) -> tuple[bool, float]:
        """Of two lines the lower comes first: controls last, before them methods without a cell."""
        measure, k = choices[0]
        own = values.of(measure, k, arm, query)
        return arm in CONTROLS, -measure.direction * own.mean() if len(own) else np.inf

    def _line(
        self, query: str, arm: str, values: Values, choices: Sequence[tuple[Measure, int]]
    ) -> Line:
        numbers = [_number(values, measure, k, arm, query) for measure, k in choices]
        ks = {k for number, (_, k) in zip(numbers, choices, strict=True) if number.value}
        places = {k: self.layout.place(arm, k) for k in self.layout.ks if k in ks}
        best = self.ranked[query].get(arm, Ranked(np.empty(0, int), np.empty(0)))
        removed = [
            f"{self.captions[row]} (rank {rank}, score {score:.4g})"
            for rank, (row, score) in enumerate(zip(best.rows, best.scores, strict=True), 1)
        ]
        line = min((line for line, _ in places.values()), default=0)
        return Line(arm, line, {k: column for k, (_, column) in places.items()}, removed, numbers)


def _number(values: Values, measure: Measure, k: int, arm: str, query: str) -> Number:
    own = measure.scale * values.of(measure, 0 if arm == NO_REMOVAL else k, arm, query)
    if not len(own):
        return Number()
    random = measure.scale * values.of(measure, k, RANDOM, query)
    error = max(abs(own.mean()) / 10, measure.scale * 1e-3)  # three digits
    value = rounded(own.mean(), error)
    if arm == RANDOM:
        beyond = own - own.mean()
        ends = f"{rounded(beyond.min(), error)} to {rounded(beyond.max(), error)}"
        return Number(value, f"{len(own)} models: {ends}" if len(own) > 1 else "")
    if not len(random):
        return Number(value)
    excess = own.mean() - random.mean()
    ahead = int((measure.direction * (own.mean() - random) > 0).sum())
    return Number(
        value,
        rounded(excess, error),
        f"beats {ahead} of {len(random)} random models",
        measure.direction * excess <= 0,
    )
