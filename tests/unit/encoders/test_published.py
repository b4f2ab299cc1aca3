"""Published artifacts: accepted when they fit, refused in a sentence when not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from leavekout.base.errors import InputError
from leavekout.encoders.published import import_latents, import_text, read_weights
from leavekout.models.denoiser import build_denoiser
from project import copy_project, planned
from world import CPU, MODEL, SAVING, unet_with

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 3), dtype=np.uint8)
CAPTIONS = [[f"caption {n} of {image}" for n in range(2)] for image in range(12)]
IN_ORDER, OF_CAPTIONS = np.arange(12), np.tile(np.arange(2), (12, 1))


def encode(pixels: np.ndarray) -> np.ndarray:
    """Latents [B, 3, 4, 4] that differ between images and flips."""
    return (pixels.astype(np.float32) / 127.5 - 1).transpose(0, 3, 1, 2)


def states(texts: Sequence[str]) -> np.ndarray:
    """States [B, 3, 5] that differ between captions."""
    drawn = [np.random.default_rng(list(text.encode())).standard_normal((3, 5)) for text in texts]
    return np.array(drawn, np.float32)


def published_latents() -> np.ndarray:
    """All images, then all flips."""
    return np.concatenate([encode(PIXELS), encode(PIXELS[:, :, ::-1])])


def test_latents_are_converted_to_our_layout(tmp_path: Path) -> None:
    theirs = published_latents() + 0.05  # of a slightly other encoder
    np.save(tmp_path / "theirs.npy", theirs)
    out = tmp_path / "latents.npy"
    import_latents(tmp_path / "theirs.npy", out, encode, PIXELS, IN_ORDER, flips=2, **SAVING)
    latents = np.load(out)
    assert (latents.shape, latents.dtype) == ((12, 2, 3, 4, 4), np.float16)
    np.testing.assert_array_equal(latents[7, 1], theirs[12 + 7].astype(np.float16))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("order", "row 0 is not what the encoders make of that row"),
        ("scale", "times as long"),
        ("flips interleaved", "is not what the encoders make"),
        ("shape", r"shape \(23, 3, 4, 4\), but \(24, 3, 4, 4\) are needed"),
        ("nan", "row 11 has values that are NaN"),
        ("nan between", "row 17 has values that are NaN"),  # one of the rows that are not compared
        ("too large", "row 5 has values that are NaN, infinite or too large"),
    ],
)
def test_other_latents_are_refused(tmp_path: Path, change: str, message: str) -> None:
    theirs = published_latents()
    match change:
        case "order":
            theirs = np.concatenate([theirs[:12][::-1], theirs[12:][::-1]])
        case "scale":
            theirs = theirs / 0.18215
        case "flips interleaved":
            theirs = np.stack([theirs[:12], theirs[12:]], 1).reshape(24, 3, 4, 4)
        case "shape":
            theirs = theirs[:-1]
        case "nan":
            theirs[11] = np.nan
        case "nan between":
            theirs[17, 0, 0, 0] = np.nan
        case "too large":
            theirs[5, 0, 0, 0] = 1e6
    np.save(tmp_path / "theirs.npy", theirs)
    out = tmp_path / "latents.npy"
    with pytest.raises(InputError, match=message):
        import_latents(tmp_path / "theirs.npy", out, encode, PIXELS, IN_ORDER, flips=2, **SAVING)
    assert not out.exists()


def test_text_states_are_checked_and_copied(tmp_path: Path) -> None:
    theirs = np.stack([states(texts) for texts in CAPTIONS]).astype(np.float16)
    np.save(tmp_path / "theirs.npy", theirs)
    order = IN_ORDER, OF_CAPTIONS
    import_text(tmp_path / "theirs.npy", tmp_path / "text.npy", states, CAPTIONS, *order, **SAVING)
    np.testing.assert_array_equal(np.load(tmp_path / "text.npy"), theirs)
    single = [texts[:1] for texts in CAPTIONS]
    np.save(tmp_path / "single.npy", theirs[:, :1])
    first = IN_ORDER, OF_CAPTIONS[:, :1]
    import_text(tmp_path / "single.npy", tmp_path / "one.npy", states, single, *first, **SAVING)
    infinite = theirs.copy()
    infinite[3, 1, 0, 0] = np.inf
    np.save(tmp_path / "infinite.npy", infinite)
    with pytest.raises(InputError, match="row 3 has values that are NaN, infinite"):
        import_text(
            tmp_path / "infinite.npy", tmp_path / "i.npy", states, CAPTIONS, *order, **SAVING
        )
    np.save(tmp_path / "theirs.npy", theirs[:, ::-1])
    with pytest.raises(InputError, match="row 0 is not what the encoders make"):
        import_text(
            tmp_path / "theirs.npy", tmp_path / "other.npy", states, CAPTIONS, *order, **SAVING
        )


def test_arrays_in_another_order_are_permuted(tmp_path: Path) -> None:
    drawn = np.random.default_rng(1)
    places, of_captions = drawn.permutation(12), drawn.permuted(OF_CAPTIONS, axis=1)
    latents = published_latents()
    theirs = np.empty_like(latents)
    theirs[np.concatenate([places, 12 + places])] = latents
    np.save(tmp_path / "latents.npy", theirs)
    text = np.stack([states(texts) for texts in CAPTIONS]).astype(np.float16)
    permuted = np.empty_like(text)
    permuted[places[:, None], of_captions] = text
    np.save(tmp_path / "text.npy", permuted)
    out = tmp_path / "our-latents.npy", tmp_path / "our-text.npy"
    import_latents(tmp_path / "latents.npy", out[0], encode, PIXELS, places, flips=2, **SAVING)
    import_text(tmp_path / "text.npy", out[1], states, CAPTIONS, places, of_captions, **SAVING)
    np.testing.assert_array_equal(
        np.load(out[0]), np.stack([latents[:12], latents[12:]], 1).astype(np.float16)
    )
    np.testing.assert_array_equal(np.load(out[1]), text)
    with pytest.raises(InputError, match=r"row 0 is not .*the order \('published.order'\)"):
        import_latents(
            tmp_path / "latents.npy", tmp_path / "x", encode, PIXELS, IN_ORDER, flips=2, **SAVING
        )


def test_rows_in_another_order_are_refused_though_all_are_alike(tmp_path: Path) -> None:
    """Their differences are compared, not what all of them share."""

    def alike(texts: Sequence[str]) -> np.ndarray:
        return 10 + states(texts)

    theirs = np.stack([alike(texts) for texts in CAPTIONS])
    np.save(tmp_path / "theirs.npy", theirs)
    rest: Any = (tmp_path / "text.npy", alike, CAPTIONS, IN_ORDER, OF_CAPTIONS)
    import_text(tmp_path / "theirs.npy", *rest, **SAVING)
    np.save(tmp_path / "turned.npy", theirs[::-1])
    with pytest.raises(InputError, match="row 0 is not what the encoders make"):
        import_text(tmp_path / "turned.npy", *rest, **SAVING)


def test_a_source_model_is_read_from_either_format(tmp_path: Path) -> None:
    denoiser: Any = build_denoiser(MODEL, seed=3, device=CPU)
    torch.save(denoiser.state_dict(), tmp_path / "model.pth")
    denoiser.save_pretrained(tmp_path)
    for path in (tmp_path / "model.pth", tmp_path / "diffusion_pytorch_model.safetensors"):
        weights = read_weights(path, MODEL)
        assert all(torch.equal(weights[name], p) for name, p in denoiser.state_dict().items())
    with pytest.raises(InputError, match=r"model.pth: does not fit the configuration"):
        read_weights(tmp_path / "model.pth", unet_with(cross_attention_dim=7))
    broken = denoiser.state_dict() | {"conv_in.bias": torch.full((8,), 1e300, dtype=torch.float64)}
    torch.save(broken, tmp_path / "broken.pth")
    with pytest.raises(InputError, match=r"broken.pth: values in the weight 'conv_in.bias' are Na"):
        read_weights(tmp_path / "broken.pth", MODEL)
    torch.save({"conv_in.bias": torch.zeros(8, dtype=torch.int8)}, tmp_path / "int8.pth")
    with pytest.raises(InputError, match=r"int8.pth: .* 'conv_in.bias' is stored as torch.int8"):
        read_weights(tmp_path / "int8.pth", MODEL)
    torch.save({"model": [1]}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other.pth: does not fit"):
        read_weights(tmp_path / "other.pth", MODEL)


def test_rules_import_what_is_published(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    files = "published={source_model: a.safetensors, latents: b.npy, text: c.npy}"
    config = ["--configfile", "config/coco.yaml", "--config", files, "methods=[pixel]"]
    jobs = planned(project, *config, "--", "results/coco/losses/source/loss.npy")
    assert {"import_source", "import_latents", "import_text"} <= set(jobs)
    assert not {"train_source", "encode_latents", "encode_text"} & set(jobs)
