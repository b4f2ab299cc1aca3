"""A preview's first look: scores that break the contract are refused before anything runs."""

from pathlib import Path

import numpy as np
import pytest

from configured import experiment
from leavekout.base.errors import InputError
from preview_study import require_sound_scores


def test_scores_of_the_wrong_length_are_refused_with_their_number(tmp_path: Path) -> None:
    study = experiment("digits", external={"mine": str(tmp_path)}, methods=["clip", "mine"])
    for query in study.test_queries():
        np.save(tmp_path / f"{query}.npy", np.arange(1797, dtype=np.float32))
    require_sound_scores(study, "mine")
    for query in ("q001", "q002"):
        np.save(tmp_path / f"{query}.npy", np.arange(1700, dtype=np.float32))
    with pytest.raises(InputError) as error:
        require_sound_scores(study, "mine")
    assert str(error.value) == (
        f"{tmp_path}/q001.npy: method 'mine' has shape (1700,) where (1797,) is expected, one for "
        "each image. So it is with 1 more file."
    )
    (tmp_path / "q003.npy").unlink()
    with pytest.raises(InputError, match="'mine' has no scores of 1 of 8 queries, 'q003'"):
        require_sound_scores(study, "mine")
