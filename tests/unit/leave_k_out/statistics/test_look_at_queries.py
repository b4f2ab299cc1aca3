"""Whether pictures show their prompts, and whether they are copies."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits

from leavekout.leave_k_out.report.pictures import of_pictures
from leavekout.leave_k_out.statistics.pictures import (
    COMPARED,
    kinds,
    nearest_images,
    prompts_below,
    share_below,
    small,
    spread_rows,
    without_contrast,
)


def test_ranks_of_own_prompts_equal_a_count() -> None:
    drawn = np.random.default_rng(0)
    pictures, prompts = drawn.standard_normal((7, 5)), drawn.standard_normal((4, 5))
    own = drawn.integers(0, 4, 7)
    similar = 1 - cdist(pictures, prompts, "cosine")
    expected = [np.mean(np.delete(row, mine) < row[mine]) for row, mine in zip(similar, own)]  # noqa: B905
    np.testing.assert_allclose(prompts_below(pictures, prompts, own), expected)
    same = np.ones((3, 2))
    assert prompts_below(same, same, np.arange(3)).tolist() == [0.5, 0.5, 0.5]
    assert np.isnan(prompts_below(same, same[:1], np.zeros(3, int))).all()


def test_nearest_images_are_those_of_a_whole_table() -> None:
    drawn = np.random.default_rng(1)
    images = drawn.random((600, 12)).astype(np.float32)
    some = drawn.random((300, 12)).astype(np.float32)
    table = cdist(some, images) / np.sqrt(12)
    found, far = nearest_images(some, images)
    assert (found == table.argmin(1)).all()
    np.testing.assert_allclose(far, table.min(1), rtol=1e-5)
    images = drawn.standard_normal((40, 50)).astype(np.float32)  # nearer to 0 than to each other
    rows = np.arange(0, 40, 2)
    table = cdist(images[rows], images) / np.sqrt(50)
    table[np.arange(len(rows)), rows] = np.inf
    found, far = nearest_images(images[rows], images, rows=rows)
    assert (found == table.argmin(1)).all()
    np.testing.assert_allclose(far, table.min(1), rtol=1e-5)


def test_large_pictures_are_averaged_over_blocks() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (2, 70, 70, 3), dtype=np.uint8)
    vectors = small(pixels)  # blocks of 3, and a row is left over
    assert vectors.shape == (2, 23 * 23 * 3)
    assert vectors[1, 3 * (23 + 2) + 1] == pytest.approx(pixels[1, 3:6, 6:9, 1].mean() / 255)
    assert small(pixels[:, :32, :32])[0, -1] == pytest.approx(pixels[0, 31, 31, 2] / 255)


def test_shares_and_rows() -> None:
    assert share_below(np.array([0.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [
        *(0.0, 0.375, 1.0),
    ]
    assert spread_rows(5, 100).tolist() == [0, 1, 2, 3, 4]
    assert spread_rows(101, 3).tolist() == [0, 50, 100]


def looks_of(pictures: np.ndarray, images: np.ndarray, below: float) -> pd.DataFrame:
    """The table of some pictures [Q, S, S] among images."""
    as_rgb = [np.repeat(p[..., None], 3, -1).round().astype(np.uint8) for p in (pictures, images)]
    closer = []
    for change in (np.asarray, without_contrast):
        some, all_images = (change(small(pixels)) for pixels in as_rgb)
        rows = spread_rows(len(all_images), COMPARED)
        _, distance = nearest_images(some, all_images)
        _, apart = nearest_images(all_images[rows], all_images, rows=rows)
        closer.append(share_below(distance, apart))
    names = [f"q{number:03d}" for number in range(len(some))]
    table = pd.DataFrame({"query": names, "prompts": len(some), "prompts_below": below})
    table = table.assign(closer_images=closer[0], closer_shapes=closer[1], kind=kinds(*closer))
    return table.assign(loss=0.2, training_loss=0.11)


DIGITS = load_digits().images * (255 / 16)
TRAINED, OTHERS = DIGITS[:1700], DIGITS[1700:1740]


def test_pictures_like_new_images_are_new() -> None:
    prompts, images = of_pictures(looks_of(OTHERS, TRAINED, 0.93))
    assert prompts.startswith("Do the pictures show their prompts? CLIP ranks 0 of 40 queries' own")
    assert "above 93 % of the others" in prompts
    assert images.startswith("Copies, or new pictures? Of 40 queries, 0 are memorised")
    assert "loss is 0.2 on queries (median 0.2) and 0.11 on training images" in images


def test_copies_are_called_copies() -> None:
    _, images = of_pictures(looks_of(TRAINED[10:50], TRAINED, 0.93))
    assert images.startswith("Pictures that are copies: of 40 queries, 40 are memorised")


def test_blobs_and_noise_are_like_no_image_and_show_no_prompt() -> None:
    noise = np.random.default_rng(0).standard_normal((40, 8, 8))
    for sigma in (0, 1.2):
        blobs = np.stack([gaussian_filter(one, sigma) for one in noise])
        blobs = 255 * (blobs - blobs.min()) / np.ptp(blobs)
        prompts, images = of_pictures(looks_of(blobs, TRAINED, 0.53))
        assert prompts.startswith("Pictures that do not show their prompts: CLIP ranks 0 of 40")
        assert images.startswith("Pictures like no training image: of 40 queries, 0 are memorised")
        assert "0 are new, and 40 are neither" in images


def test_flat_pictures_are_no_copies_though_they_are_near_to_all_images() -> None:
    drawn = np.random.default_rng(3)
    images = np.stack([gaussian_filter(one, 1) for one in drawn.standard_normal((300, 16, 16))])
    images = 255 * (images - images.min()) / np.ptp(images)
    flat = images.mean(0) + drawn.standard_normal((40, 16, 16))
    looks = looks_of(flat, images, 0.5)
    assert (looks["closer_images"] < 0.05).all()
    assert (looks["closer_shapes"] > 0.05).all()
    assert "f 40 queries, 0 are memorised" in of_pictures(looks)[1]


def test_one_prompt_says_nothing_of_prompts() -> None:
    looks = looks_of(OTHERS[:1], TRAINED, float("nan"))
    assert len(of_pictures(looks)) == 1
