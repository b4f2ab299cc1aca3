"""Distilled features: what is learned is the teacher's order."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

from leavekout.encoders.joint import features_of_images
from leavekout.encoders.similarity import nearest
from leavekout.methods.distilled.neighbours import rows_near
from leavekout.methods.distilled.settings import Distilled
from leavekout.methods.distilled.students import (
    Student,
    draw_pairs,
    lessons,
    student_scores,
    train_student,
)

CONFIG = Distilled(
    teacher="unlearning", encoder="dino", candidates=30, width=32, layers=2, dropout=0.1,
    epochs=60, batch_size=128, learning_rate=3e-3, seed=1,
)  # fmt: skip

IDS = np.arange(80)[::-1]


def world() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Queries and images; a single hidden direction makes an image influential."""
    rng = np.random.default_rng(0)
    queries, images = rng.standard_normal((24, 6)), rng.standard_normal((80, 6))
    scores = [-np.abs(images[:, 5] - query[5]) for query in queries]
    return queries, images, scores


def test_candidates_are_nearest_neighbours_in_the_teacher_s_order() -> None:
    queries, images, scores = world()
    near_rows = nearest(queries[:, :3], images[:, :3], 7)
    for score, rows in zip(scores, near_rows, strict=True):
        score[np.setdiff1d(np.arange(80), rows)] = np.nan  # not swept
    given = lessons(queries, images, scores, near_rows, image_ids=IDS)
    for q in range(24):
        a, b = queries[q, :3], images[:, :3]
        cosine = b @ a / np.linalg.norm(b, axis=1) / np.linalg.norm(a)
        near = set(np.argsort(-cosine)[:7].tolist())
        rows = given.candidates[q].tolist()
        assert set(rows) == near
        assert rows == sorted(near, key=lambda row: -scores[q][row])


def test_targets_are_ranks_and_images_from_outside_the_last() -> None:
    queries, images, scores = world()
    given = lessons(queries, images, scores, nearest(queries, images, 10), image_ids=IDS)
    query, row, target = draw_pairs(given, 4000, 0.25, torch.Generator().manual_seed(0))
    ranks = (10 * target).round().long()
    inside = given.candidates[query, ranks] == row
    assert (target[~inside] == 0.9).all()
    assert float((~inside).float().mean()) == pytest.approx(0.25 * (1 - 1 / 80), abs=0.03)
    assert ranks[inside].unique().tolist() == list(range(10))


def test_the_logit_is_a_line_of_the_cosine() -> None:
    student = Student(6, CONFIG).eval()
    a, b = torch.randn(2, 5, 6)
    with torch.no_grad():
        student.slope.fill_(-3.0)
        student.offset.fill_(0.5)
        expected = -3 * functional.cosine_similarity(student.network(a), student.network(b)) + 0.5
        torch.testing.assert_close(student(a, b), expected)


def test_a_student_ranks_unseen_queries_as_its_teacher_would() -> None:
    queries, images, scores = world()
    near_rows = nearest(queries[:20, :3], images[:, :3], 30)
    given = lessons(queries[:20], images, scores[:20], near_rows, image_ids=IDS)
    student = train_student(given, CONFIG)
    again = train_student(given, CONFIG)
    for one, other in zip(student.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)

    def agreement(of: Student) -> float:
        found = student_scores(of, queries[20:], images[:, None])[..., 0]
        pairs = zip(found, scores[20:], strict=True)
        return np.mean([stats.spearmanr(a, b).statistic for a, b in pairs])

    assert agreement(student) > 0.6 > agreement(Student(6, CONFIG).eval())


def test_every_flip_is_scored_and_captions_are_the_first() -> None:
    rng = np.random.default_rng(1)
    features, text = rng.standard_normal((4, 2, 3)), rng.standard_normal((4, 5, 2))
    images = features_of_images(features, text)
    assert images.shape == (4, 2, 5)
    expected = text[2, 0] / np.linalg.norm(text[2, 0])
    np.testing.assert_allclose(images[2, 1, 3:], expected, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(images[..., :3], axis=2), 1, rtol=1e-6)
    student = Student(5, CONFIG).eval()
    both = student_scores(student, images[:1, 0], images)
    alone = [student_scores(student, images[:1, 0], images[:, f : f + 1]) for f in range(2)]
    np.testing.assert_allclose(both, np.concatenate(alone, axis=2), rtol=1e-6)


def test_students_differ_in_their_seeds_alone() -> None:
    queries, images, scores = world()
    given = lessons(queries, images, scores, nearest(queries, images, 30), image_ids=IDS)
    short = CONFIG.model_copy(update={"epochs": 0.5})
    first, second = train_student(given, short), train_student(given, short, 1)
    next_seed = train_student(given, short.model_copy(update={"seed": short.seed + 1}))
    for name, weights in next_seed.state_dict().items():
        assert torch.equal(second.state_dict()[name], weights)
    assert not torch.equal(first.slope, second.slope)


def test_a_teacher_sweeps_what_is_near_by_any_encoder(tmp_path: Path) -> None:
    files = [tmp_path / "a.npy", tmp_path / "b.npy"]
    np.save(files[0], np.array([[0, 1], [5, 2]]))
    np.save(files[1], np.array([[9, 9], [2, 7]]))
    assert rows_near(files, 1).tolist() == [2, 5, 7]
    assert rows_near(files[:1], 0).tolist() == [0, 1]
