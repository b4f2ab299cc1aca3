"""Measures outcomes: one tidy table for all models of a method or a control."""

import hashlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import numpy as np
import pandas as pd

from leavekout.base.errors import InputError
from leavekout.contract.outcome import Outcome
from leavekout.contract.removal import Removal
from leavekout.leave_k_out.measures.measure import Encoder, Measure

COLUMNS = (
    *("policy", "method", "k", "training_seed", "number", "targets", "removed"),
    *("query", "role", "measure", "value", "evaluation_error"),
)


def measure_outcomes(
    paths: Sequence[Path],
    source: Outcome,
    measures: Sequence[Measure],
    encoders: Mapping[str, Encoder],
    queries: AbstractSet[str],
) -> pd.DataFrame:
    """One row for each model, query and measure, with the columns of `COLUMNS`.

    Args:
        source: the source model's outcome on all queries.
        encoders: by name, those that the measures need.
        queries: the queries that are measured.

    Raises:
        InputError: a value is not a finite number; names the file.
    """
    cached = {name: _cached(encoder) for name, encoder in encoders.items()}
    rows = []
    for path in paths:
        outcome = Outcome.load(path)
        removal = Removal.from_dict(outcome.about)
        arm = (
            removal.policy,
            removal.method,
            removal.k,
            removal.training_seed,
            removal.number,
            "+".join(removal.targets),
            len(outcome.removed),
        )
        # All queries of one role are encoded together, even if some are not measured: in another
        # batch, the last digits of their features would differ.
        for role, names in _by_role(removal, outcome).items():
            if queries.isdisjoint(names):
                continue
            after, before = outcome.select(names), source.select(names)
            for measure in measures:
                encoder = cached[measure.encoder] if measure.encoder else None
                values = measure.values(after, before, encoder)
                errors = measure.errors(after, before) if measure.errors else np.zeros(len(values))
                for query, value, error in zip(names, values, errors, strict=True):
                    if not np.isfinite(value):
                        raise InputError(
                            f"{path}: {measure.name} of query {query} is {value}, so the model is "
                            "broken; delete the file to make it again."
                        )
                    if query in queries:
                        rows.append((*arm, query, role, measure.name, float(value), float(error)))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"number": "Int64"})


def _by_role(removal: Removal, outcome: Outcome) -> dict[str, list[str]]:
    """The outcome's queries of each role."""
    names: dict[str, list[str]] = {}
    for name in outcome.queries:
        names.setdefault(removal.roles[name], []).append(name)
    return names


def _cached(encoder: Encoder) -> Encoder:
    """The encoder with a cache, because many outcomes are compared with the same pictures."""
    seen: dict[bytes, np.ndarray] = {}

    def encode(pictures: np.ndarray) -> np.ndarray:
        key = hashlib.sha256(pictures.tobytes()).digest()
        if key not in seen:
            seen[key] = encoder(pictures)
        return seen[key]

    return encode
