"""The topic of a query: the training images that are like it by their captions alone."""

from collections.abc import Sequence

import numpy as np

from leavekout.base.errors import InputError
from leavekout.encoders.similarity import cosine_scores
from leavekout.queries.prompts import pattern_of


def named_topic(
    query: str, prompt: str, captions: Sequence[Sequence[str]], topics: Sequence[str]
) -> np.ndarray:
    """The rows with a caption that names what the prompt names: int64, ascending.

    Args:
        query: its name, for errors; captions: of the N images.
        topics: the phrases of each topic, with `|` between. Whole words count, in any case.

    Raises:
        InputError: the prompt names no topic, or no caption names its topic.
    """
    named = topics_named(prompt, topics)
    if not named:
        raise InputError(
            f"dataset.topics: the prompt of query {query}, '{prompt}', names none of them; add a "
            "phrase, or leave 'dataset.topics' out, and CLIP's text features say what is near."
        )
    pattern = pattern_of("|".join(named))
    rows = [row for row, own in enumerate(captions) if any(map(pattern.search, own))]
    if not rows:
        raise InputError(
            f"dataset.topics: no training caption names '{' or '.join(named)}', the topic of query "
            f"{query}; correct its phrases."
        )
    return np.array(rows, np.int64)


def topics_named(text: str, topics: Sequence[str]) -> list[str]:
    """Those topics of which a text has a phrase."""
    return [phrases for phrases in topics if pattern_of(phrases).search(text)]


def nearest_topics(prompts: np.ndarray, captions: np.ndarray, count: int) -> np.ndarray:
    """The rows whose captions are nearest to each prompt, nearest first: int64 [Q, `count`].

    Args:
        prompts: features [Q, D]; captions: features [N, C, D], of C captions of each image, whose
            cosine similarities to the prompt are averaged.
    """
    by_caption = (cosine_scores(prompts, captions[:, i]) for i in range(captions.shape[1]))
    return np.argsort(-sum(by_caption), axis=1, kind="stable")[:, :count]
