"""Prompts: which captions become queries, and which are related to them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from leavekout.errors import InputError
from leavekout.noise import Domain, words

_PROMPTS_AT_ONCE = 1024


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
    queries from its back and a teacher's before them, so that asking for more queries never turns a
    tuning prompt into a test prompt. The noise seed also keys every later draw that belongs to the
    query.
    """
    count = len(test) + len(tuning) + len(teacher)
    if count > len(prompts):
        raise InputError(
            f"queries: {count} queries (test, tuning and teacher) need as many prompts, but "
            f"'dataset.prompt_annotations' has {len(prompts)} distinct captions that are no "
            "training captions."
        )
    drawn = words(seed, Domain.PROMPTS, torch.arange(len(prompts)))
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
    """Refuses a teacher's queries that have a prompt of the study's own; raises InputError."""
    common = sorted(set(teacher["prompt"]) & set(queries["prompt"]))
    if common:
        raise InputError(
            f"queries: {len(common)} of the {len(teacher)} teacher queries have the prompt of a "
            f"test or tuning query, the first '{common[0]}'; lower 'queries.teacher' or "
            "'queries.test'."
        )


def choose_related(
    queries: pd.DataFrame,
    prompts: Sequence[str],
    encode: Callable[[Sequence[str]], np.ndarray],
    *,
    names: Mapping[str, Sequence[str]],
    seed: int,
) -> pd.DataFrame:
    """The prompts nearest to each query's own: a table as `choose_queries` makes it.

    Related prompts are no query's prompt.

    Args:
        queries: by query name, with a column `prompt`.
        encode: B captions → features [B, D] of unit length; nearness is their cosine similarity.
        names: of each query's related prompts, as many for all.
    """
    own, related = queries["prompt"].tolist(), len(next(iter(names.values())))
    others = [prompt for prompt in prompts if prompt not in set(own)]
    if related > len(others):
        raise InputError(
            f"forgetting.related: {related} related prompts of each query are more than the "
            f"{len(others)} prompts that are no query's."
        )
    parts = range(0, len(others), _PROMPTS_AT_ONCE)
    features = np.concatenate([encode(others[i : i + _PROMPTS_AT_ONCE]) for i in parts])
    nearest = np.argsort(-(encode(own) @ features.T), axis=1, kind="stable")[:, :related]
    count = len(own) * related
    return pd.DataFrame(
        {
            "query": [name for query in queries.index for name in names[query]],
            "prompt": [others[i] for i in nearest.ravel()],
            "noise_seed": words(seed, Domain.PROMPTS, torch.arange(count), 1)[0].tolist(),
        }
    )
