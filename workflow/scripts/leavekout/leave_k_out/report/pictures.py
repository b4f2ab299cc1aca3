"""What tables/pictures.csv says of the queries, in sentences."""

import pandas as pd

from leavekout.leave_k_out.statistics.pictures import MARGIN

# Pictures that show their prompts are more like their own than like this share of the others.
SHOWN = 0.75
_LIKE_NONE = 0.75  # the share of such queries that is worth a warning
_COPIES = 0.1


def of_pictures(looks: pd.DataFrame) -> list[str]:
    """A sentence on prompts, and one on training images and losses.

    Args:
        looks: a row for each query, as `look_at_queries.py` writes them.
    """
    return [*_of_prompts(looks), _of_images(looks)]


def _of_prompts(looks: pd.DataFrame) -> list[str]:
    below, prompts = looks["prompts_below"], int(looks["prompts"].max())
    if below.isna().any():
        return []  # one prompt alone
    first, queries = int((below == 1).sum()), len(looks)
    text = (
        f"CLIP ranks {first} of {queries} queries' own prompts first among {prompts} (by chance "
        f"{queries / prompts:.2g}), and a query's own prompt above {100 * below.mean():.0f} % of "
        "the others (by chance 50 %)"
    )
    if below.mean() < SHOWN:
        return [
            f"Pictures that do not show their prompts: {text}. If they are blobs, no attribution "
            "of them means anything: look at queries/images, and train longer (training.epochs)."
        ]
    return [f"Do the pictures show their prompts? {text}."]


def _of_images(looks: pd.DataFrame) -> str:
    queries, counts = len(looks), looks["kind"].value_counts()
    memorised, new, neither = (int(counts.get(kind, 0)) for kind in ("memorised", "new", "neither"))
    text = (
        f"of {queries} queries, {memorised} are memorised (nearer to a training image than all but "
        f"{100 * MARGIN:.0f} % of training images are to another one), {new} are new, and "
        f"{neither} are neither (further from every training image than "
        f"{100 * (1 - MARGIN):.0f} % of them are from all others, as pictures or without their "
        "contrast); pixel by pixel, the median "
        f"query is at the {_ordinal(round(100 * looks['closer_images'].median()))} percentile. The "
        f"source model's loss is {looks['loss'].mean():.2g} on queries (median "
        f"{looks['loss'].median():.2g}) and {looks['training_loss'].mean():.2g} on training images "
        "(tables/pictures.csv)."
    )
    if neither > _LIKE_NONE * queries:
        return f"Pictures like no training image: {text}"
    if memorised > _COPIES * queries:
        return f"Pictures that are copies: {text}"
    return f"Copies, or new pictures? O{text[1:]}"


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
