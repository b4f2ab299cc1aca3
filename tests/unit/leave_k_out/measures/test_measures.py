"""Measures: their formulas, what they say of themselves, and the table of all of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from leavekout.base.errors import InputError
from leavekout.contract.outcome import Outcome
from leavekout.contract.removal import Removal
from leavekout.leave_k_out.measures.delta_loss import standard_error
from leavekout.leave_k_out.measures.measure import Encoder, Measure, cosines
from leavekout.leave_k_out.measures.measuring import COLUMNS, measure_outcomes
from leavekout.leave_k_out.measures.registry import all_measures, chosen, measure

QUERIES = ["q000", "q001", "q002"]


def embed(images: np.ndarray) -> np.ndarray:
    """Stands for an encoder: unit vectors that depend on the picture."""
    flat = torch.from_numpy(images.reshape(len(images), -1)).float()
    return torch.nn.functional.normalize(flat, dim=1).numpy()


ENCODERS: dict[str, Encoder] = {"clip": embed, "dino": lambda images: 7 * embed(images)}


def outcome(seed: int, removal: Removal | None = None) -> Outcome:
    rng = np.random.default_rng(seed)
    names = QUERIES if removal is None else list(removal.roles)
    return Outcome(
        removal.as_dict() if removal else {"policy": "source"},
        names,
        rng.random((len(names), 7)),
        rng.random((len(names), 4, 2, 2)).astype(np.float32),
        rng.integers(0, 256, (len(names), 16, 16, 3), dtype=np.uint8),
        np.arange(3),
    )


def values(one: Measure, after: Outcome, before: Outcome) -> np.ndarray:
    return one.values(after, before, ENCODERS.get(one.encoder or ""))


@pytest.mark.parametrize("one", all_measures().values(), ids=lambda one: one.name)
def test_the_source_model_itself_changes_nothing(one: Measure) -> None:
    source = outcome(0)
    np.testing.assert_allclose(values(one, source, source), one.unchanged, atol=1e-6)
    changed = values(one, outcome(1), source)
    assert changed.shape == (3,)
    if one.errors is None:  # losses rise and fall
        assert (one.direction * (changed - one.unchanged) > 0).all()


@pytest.mark.parametrize("one", all_measures().values(), ids=lambda one: one.name)
def test_a_value_belongs_to_its_query_alone(one: Measure) -> None:
    after, before = outcome(1), outcome(0)
    whole = values(one, after, before)
    alone = [values(one, after.select([name]), before.select([name]))[0] for name in QUERIES]
    np.testing.assert_allclose(whole, alone, rtol=1e-6)
    turned = values(one, after.select(QUERIES[::-1]), before.select(QUERIES[::-1]))
    np.testing.assert_allclose(turned, whole[::-1], rtol=1e-6)


def test_each_measure_is_its_formula() -> None:
    after, before = outcome(1), outcome(0)
    a, b = after.pictures / 255.0, before.pictures / 255.0
    expected = {
        "delta_loss": after.losses.mean(axis=1) - before.losses.mean(axis=1),
        "delta_log_loss": np.log(after.losses / before.losses).mean(axis=1),
        "mse": ((a - b) ** 2).mean(axis=(1, 2, 3)),
        "clip": cosines(a.reshape(3, -1), b.reshape(3, -1)),
    }
    expected["dino"] = expected["clip"]  # of the same directions
    for name, value in expected.items():
        np.testing.assert_allclose(values(measure(name), after, before), value, rtol=1e-5)


def test_ssim_is_one_for_the_same_and_falls_with_noise() -> None:
    """Against its definition on the window around one pixel, by brute force."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (2, 11, 11), dtype=np.uint8)
    found = measure("ssim").values(picture_of(y), picture_of(x), None)[0]
    # The library's mean leaves a border of 5 pixels out, so of 11 pixels the middle one is left.
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    weights = np.outer(window, window) / window.sum() ** 2
    a, b = x.astype(float), y.astype(float)
    mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
    var_a, var_b = (weights * a * a).sum() - mean_a**2, (weights * b * b).sum() - mean_b**2
    covariance = (weights * a * b).sum() - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    )
    assert found == pytest.approx(expected, rel=1e-5)


def picture_of(grey: np.ndarray) -> Outcome:
    pictures = np.repeat(grey[None, :, :, None], 3, axis=3)
    nothing = np.empty((1, 0))
    return Outcome({}, ["q000"], nothing, nothing, pictures, np.empty(0, np.int64))


def test_pictures_too_small_for_ssim_are_refused() -> None:
    small = picture_of(np.zeros((8, 8), np.uint8))
    with pytest.raises(InputError, match="'ssim' needs pictures of at least 11 pixels a side"):
        measure("ssim").values(small, small, None)


