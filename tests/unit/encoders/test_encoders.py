"""Encoders: written in the published formats, read by the published loaders."""

import math
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import open_clip
import pandas as pd
import pytest
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from leavekout.base.artifacts import save_table
from leavekout.base.errors import InputError
from leavekout.config.encoders import ClipTraining, VaeTraining
from leavekout.data import coco
from leavekout.encoders.cleaning import cleaned, distinct
from leavekout.encoders.clip import ClipImageEncoder
from leavekout.encoders.text import TextEncoder, load_tokenizer, padded_tokens, write_text
from leavekout.encoders.train_clip import (
    build_tokenizer,
    clip_config,
    save_clip,
    to_transformers,
    train_clip,
)
from leavekout.encoders.train_vae import train_vae
from leavekout.encoders.vae import (
    decode_latents,
    encode_images,
    load_vae,
    to_signed_range,
    write_latents,
)
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
    "straße İ Å ΟΔΟΣ", "so! <|endoftext|>", "", UNESCAPED_AGAIN,
]  # fmt: skip


def test_both_tokenizers_read_the_same_of_a_cleaned_text() -> None:
    ours, theirs = build_tokenizer(40), open_clip.SimpleTokenizer(context_length=40)
    clean = [cleaned(text) for text in ODD_TEXTS]
    assert [cleaned(text) for text in clean] == clean
    found = padded_tokens(ours, ODD_TEXTS, 40)
    assert torch.equal(found, theirs(clean))
    assert torch.equal(found[:-1], theirs(ODD_TEXTS[:-1]))


# Between the tokens of start and end. The first five are in the documentation and tests of others.
TOKENS = {
    "a photo of a cat": [320, 1125, 539, 320, 2368],
    "A PHOTO of  a Cat!": [320, 1125, 539, 320, 2368, 256],
    "Hello, world!": [3306, 267, 1002, 256],
    "! !! !!!": [256, 748, 995],
    "You should've done this": [592, 1535, 1200, 1700, 589],
    "“a dog’s” day": [257, 320, 1929, 568, 257, 575],
    "ﬁne oﬃce": [3797, 2171],
    "caf&eacute; &amp;amp; bar": [15304, 261, 2411],
    "Ａ ｒｅｄ １２３": [320, 736, 272, 273, 274],
    "e&#769;te": [3459, 756],
    "ΟΔΟΣ ΣΑΣ": [138, 123, 138, 112, 138, 123, 139, 480, 139, 225, 138, 109, 139, 480],
    "🐶": [10631],
    "": [],
}


