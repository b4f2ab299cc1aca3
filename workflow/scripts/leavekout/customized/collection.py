"""The queries of customized models, from the models' folders."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import torch

from leavekout.base.errors import InputError
from leavekout.base.noise import Domain, random_uint32
from leavekout.customized.tokens import require_token, with_token, without_token
from leavekout.data.coco import prompts, read_annotations
from leavekout.queries.prompts import choose_queries


def prompts_of_models(
    root: Path, queries: Mapping[str, Sequence[Sequence[str]]], seed: int
) -> pd.DataFrame:
    """A prompt and a noise for each query of each model: query, prompt, noise_seed, model.

    Args:
        root: contains a folder for each model with the captions of `queries.json`.
        queries: model → names of its test queries and of its tuning queries.
    """
    tables = []
    for number, (model, (test, tuning)) in enumerate(queries.items()):
        annotations = root / model / "queries.json"
        found = prompts(annotations)
        require_token(found, str(annotations))
        if len(test) + len(tuning) > len(found):
            raise InputError(
                f"{annotations}: holds {len(found)} distinct prompts, but 'queries' asks for "
                f"{len(test) + len(tuning)} of each model (test and tuning)."
            )
        # Prompts of all models have the same numbers; their noises should differ.
        own = int(random_uint32(seed, Domain.PROMPTS, number, 2)[0])
        tables.append(choose_queries(test, tuning, found, own).assign(model=model))
    return _in_order(pd.concat(tables), queries)


def with_texts(table: pd.DataFrame) -> pd.DataFrame:
    """A table of queries with their prompts as the denoiser and as other encoders take them."""
    prompts = list(zip(table["prompt"], table["model"], strict=True))
    return table.assign(
        prompt_for_denoiser=[with_token(prompt, model) for prompt, model in prompts],
        prompt_for_encoders=[without_token(prompt) for prompt, _ in prompts],
    )


def given_queries(
    root: Path, queries: Mapping[str, Sequence[Sequence[str]]]
) -> tuple[pd.DataFrame, list[Path]]:
    """Pictures that were generated elsewhere: the table of `prompts_of_models`, and their files.

    `queries.json` in a model's folder lists the pictures in `queries/` with their prompts. By their
    ids, the first are test queries, and the last tuning queries.
    """
    tables, pictures = [], dict[str, Path]()
    for number, (model, (test, tuning)) in enumerate(queries.items()):
        annotations = root / model / "queries.json"
        images, captions = read_annotations(annotations)
        found = images.merge(captions, left_on="id", right_on="image_id").drop_duplicates("id_x")
        found = found.sort_values("id_x", ignore_index=True)
        require_token(found["caption"].tolist(), str(annotations))
        if len(test) + len(tuning) > len(found):
            raise InputError(
                f"{annotations}: holds {len(found)} pictures with a prompt, but 'queries' asks for "
                f"{len(test) + len(tuning)} of each model (test and tuning)."
            )
        chosen = [*range(len(test)), *range(len(found) - len(tuning), len(found))]
        rows = found.loc[chosen]
        keys = random_uint32(0, Domain.PROMPTS, torch.tensor(chosen), number, 3)[0].tolist()
        tables.append(
            pd.DataFrame(
                {
                    "query": [*test, *tuning],
                    "prompt": rows["caption"].tolist(),
                    "noise_seed": keys,
                    "model": model,
                }
            )
        )
        files = [root / model / "queries" / name for name in rows["file_name"]]
        pictures.update(zip([*test, *tuning], files, strict=True))
    table = _in_order(pd.concat(tables), queries)
    return table, [pictures[name] for name in table["query"]]


def _in_order(table: pd.DataFrame, queries: Mapping[str, Sequence[Sequence[str]]]) -> pd.DataFrame:
    """The test queries of all models, then their tuning queries: the order of all arrays."""
    names = [name for part in (0, 1) for of_model in queries.values() for name in of_model[part]]
    return table.set_index("query").loc[names].reset_index()