def test_cosines_are_taken_row_by_row() -> None:
    a, b = np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([[4.0, 3.0], [0.0, 2.0]])
    np.testing.assert_allclose(cosines(a, b), [24 / 25, 0])


def test_the_evaluation_error_is_the_spread_of_the_mean_over_redrawn_noise() -> None:
    rng = np.random.default_rng(0)
    trend = 5 * np.sin(np.linspace(0, 3, 200))  # ΔL changes with the timestep; that is no noise
    studies = [trend + 0.3 * rng.standard_normal(200) for _ in range(2000)]
    true = np.std([study.mean() for study in studies])
    estimated = np.sqrt(np.mean([standard_error(study) ** 2 for study in studies]))
    assert estimated == pytest.approx(true, rel=0.05)
    assert np.std(studies[0], ddof=1) / np.sqrt(200) > 3 * true  # what the trend would add


def test_an_effect_rises_with_what_is_lost() -> None:
    values = np.array([1.0, 0.75, -0.5])
    assert measure("clip").as_effect(values).tolist() == [0, 0.25, 1.5]
    assert measure("delta_loss").as_effect(values).tolist() == values.tolist()


def test_a_difference_has_twice_the_range() -> None:
    assert measure("mse").range_of_differences == (-1, 1)
    assert measure("clip").range_of_differences == (-2, 2)
    assert measure("delta_loss").range_of_differences == (-np.inf, np.inf)


def test_a_measure_says_how_it_is_shown() -> None:
    assert measure("delta_loss").heading == "ΔL × 10³"
    assert measure("ssim").heading == "SSIM"
    assert measure("clip").axis == "CLIP similarity  (lower: more changed)"


def test_unknown_measures_and_missing_encoders_are_refused() -> None:
    with pytest.raises(InputError, match="'lpips' is not a measure; the measures are clip, delta"):
        measure("lpips")
    with pytest.raises(InputError, match="'dino' needs the encoder 'dino', which is not among"):
        chosen(["mse", "dino"], {"clip"})
    assert [one.name for one in chosen(["mse", "dino"], {"clip", "dino"})] == ["mse", "dino"]


def measured(folder: Path, queries: set[str], *removals: Removal) -> pd.DataFrame:
    paths = []
    for number, removal in enumerate(removals):
        paths.append(folder / f"{number}.safetensors")
        outcome(number + 1, removal).save(paths[-1])
    measures = [measure(name) for name in ("delta_loss", "clip")]
    return measure_outcomes(paths, outcome(0), measures, ENCODERS, queries)


TOP = Removal("top", "mine", 20, 0, targets=("q001",), others=("q000", "q002"))
SET = Removal("random", "random", 20, 0, number=3, set_seed=9, others=tuple(QUERIES))


def test_every_model_query_and_measure_has_a_row(tmp_path: Path) -> None:
    table = measured(tmp_path, {"q000", "q001"}, TOP, SET)
    assert list(table) == list(COLUMNS)
    assert len(table) == 2 * 2 * 2
    mine: Any = table[table["policy"] == "top"].set_index(["query", "measure"])
    assert mine["role"].xs("clip", level="measure").to_dict() == {"q001": "target", "q000": "other"}
    assert mine["number"].isna().all()
    assert set(table.loc[table["policy"] == "random", "number"]) == {3}
    assert set(table["removed"]) == {3}
    after, before = outcome(1, TOP).select(["q001"]), outcome(0).select(["q001"])
    found = mine.loc[("q001", "delta_loss")]
    assert found["value"] == after.losses.mean() - before.losses.mean()
    assert found["evaluation_error"] == standard_error(after.losses[0] - before.losses[0])
    assert mine.loc[("q001", "clip"), "evaluation_error"] == 0


def test_values_do_not_depend_on_which_queries_are_asked_for(tmp_path: Path) -> None:
    few, all_of_them = (measured(tmp_path, asked, TOP, SET) for asked in ({"q001"}, set(QUERIES)))
    kept = all_of_them[all_of_them["query"] == "q001"].reset_index(drop=True)
    pd.testing.assert_frame_equal(few, kept, check_exact=True)


def test_a_value_that_is_no_number_is_refused_by_name(tmp_path: Path) -> None:
    broken = outcome(1, TOP)
    broken.losses[0, 0] = np.nan
    broken.save(tmp_path / "o.safetensors")
    with pytest.raises(InputError, match=r"o.safetensors: delta_loss of query q001 is nan"):
        measure_outcomes(
            [tmp_path / "o.safetensors"], outcome(0), [measure("delta_loss")], {}, set(QUERIES)
        )