@pytest.mark.parametrize(("padding", "number"), [("!", 0), ("<|endoftext|>", 49407)])
def test_tokens_are_those_that_clip_was_trained_on(
    padding: str, number: int, tmp_path: Path
) -> None:
    """Stable Diffusion 2 and what is trained here pad with "!", Stable Diffusion 1 with the end."""
    tokenizer = build_tokenizer(20)
    tokenizer.pad_token = padding
    tokenizer.save_pretrained(tmp_path)
    whole = [[49406, *tokens, 49407] for tokens in TOKENS.values()]
    expected = [tokens + [number] * (20 - len(tokens)) for tokens in whole]
    found = padded_tokens(load_tokenizer(tmp_path), [*TOKENS], 20)
    assert found.tolist() == expected
    assert padded_tokens(tokenizer, ["a photo of a cat"], 4).tolist() == [[49406, 320, 1125, 49407]]
    theirs = open_clip.SimpleTokenizer(context_length=20)
    assert [theirs.encode(cleaned(text)) for text in TOKENS] == [*TOKENS.values()]


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
    expected = clip.encode_image((images - 0.5) / 0.5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


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


def plain_steps(
    optimizer: torch.optim.Optimizer, learning_rate: float, epochs: int
) -> Iterator[torch.Tensor]:
    """The rows of each step, for 8 images in batches of 4; the rate falls along a cosine."""
    for step in range(2 * epochs):
        if step % 2 == 0:
            order = torch.randperm(8)
        rate = learning_rate * (1 + math.cos(math.pi * step / (2 * epochs))) / 2
        optimizer.param_groups[0]["lr"] = rate
        yield order[step % 2 * 4 :][:4]


def test_the_vae_s_training_equals_a_plain_loop(pixels: np.ndarray) -> None:
    config = VAE.model_copy(update={"kl_weight": 0.05, "learning_rate": 1e-2})
    found = train_vae(pixels, config, CPU)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        plain: Any = AutoencoderKL.from_config(dict(found.config))
        optimizer = torch.optim.AdamW(plain.parameters())
        for rows in plain_steps(optimizer, config.learning_rate, config.epochs):
            mean, log_variance = plain.quant_conv(plain.encoder(images[rows])).chunk(2, 1)
            z = mean + (log_variance / 2).exp() * torch.randn(mean.shape)
            error = (plain.decode(z).sample - images[rows]).square().mean()
            divergence = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
            loss = error + config.kl_weight * divergence.flatten(1).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    # Not the weights, since rounding alone moves those that the output does not depend on.
    with torch.no_grad():
        for part in (
            lambda vae: vae.encode(images).latent_dist.parameters,
            lambda vae: vae(images)[0],
        ):
            torch.testing.assert_close(part(found), part(plain), rtol=1e-3, atol=1e-4)


def test_clip_s_training_equals_a_plain_loop(pixels: np.ndarray) -> None:
    config = CLIP.model_copy(update={"epochs": 3})
    found = train_clip(pixels, CAPTIONS, config, CPU)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1
    tokens = torch.stack([open_clip.SimpleTokenizer(context_length=12)(t) for t in CAPTIONS])
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        plain = open_clip.CLIP(**clip_config(config, 8))
        optimizer = torch.optim.AdamW(plain.parameters(), weight_decay=0.1)
        for rows in plain_steps(optimizer, config.learning_rate, config.epochs):
            texts = tokens[rows, torch.randint(2, (4,))]
            image, text = plain.encode_image(images[rows]), plain.encode_text(texts)
            cosines = functional.cosine_similarity(image[:, None], text[None], dim=2)
            logits, own = plain.logit_scale.exp() * cosines, torch.arange(4)
            of_images = functional.cross_entropy(logits, own)
            of_texts = functional.cross_entropy(logits.T, own)
            optimizer.zero_grad()
            ((of_images + of_texts) / 2).backward()
            optimizer.step()
    with torch.no_grad():
        for ours, theirs in zip(
            found(images, tokens[:, 0]), plain(images, tokens[:, 0]), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_clip_s_logits_are_at_most_100_cosines(
    pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sharp(**arguments: Any) -> open_clip.CLIP:
        model = open_clip.CLIP(**arguments)
        model.logit_scale.data.fill_(5.0)
        return model

    monkeypatch.setattr("leavekout.encoders.train_clip.CLIP", sharp)
    scale = train_clip(pixels, CAPTIONS, CLIP, CPU).logit_scale.exp().item()
    assert scale == pytest.approx(100, rel=0.01)


def test_pixels_are_scaled_to_the_signed_range_and_back() -> None:
    grey = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3, 1).repeat(3, 3)
    assert to_signed_range(grey)[0, 0, 0].tolist() == pytest.approx([-1, -0.6, 1])
    images = torch.tensor([-1.2, -0.6, 0.3, 1]).reshape(1, 1, 1, 4).expand(1, 3, 1, 4)
    vae = SimpleNamespace(
        config=SimpleNamespace(scaling_factor=0.5), decode=lambda z: SimpleNamespace(sample=z)
    )
    assert decode_latents(vae, 0.5 * images)[0, 0, :, 0].tolist() == [0, 51, 166, 255]


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
