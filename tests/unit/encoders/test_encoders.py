"""Encoders: written in the published formats, read by the published loaders."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pandas as pd
import pytest
import torch

from leavekout.base.artifacts import save_table
from leavekout.base.errors import InputError
from leavekout.config.encoders import ClipTraining, VaeTraining
from leavekout.data import coco
from leavekout.encoders.cleaning import cleaned, distinct
from leavekout.encoders.clip import ClipImageEncoder
from leavekout.encoders.text import TextEncoder, padded_tokens, write_text
from leavekout.encoders.train_clip import build_tokenizer, save_clip, to_transformers, train_clip
from leavekout.encoders.train_vae import train_vae
from leavekout.encoders.vae import decode_latents, encode_images, load_vae, write_latents
from world import CPU, SAVING

CLIP = ClipTraining(
    width=8, layers=2, heads=2, patch_size=4, context_length=12, epochs=1, batch_size=4,
    learning_rate=1e-3, seed=0,
)  # fmt: skip
VAE = VaeTraining(
    channels=[8, 8], latent_channels=4, norm_groups=4, epochs=3, batch_size=4,
    learning_rate=1e-3, kl_weight=1e-5, seed=0,
)  # fmt: skip
CAPTIONS = [[f"a handwritten {n}", f"the digit {n}, it's said"] for n in range(8)]


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def clip(pixels: np.ndarray) -> open_clip.CLIP:
    return train_clip(pixels, CAPTIONS, CLIP, CPU)


def test_fewer_images_than_a_batch_are_trained_for_as_many_epochs(pixels: np.ndarray) -> None:
    for train, config in (
        (lambda c: train_vae(pixels, c, CPU), VAE),
        (lambda c: train_clip(pixels, CAPTIONS, c, CPU), CLIP.model_copy(update={"epochs": 3})),
    ):
        whole, larger = (
            train(config.model_copy(update={"batch_size": size})).state_dict() for size in (8, 99)
        )
        assert all(torch.equal(whole[name], larger[name]) for name in whole)


def test_tokenizers_of_both_libraries_agree() -> None:
    texts = ["a handwritten seven", "A  Photo of 3 dogs, really?", "it's", "naïve café", ""]
    texts.append("x " * 40)
    expected = open_clip.SimpleTokenizer(context_length=12)(texts)
    padded: Any = {"padding": "max_length", "truncation": True, "max_length": 12}
    found = build_tokenizer(12)(texts, **padded, return_tensors="pt")
    assert torch.equal(found.input_ids, expected)


UNESCAPED_AGAIN = "&amp;" * 9 + "lt;"  # open_clip unescapes twice, which is not enough
ODD_TEXTS = [
    "“a dog’s” day — ‘tis…", "ﬁne ﬂower oﬃce", "caf&eacute; &amp;amp; bar", "Ａ ｒｅｄ １２３",
    "nai\u0308ve", "e&#769;te", "cafÃ© crÃ¨me", "\ufeffa\u200bb\u00adc", "½ ² ①", "ｶﾞｷﾞ",
    "\x1b[31mred\x1b[0m", "a\u2028b\x0cc", "🐶 &#x1F600; 犬", "&ldquo;q&rdquo; &copy &nothing;",
    "straße İ Å", "", UNESCAPED_AGAIN,
]  # fmt: skip


def test_both_tokenizers_read_the_same_of_a_cleaned_text() -> None:
    ours, theirs = build_tokenizer(40), open_clip.SimpleTokenizer(context_length=40)
    clean = [cleaned(text) for text in ODD_TEXTS]
    assert [cleaned(text) for text in clean] == clean
    found = padded_tokens(ours, ODD_TEXTS, 40)
    assert torch.equal(found, theirs(clean))
    assert torch.equal(found[:-1], theirs(ODD_TEXTS[:-1]))


def test_tokens_of_plain_texts_are_clip_s() -> None:
    found = padded_tokens(
        build_tokenizer(9), ["a photo of a cat", "A  Photo of 3 dogs, really?"], 9
    )
    assert found.tolist() == [
        [49406, 320, 1125, 539, 320, 2368, 49407, 0, 0],
        [49406, 320, 1125, 539, 274, 3255, 267, 1414, 49407],  # cut before the question mark
    ]


def text_encoder(length: int) -> TextEncoder:
    config = type("Config", (), {"max_position_embeddings": length})
    return TextEncoder(build_tokenizer(length), type("Model", (), {"config": config}))


def test_prompts_with_the_tokens_of_a_training_caption_are_not_held_out(tmp_path: Path) -> None:
    captions = ["A red  square.", "it’s &amp; more", "a b c d e f g h 1"]
    prompts = [
        "a red square.",
        "It's & more",
        "a b c d e f g h 2",
        "a b c",
        "A B C",
        "a red square",
    ]
    coco.write_annotations(tmp_path / "p.json", [], [(0, prompt) for prompt in prompts])
    save_table(tmp_path / "i.parquet", pd.DataFrame({"captions": [captions]}))
    files = tmp_path / "p.json", tmp_path / "i.parquet"
    found = coco.held_out_prompts(*files, text_encoder(9).readings)
    assert found == ["a b c", "a red square"]
    assert "a b c d e f g h 2" in coco.held_out_prompts(*files, text_encoder(11).readings)


def test_cut_texts_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    texts = ["a b", "a b c", "a b c d"]
    text_encoder(5).report_cut(texts, "captions")
    assert caplog.messages == ["1 of 3 captions are cut, because the text encoder reads 5 tokens"]
    text_encoder(6).report_cut(texts, "captions")
    assert len(caplog.messages) == 1


def test_distinct_texts_take_no_more_memory_than_the_texts() -> None:
    texts = [f"text {i % 700}" for i in range(2000)] + ["x" * 50_000]
    expected = np.unique(texts[:-1], return_inverse=True)
    tracemalloc.start()
    found = distinct(texts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found[0] == [*expected[0].tolist(), texts[-1]]
    assert found[1].tolist() == [*expected[1].tolist(), 700]
    assert peak < 1e6  # np.unique takes 400 MB


@torch.no_grad()
def test_text_states_equal_the_open_clip_tower_s(tmp_path: Path, clip: open_clip.CLIP) -> None:
    to_transformers(clip, CLIP).save_pretrained(tmp_path / "text_encoder")
    build_tokenizer(12).save_pretrained(tmp_path / "tokenizer")
    encoder = TextEncoder.load(tmp_path / "tokenizer", tmp_path / "text_encoder", CPU)
    texts = ["a handwritten 3", "the digit 7", ""]
    tokens = open_clip.SimpleTokenizer(context_length=12)(texts)
    states = clip.token_embedding(tokens) + clip.positional_embedding
    expected = clip.ln_final(clip.transformer(states, attn_mask=clip.attn_mask))
    torch.testing.assert_close(encoder(texts), expected, rtol=1e-5, atol=1e-6)

    write_text(tmp_path / "text.npy", encoder, CAPTIONS, batch=6, **SAVING)
    written = np.load(tmp_path / "text.npy")
    assert written.shape == (8, 2, 12, 8)
    np.testing.assert_allclose(written[5, 1], encoder([CAPTIONS[5][1]])[0], atol=2e-3)


@torch.no_grad()
def test_image_embeddings_equal_the_open_clip_tower_s(
    tmp_path: Path, clip: open_clip.CLIP, pixels: np.ndarray
) -> None:
    save_clip(clip, CLIP, 8, tmp_path / "clip")
    found = ClipImageEncoder.load(tmp_path / "clip", CPU)(pixels)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255.0
    expected = clip.encode_image((images - 0.5) / 0.5, normalize=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(8))


def test_latents_have_unit_variance_and_decode_to_images(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    train_vae(pixels, VAE, CPU).save_pretrained(tmp_path / "vae")
    vae = load_vae(tmp_path / "vae", CPU)
    latents = encode_images(vae, pixels, CPU)
    assert latents.shape == (8, 4, 4, 4)
    assert latents.std().item() == pytest.approx(1, abs=1e-4)
    decoded = decode_latents(vae, latents)
    assert decoded.shape == pixels.shape
    assert decoded.dtype == np.uint8

    write_latents(tmp_path / "latents.npy", vae, pixels, flips=2, batch=3, device=CPU, **SAVING)
    written = np.load(tmp_path / "latents.npy")
    flipped = encode_images(vae, pixels[:, :, ::-1], CPU)
    np.testing.assert_allclose(written[:, 0], latents, atol=2e-3)
    np.testing.assert_allclose(written[:, 1], flipped, atol=2e-3)


@pytest.mark.parametrize("kind", ["vae", "clip", "text"])
def test_a_folder_without_an_encoder_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    load: dict[str, Callable[[], object]] = {
        "vae": lambda: load_vae(tmp_path, CPU),
        "clip": lambda: ClipImageEncoder.load(tmp_path, CPU),
        "text": lambda: TextEncoder.load(tmp_path, tmp_path, CPU),
    }
    with pytest.raises(InputError, match="not a folder of a"):
        load[kind]()


def test_sampled_latents_are_those_of_their_images_whatever_the_batch(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    """μ + σ ε: ε is standard normal, and belongs to an image's id and flip."""
    vae, ids = train_vae(pixels, VAE, CPU), np.arange(8) * 7 + 3
    arrays: list[np.ndarray] = []
    for batch, chosen in ((8, slice(None)), (3, slice(None)), (3, slice(4, None))):
        path = tmp_path / f"{len(arrays)}.npy"
        write_latents(
            path, vae, pixels[chosen], flips=2, batch=batch, device=CPU,
            sampled_by=ids[chosen], **SAVING,
        )  # fmt: skip
        arrays.append(np.load(path).astype(np.float64))
    np.testing.assert_allclose(arrays[1], arrays[0], atol=2e-3)
    np.testing.assert_allclose(arrays[2], arrays[0][4:], atol=2e-3)
    epsilon = []
    for flip, part in enumerate((pixels, pixels[:, :, ::-1].copy())):
        signed = torch.from_numpy(part).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.no_grad():
            posterior = vae.encode(signed).latent_dist
        sample = torch.from_numpy(arrays[0][:, flip]) / vae.config.scaling_factor
        epsilon.append((sample - posterior.mean) / posterior.std)
    both = torch.stack(epsilon)
    assert abs(float(both.mean())) < 0.1
    assert float(both.std()) == pytest.approx(1, abs=0.1)
    assert abs(float(torch.corrcoef(both.flatten(1))[0, 1])) < 0.2
