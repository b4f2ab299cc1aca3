"""The paired stream: what a removal changes, and what it leaves."""

import torch

from leavekout.base.noise import Domain
from leavekout.training.stream import Samples, Stream


def stream(removed: list[int], *, images: int = 50, seed: int = 0) -> Stream:
    return Stream(
        images=images,
        flips=2,
        captions=5,
        timesteps=1000,
        caption_dropout=0.1,
        removed=torch.tensor(removed, dtype=torch.int64),
        seed=seed,
        domain=Domain.TRAINING,
    )


def rows(removed: list[int], stop: int = 500) -> torch.Tensor:
    return stream(removed).samples(0, stop).rows


def test_each_epoch_shows_every_image_once() -> None:
    for epoch in rows([]).split(50):
        assert sorted(epoch.tolist()) == list(range(50))


def test_epochs_have_different_orders() -> None:
    first, second, *_ = rows([]).split(50)
    assert not torch.equal(first, second)


def test_removed_images_never_appear_and_all_other_places_stay() -> None:
    removed = [3, 17, 40, 41]
    before, after = rows([]), rows(removed)
    was_removed = torch.isin(before, torch.tensor(removed))
    assert not torch.isin(after, torch.tensor(removed)).any()
    assert torch.equal(before[~was_removed], after[~was_removed])


def test_a_replacement_depends_on_the_place_alone() -> None:
    # Another removal set that also lacks image 3 puts the same image in its places, unless that
    # image is itself removed.
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
    left = rows(list(range(49)))
    assert (left == 49).all()


def test_another_seed_is_another_stream() -> None:
    assert not torch.equal(stream([]).samples(0, 50).rows, stream([], seed=1).samples(0, 50).rows)
