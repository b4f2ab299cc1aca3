"""Where along the diffusion process ΔL comes from: excesses by thirds of the timesteps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from leavekout.leave_k_out.measures.delta_loss import MEASURE as DELTA_LOSS
from leavekout.leave_k_out.measures.delta_loss import loss_changes
from leavekout.leave_k_out.measures.measuring import measure_outcomes
from leavekout.leave_k_out.statistics.arms import arms_of
from leavekout.leave_k_out.statistics.estimates import rows_of_methods
from leavekout.leave_k_out.statistics.measurements import tabulate

if TYPE_CHECKING:
    from leavekout.contract.outcome import Outcome

PARTS = 3
_COLUMNS = ("excess", "excess_low", "excess_high", "excess_error")


def timesteps_table(
    paths: Sequence[Path],
    source: "Outcome",
    clusters: Mapping[str, str],
    *,
    stride: int,
) -> pd.DataFrame:
    """One row for each K, method and third of the timesteps, the least noisy third first.

    Columns: `first` and `last` timestep; `share` of the source model's loss on the queries that the
    third has; the excess of ΔL over these timesteps alone, as in `estimates.py`. The mean of the
    thirds, weighted by their number of timesteps, is the excess of ΔL.

    Args:
        paths: outcomes of methods and of random sets; source: the source model's, on all queries.
        clusters: of each query; stride: from one evaluated timestep to the next.
    """
    parts = np.array_split(np.arange(source.losses.shape[1]), PARTS)
    parts = [part for part in parts if len(part)]
    measures = [
        replace(DELTA_LOSS, name=f"{DELTA_LOSS.name}_{n}", values=partial(_changes, part))
        for n, part in enumerate(parts)
    ]
    measured = tabulate([measure_outcomes(paths, source, measures, {}, set(clusters))], clusters)
    losses = source.select(sorted(clusters)).losses.sum(axis=0)
    rows = []
    for measure, part in zip(measures, parts, strict=True):
        of_part = {
            "first": stride * part[0],
            "last": stride * part[-1],
            "share": losses[part].sum() / losses.sum(),
        }
        rows += [
            {"k": row["k"], "method": row["method"], **of_part, **{n: row[n] for n in _COLUMNS}}
            for row in rows_of_methods(arms_of(measured, measure), measure)
        ]
    return pd.DataFrame(rows, columns=["k", "method", "first", "last", "share", *_COLUMNS])


def _changes(part: np.ndarray, outcome: "Outcome", source: "Outcome", _: object) -> np.ndarray:
    """ΔL over some of the timesteps: [Q]."""
    return loss_changes(
        replace(outcome, losses=outcome.losses[:, part]),
        replace(source, losses=source.losses[:, part]),
    )
