"""What tables/pictures.csv says of the queries, in sentences."""

import pandas as pd

# Pictures that show their prompts are more like their own than like this share of the others.
SHOWN = 0.75
# A copy is nearer to a training image than all but this share of training images to another one.
# A picture that is further from all of them than the rest is like none.
MARGIN = 0.05
_LIKE_NONE = 0.5  # the share of such queries that is worth a warning
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
    closer, queries = looks["closer_images"], len(looks)
    copies, unlike = int((closer < MARGIN).sum()), int((closer > 1 - MARGIN).sum())
    kinds = (
        f"of {queries} queries, {copies} are memorised (nearer to a training image than all but "
        f"{100 * MARGIN:.0f} % of training images are to another one), "
        f"{queries - copies - unlike} are new, and {unlike} are further from every training image "
        f"than {100 * (1 - MARGIN):.0f} % of training images are from all others; the median query "
        f"is at the {_ordinal(round(100 * closer.median()))} percentile. The source model's loss "
        f"is {looks['loss'].mean():.2g} on queries and {looks['training_loss'].mean():.2g} on "
        "training images (tables/pictures.csv)."
    )
    if unlike > _LIKE_NONE * queries:
        return f"Pictures like no training image: {kinds}"
    if copies > _COPIES * queries:
        return f"Pictures that are copies: {kinds}"
    return f"Copies, or new pictures? Pixel by pixel, {kinds}"


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
