"""Prompts: which captions become queries, and which are related to them."""

import re
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
    subjects: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Draws a prompt and a noise seed for each query: columns query, prompt, noise_seed.

    Prompts are drawn without replacement: test queries from the front of a random order, tuning
    queries from its back, and the teacher's queries before those. More queries therefore never turn
    a tuning prompt into a test prompt. The noise seed also keys all later draws of the query.

    Args:
        subjects: phrases of each subject, with `|` between. If given, prompts of test queries are
            the first of which each names a subject that none before it names; the same holds of
            tuning queries.

    Raises:
        InputError: there are too few prompts.
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
    backwards = ranked[::-1]
    if subjects is None:
        order = ranked[: len(test)] + backwards[: len(tuning) + len(teacher)]
    else:
        first = _of_distinct_subjects(ranked, prompts, subjects, len(test))
        last = _of_distinct_subjects(backwards, prompts, subjects, len(tuning))
        others = [i for i in backwards if i not in last][: len(teacher)]
        order = [*first, *last, *others]
        if {*first} & {*last, *others}:
            raise InputError(
                "queries: there are too few prompts that name the 'subjects' for test, tuning and "
                "teacher queries of their own; lower their numbers."
            )
    return pd.DataFrame(
        {
            "query": [*test, *tuning, *teacher],
            "prompt": [prompts[i] for i in order],
            "noise_seed": [int(drawn[1][i]) for i in order],
        }
    )


def _of_distinct_subjects(
    order: Sequence[int], prompts: Sequence[str], subjects: Sequence[str], count: int
) -> list[int]:
    """The first `count` prompts of an order that each name a subject none before them names."""
    patterns = {phrases: pattern_of(phrases) for phrases in subjects}
    taken: set[str] = set()
    found: list[int] = []
    for i in order:
        if len(found) == count:
            break
        named = {name for name, pattern in patterns.items() if pattern.search(prompts[i])}
        if named and not named & taken:
            taken |= named
            found.append(i)
    if len(found) < count:
        raise InputError(
            f"queries: only {len(found)} prompts name different 'subjects', and {count} queries "
            "need as many; name more subjects, or lower the number of queries."
        )
    return found


def pattern_of(phrases: str) -> re.Pattern[str]:
    """Finds one of the phrases, which have `|` between, as whole words in any case."""
    any_of = "|".join(map(re.escape, phrases.split("|")))
    return re.compile(rf"(?<!\w)(?:{any_of})(?!\w)", re.IGNORECASE)


def require_apart(teacher: pd.DataFrame, queries: pd.DataFrame) -> None:
    """Raises InputError if a teacher query has the prompt of a test or tuning query."""
    common = sorted(set(teacher["prompt"]) & set(queries["prompt"]))
    if common:
        raise InputError(
            f"queries: {len(common)} of the {len(teacher)} teacher queries have the prompt of a "
            f"test or tuning query, the first '{common[0]}'; lower 'queries.teacher' or "
            "'queries.test'."
        )
