"""Prompts: which captions become queries, and which are related to them."""

from collections.abc import Sequence

import pandas as pd
import torch

from leavekout.base.errors import InputError
from leavekout.base.noise import Domain, random_uint32


def choose_queries(
    test: Sequence[str],
    tuning: Sequence[str],
    prompts: Sequence[str],
    seed: int,
    *,
    teacher: Sequence[str] = (),
) -> pd.DataFrame:
    """Draws a prompt and a noise seed for each query: columns query, prompt, noise_seed.

    Prompts are drawn without replacement: test queries from the front of a random order, tuning
    queries from its back, and the teacher's queries before those. More queries therefore never turn
    a tuning prompt into a test prompt. The noise seed also keys all later draws of the query.
    """
    count = len(test) + len(tuning) + len(teacher)
    if count > len(prompts):
        raise InputError(
            f"queries: {count} queries (test, tuning and teacher) need as many prompts, but "
            f"'dataset.prompt_annotations' has {len(prompts)} distinct captions that are no "
            "training captions."
        )
    drawn = random_uint32(seed, Domain.PROMPTS, torch.arange(len(prompts)))
    ranked = torch.argsort(drawn[0], stable=True).tolist()
    order = ranked[: len(test)] + ranked[::-1][: len(tuning) + len(teacher)]
    return pd.DataFrame(
        {
            "query": [*test, *tuning, *teacher],
            "prompt": [prompts[i] for i in order],
            "noise_seed": [int(drawn[1][i]) for i in order],
        }
    )


def require_apart(teacher: pd.DataFrame, queries: pd.DataFrame) -> None:
    """Raises InputError if a teacher query has the prompt of a test or tuning query."""
    common = sorted(set(teacher["prompt"]) & set(queries["prompt"]))
    if common:
        raise InputError(
            f"queries: {len(common)} of the {len(teacher)} teacher queries have the prompt of a "
            f"test or tuning query, the first '{common[0]}'; lower 'queries.teacher' or "
            "'queries.test'."
        )
