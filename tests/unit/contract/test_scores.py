"""Scores: their contract, their top K, and similarity."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configured import experiment
from leavekout.base.errors import InputError
from leavekout.contract.scores import check_scores, read_scores, tied_at, top_k
from leavekout.methods.external.family import EXTERNAL
from leavekout.methods.external.reading import read_external_scores
from leavekout.methods.pixel.scoring import flattened, similarity_scores


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (np.zeros(4, np.float32), r"has shape \(4,\) where \(5,\) is expected"),
        (np.arange(5), "holds int64 where float32"),
        (np.array([0, 1, np.nan, 2, np.nan], np.float32), "has 2 scores that are NaN .* row 2"),
        (np.array([0, np.inf, 1, 2, 3], np.float32), "has 1 scores that are NaN or infinite"),
        (np.arange(5) * 1e300, "has 4 scores that are NaN or infinite in float32"),
        (1 + np.arange(5) * 1e-12, r"gives every image the same score \(1.0\)"),
        (np.full(5, 0.5, np.float32), r"gives every image the same score \(0.5\)"),
    ],
)
def test_bad_scores_are_refused_with_file_method_and_reason(
    tmp_path: Path, scores: np.ndarray, reason: str
) -> None:
    path = tmp_path / "q000.npy"
    np.save(path, scores)
    with pytest.raises(InputError, match=f"q000.npy: method 'mine' {reason}"):
        read_scores(path, images=5, method="mine")


def test_good_scores_pass_in_single_precision() -> None:
    scores = np.random.default_rng(0).standard_normal(5)
    assert check_scores(scores, images=5, method="mine", source="here").dtype == np.float32


def test_top_k_is_sorted_by_score_and_ties_go_to_the_lower_row() -> None:
    assert top_k(np.array([1, 5, 3, 5, 2], np.float32), 3).tolist() == [1, 3, 2]


def test_ties_at_the_end_of_the_top_k_are_counted() -> None:
    scores = np.array([5, 3, 3, 9, 3, 3, 1], np.float32)
    assert [tied_at(scores, k) for k in range(1, 8)] == [0, 0, 3, 2, 1, 0, 0]


def test_similarity_is_the_larger_cosine_of_image_and_flip() -> None:
    drawn = np.random.default_rng(1)
    queries = drawn.integers(0, 256, (2, 3, 4, 3), dtype=np.uint8)
    pixels = drawn.integers(0, 256, (7, 3, 4, 3), dtype=np.uint8)

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        a, b = a.ravel() / 255.0, b.ravel() / 255.0
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))

    plain, flipped = (
        np.array([[cosine(q, image) for image in images] for q in queries])
        for images in (pixels, pixels[:, :, ::-1])
    )
    for flips, expected in ((False, plain), (True, np.maximum(plain, flipped))):
        found = similarity_scores(queries, pixels, flattened, flips=flips, part_bytes=900)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_external_tables_are_aligned_by_image_id(tmp_path: Path) -> None:
    ids = np.array([5, 3, 9])
    table = pd.DataFrame({"image_id": [3, 9, 5], "score": [0.3, 0.9, 0.5]})

    def read(changed: pd.DataFrame) -> np.ndarray:
        changed.to_parquet(tmp_path / "q000.parquet")
        return read_external_scores(tmp_path / "q000.parquet", image_ids=ids, method="mine")

    assert read(table).tolist() == pytest.approx([0.5, 0.3, 0.9])
    for changed, reason in (
        (table.rename(columns={"score": "tau"}), "has no column 'score'"),
        (pd.concat([table, table[:1]]), "scores image 3 twice"),
        (table[1:], "gives no score to 1 of the 3 images, the first of them 3"),
        (pd.concat([table, pd.DataFrame({"image_id": [4], "score": [0.0]})]), "scores 1 images"),
        (table.assign(score=[0.1, np.nan, 0.2]), "has 1 scores that are NaN"),
        (table.assign(image_id=["3", "9", "5"]), "has ids of type .* whole numbers"),
        (table.assign(image_id=[True, False, True]), "has ids of type bool .* whole numbers"),
        (table.assign(score=["a", "b", "c"]), "holds .* where float32 is expected"),
    ):
        with pytest.raises(InputError, match=f"q000.parquet: method 'mine' {reason}"):
            read(changed)


def test_a_query_has_one_file_of_external_scores(tmp_path: Path) -> None:
    study = experiment("digits", external={"mine": str(tmp_path)})
    (tmp_path / "q000.npy").touch()
    assert EXTERNAL.score_file(study, "mine", "q000") == str(tmp_path / "q000.npy")
    count = len(study.query_names())
    with pytest.raises(InputError, match=f"no scores of {count - 1} of {count} queries, 'q001'"):
        EXTERNAL.score_file(study, "mine", "q001")
    for ending in ("npy", "parquet"):
        (tmp_path / f"q001.{ending}").touch()
    with pytest.raises(InputError, match=r"two files .* query q001, .*parquet and q001.npy; del"):
        EXTERNAL.score_file(study, "mine", "q001")
