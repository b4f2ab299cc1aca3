"""Published scores of many queries: permuted to our images, or refused in a sentence."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leavekout.base.errors import InputError
from leavekout.contract.published import read_published_scores

DRAWN = np.random.default_rng(0)
OURS = DRAWN.standard_normal((4, 9)).astype(np.float32)  # in our order
PLACES = DRAWN.permutation(9)
THEIRS = np.empty_like(OURS)
THEIRS[:, PLACES] = OURS


def read(path: Path, **changes: Any) -> np.ndarray:
    settings: dict[str, Any] = {
        **{"entry": "random.influence", "ranks": False, "queries": [2, 0]},
        **{"places": PLACES, "method": "abu"},
    }
    return read_published_scores(path, **settings | changes)


def pickled(path: Path, scores: Any) -> Path:
    rank = np.argsort(-scores) if scores.dtype != object else None
    path.write_bytes(pickle.dumps({"random": {"influence": scores, "rank": rank}}))
    return path


def test_scores_are_permuted_to_our_images(tmp_path: Path) -> None:
    path = pickled(tmp_path / "a.pkl", THEIRS)
    np.testing.assert_array_equal(read(path), OURS[[2, 0]])
    np.save(tmp_path / "a.npy", THEIRS)
    np.testing.assert_array_equal(read(tmp_path / "a.npy"), OURS[[2, 0]])


def test_lists_of_images_give_the_same_order(tmp_path: Path) -> None:
    scores = read(pickled(tmp_path / "a.pkl", THEIRS), entry="random.rank", ranks=True)
    np.testing.assert_array_equal(np.argsort(-scores), np.argsort(-OURS[[2, 0]]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("incomplete", r"shape \(2, 9\), but \[Q, 9\] is needed with at least 3 queries"),
        ("images", r"shape \(4, 8\), but \[Q, 9\]"),
        ("nan", r"method 'abu' has 1 scores that are NaN"),
        ("constant", "gives every image the same score"),
        ("objects", "holds object where float32"),
        ("ranks", "row 2 does not list each image once"),
    ],
)
def test_other_scores_are_refused(tmp_path: Path, change: str, message: str) -> None:
    theirs: Any = THEIRS.copy()
    match change:
        case "incomplete":
            theirs = theirs[:2]
        case "images":
            theirs = theirs[:, :8]
        case "nan":
            theirs[2, 4] = np.nan
        case "constant":
            theirs[2] = 1
        case "objects":
            theirs = theirs.astype(object)
    path = pickled(tmp_path / "a.pkl", theirs)
    with pytest.raises(InputError, match=message):
        read(path, ranks=change == "ranks")
