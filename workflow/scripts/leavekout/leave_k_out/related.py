"""Prompts that are related to a query's own, for the forgetting check."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from leavekout.base.errors import InputError
from leavekout.base.noise import Domain, random_uint32
from leavekout.encoders.similarity import nearest

_PROMPTS_AT_ONCE = 1024


def choose_related(
    queries: pd.DataFrame,
    prompts: Sequence[str],
    encode: Callable[[Sequence[str]], np.ndarray],
    *,
    names: Mapping[str, Sequence[str]],
    seed: int,
) -> pd.DataFrame:
    """The prompts nearest to each query's own, without any query's prompt; as `choose_queries`.

    Args:
        queries: by query name, with a column `prompt`.
        encode: B captions → features [B, D], compared by cosine similarity.
        names: of each query's related prompts, equally many for all.

    Raises:
        InputError: there are too few prompts.
    """
    own, related = queries["prompt"].tolist(), len(next(iter(names.values())))
    others = [prompt for prompt in prompts if prompt not in set(own)]
    if related > len(others):
        raise InputError(
            f"forgetting.related: {related} related prompts for each query, but there are only "
            f"{len(others)} prompts that are not a query's own."
        )
    starts = range(0, len(others), _PROMPTS_AT_ONCE)
    features = np.concatenate([encode(others[i : i + _PROMPTS_AT_ONCE]) for i in starts])
    near = nearest(encode(own), features, related)
    count = len(own) * related
    return pd.DataFrame(
        {
            "query": [name for query in queries.index for name in names[query]],
            "prompt": [others[i] for i in near.ravel()],
            "noise_seed": random_uint32(seed, Domain.PROMPTS, torch.arange(count), 1)[0].tolist(),
        }
    )
