"""The oracle: groups of similar images, and what is lost without each."""

import numpy as np

from leavekout.leave_k_out.oracle import group_images, oracle_scores


def test_groups_are_of_similar_images_and_nearly_equal_size() -> None:
    rng = np.random.default_rng(0)
    brightness = rng.permutation(np.linspace(20, 230, 31))
    noise = rng.integers(-5, 6, (31, 8, 8, 3))
    pixels = (brightness[:, None, None, None] + noise).astype(np.uint8)
    groups = group_images(pixels, 4)
    assert np.bincount(groups).tolist() == [8, 8, 8, 7]
    along = groups[np.argsort(brightness)]  # from the darkest image on
    assert (np.diff(along) >= 0).all() or (np.diff(along) <= 0).all()


def test_an_image_has_the_effect_of_its_group() -> None:
    changes = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])  # groups, queries
    scores = oracle_scores(np.array([2, 0, 0, 1]), changes)
    assert scores.tolist() == [[0.5, 0.1, 0.1, 0.3], [0.6, 0.2, 0.2, 0.4]]
