"""The paired stream: what a removal changes and what it does not."""

from itertools import combinations
from typing import Any

import pytest
import torch
from scipy import stats

from leavekout.base.noise import Domain
from leavekout.training.stream import Samples, Stream
from world import make_data


def stream(removed: list[int], *, seed: int = 0) -> Stream:
    size: Any = {"images": 50, "flips": 2, "captions": 5, "timesteps": 1000}
    rows = torch.tensor(removed, dtype=torch.int64)
    key: Any = {"seed": seed, "domain": Domain.TRAINING}
    return Stream(**size, caption_dropout=0.1, removed=rows, **key)


def rows(removed: list[int], stop: int = 500) -> torch.Tensor:
    return stream(removed).samples(0, stop).rows


def test_each_epoch_shows_every_image_once_in_an_order_of_its_own() -> None:
    epochs = rows([]).split(50)
    assert all(sorted(epoch.tolist()) == list(range(50)) for epoch in epochs)
    assert not torch.equal(epochs[0], epochs[1])


def test_removed_images_never_appear_and_all_other_places_stay() -> None:
    removed = [3, 17, 40, 41]
    before, after = rows([]), rows(removed)
    was_removed = torch.isin(before, torch.tensor(removed))
    assert not torch.isin(after, torch.tensor(removed)).any()
    assert torch.equal(before[~was_removed], after[~was_removed])


def test_a_replacement_depends_on_the_place_alone() -> None:
    # Two removal sets with image 3 replace it by the same image, unless they remove that, too.
    one, other = rows([3, 17]), rows([3, 40])
    place = (rows([]) == 3) & (one != 40) & (other != 17)
    assert place.any()
    assert torch.equal(one[place], other[place])


def test_timesteps_captions_flips_and_dropout_are_shared() -> None:
    a, b = stream([]).samples(0, 300), stream([1, 2, 3]).samples(0, 300)
    for name in ("timesteps", "captions", "flips", "drop_caption"):
        assert torch.equal(getattr(a, name), getattr(b, name))


def test_the_stream_does_not_depend_on_how_it_is_cut() -> None:
    whole = stream([4]).samples(0, 120)
    parts = [stream([4]).samples(start, start + 40) for start in (0, 40, 80)]
    for name in Samples.__dataclass_fields__:
        assert torch.equal(torch.cat([getattr(p, name) for p in parts]), getattr(whole, name))


def test_almost_all_images_can_be_removed() -> None:
    assert (rows(list(range(49))) == 49).all()


def test_another_seed_is_another_stream() -> None:
    assert not torch.equal(stream([]).samples(0, 50).rows, stream([], seed=1).samples(0, 50).rows)


def test_what_is_drawn_is_uniform_and_independent() -> None:
    z = stream([]).samples(0, 40_000)
    drawn = {"t": z.timesteps // 100, "caption": z.captions, "flip": z.flips}
    for values in drawn.values():
        assert stats.chisquare(torch.bincount(values)).pvalue > 0.001
    drawn["dropped"] = z.drop_caption.long()
    assert z.drop_caption.float().mean() == pytest.approx(0.1, abs=0.01)
    for one, other in combinations(drawn.values(), 2):
        counts = stats.contingency.crosstab(one, other).count
        assert stats.chi2_contingency(counts).pvalue > 0.001


def test_a_stream_of_training_images_has_all_captions_and_no_held_out_image() -> None:
    data = make_data()
    data.held_out = torch.tensor([2, 5])
    z = Stream.of_images(data, timesteps=20, seed=0, domain=Domain.FISHER).samples(0, 500)
    assert set(z.rows.tolist()) == {*range(12)} - {2, 5}
    assert not z.drop_caption.any()
