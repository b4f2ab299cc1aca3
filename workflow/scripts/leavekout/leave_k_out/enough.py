"""Whether a data set has as many prompts as a study needs, before anything is trained."""

from pathlib import Path
from typing import Any

import pandas as pd

from leavekout.base.errors import InputError
from leavekout.data.coco import prompts, training_table


def require_prompts(needed: int, annotations: Path, table: pd.DataFrame) -> None:
    """Rejects annotations with too few captions that no training image has.

    Args:
        needed: the number of prompts that queries and related prompts take.
        annotations: of the prompts; table: the training images, with their `captions`.
    """
    known = {caption for texts in table["captions"] for caption in texts}
    count = sum(prompt not in known for prompt in prompts(annotations))
    if count < needed:
        raise InputError(
            f"{annotations}: the study needs {needed} prompts (test, tuning and teacher queries, "
            f"or related prompts), but only {count} distinct captions are no training captions; "
            "add captions, or lower the numbers under 'queries' and 'forgetting.related'."
        )


def require_dataset(needed: int, annotations: Path, training: Path, **sizes: Any) -> None:
    """Rejects a data set that is there already and has not what the configuration says of it.

    Args:
        needed, annotations: as in `require_prompts`.
        training: annotations of the training images; sizes: the arguments of `training_table`.
    """
    if annotations.is_file() and training.is_file():
        table = training_table(training, **sizes)
        require_prompts(needed, annotations, table)
