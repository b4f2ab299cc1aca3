"""Customized models: files as diffusers writes them, tokens, exemplars, and the training."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers.models.attention_processor import CustomDiffusionAttnProcessor
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from leavekout.base.errors import InputError
from leavekout.base.noise import Domain, normal, random_uint32
from leavekout.base.tensors import save_tensors
from leavekout.config.experiment import LossSweep
from leavekout.customized import exemplars as ex
from leavekout.customized.collection import given_queries
from leavekout.customized.config import Customization
from leavekout.customized.custom_diffusion import read_token, read_weights, write_customization
from leavekout.customized.customize import customize
from leavekout.customized.tokens import (
    add_tokens,
    captions_with_tokens,
    captions_without_tokens,
    token_of,
)
from leavekout.encoders.text import TextEncoder
from leavekout.encoders.train_clip import build_tokenizer
from leavekout.encoders.vae import encode_images, write_latents
from leavekout.methods.unlearning.settings import Unlearning
from leavekout.methods.unlearning.steps import unlearn
from leavekout.models.denoiser import build_denoiser, load_denoiser, select_weights
from leavekout.models.process import build_process
from leavekout.sweeps.losses import training_losses
from reference import plain_errors
from world import CPU, MODEL, SAVING, make_data, one_query, unet_with

WIDTH, LENGTH = 6, 12
LOSSES = LossSweep(timestep_stride=5, captions=1, seed=0)
TRAINING = Customization(
    steps=4, batch_size=3, learning_rate=1e-2, weight_decay=0.0, prior_weight=1.0,
    initial_word="digit", seed=0,
)  # fmt: skip


def process() -> Any:
    return build_process(MODEL)


@pytest.fixture
def denoiser() -> Any:
    return build_denoiser(MODEL, seed=0, device=CPU)


@pytest.fixture
def encoder() -> TextEncoder:
    size = {"hidden_size": WIDTH, "intermediate_size": 8, "max_position_embeddings": LENGTH}
    config = CLIPTextConfig(num_hidden_layers=1, num_attention_heads=2, **size)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TextEncoder(build_tokenizer(LENGTH), CLIPTextModel(config).eval())


def as_diffusers(denoiser: Any, *, query_and_out: bool) -> Any:
    """A copy whose cross-attention is customized by diffusers' own processors, at random."""
    custom = copy.deepcopy(denoiser)
    torch.manual_seed(1)
    processors: dict[str, Any] = {}
    for name in custom.attn_processors:
        cross = "attn2" in name
        attention = custom.get_submodule(name.removesuffix(".processor"))
        processors[name] = CustomDiffusionAttnProcessor(
            train_kv=cross,
            train_q_out=cross and query_and_out,
            hidden_size=attention.to_q.weight.shape[0] if cross else None,
            cross_attention_dim=WIDTH if cross else None,
        )
    custom.set_attn_processor(processors)
    return custom


def outputs(denoiser: Any) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 4, 4, 4, generator=generator)
    text = torch.randn(2, 5, WIDTH, generator=generator)
    with torch.no_grad():
        return denoiser(x, torch.tensor([3, 8]), text)


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("query_and_out", [True, False])
def test_weights_that_diffusers_saved_make_the_same_model(
    denoiser: Any, tmp_path: Path, safe: bool, query_and_out: bool
) -> None:
    theirs = as_diffusers(denoiser, query_and_out=query_and_out)
    theirs.save_attn_procs(tmp_path / "model", safe_serialization=safe)
    save_tensors(tmp_path / "base.safetensors", denoiser.state_dict())
    weights = read_weights(tmp_path / "model", denoiser)
    save_tensors(tmp_path / "changes.safetensors", weights)
    files = [tmp_path / "base.safetensors", tmp_path / "changes.safetensors"]
    ours = load_denoiser(MODEL, files, device=CPU)
    assert (outputs(denoiser) - outputs(theirs)).abs().max() > 1e-2
    torch.testing.assert_close(outputs(ours), outputs(theirs), atol=1e-6, rtol=1e-5)


def test_diffusers_reads_what_we_write(denoiser: Any, tmp_path: Path) -> None:
    weights = {
        n: torch.randn_like(p) for n, p in select_weights(denoiser, "cross_attention_kv").items()
    }
    write_customization(tmp_path / "model", weights, torch.arange(WIDTH))
    ours = copy.deepcopy(denoiser)
    ours.load_state_dict(weights, strict=False)
    theirs = as_diffusers(denoiser, query_and_out=False)
    # What `load_attn_procs` does; it sets processors only where a pipeline calls it.
    read = load_file(tmp_path / "model" / "pytorch_custom_diffusion_weights.safetensors")
    theirs.set_attn_processor({**theirs.attn_processors, **theirs._process_custom_diffusion(read)})
    torch.testing.assert_close(outputs(ours), outputs(theirs), atol=1e-6, rtol=1e-5)
    assert read_token(tmp_path / "model").tolist() == list(range(WIDTH))


def test_weights_of_another_base_are_refused(denoiser: Any, tmp_path: Path) -> None:
    other = build_denoiser(unet_with(cross_attention_dim=8), seed=0, device=CPU)
    weights = select_weights(other, "cross_attention_kv")
    write_customization(tmp_path / "model", weights, torch.zeros(WIDTH))
    with pytest.raises(InputError, match=r"does not fit the base model;.*to_k.*\(8, 8\) in the f"):
        read_weights(tmp_path / "model", denoiser)
    write_customization(tmp_path / "odd", {"x.to_k.weight": torch.zeros(1)}, torch.zeros(WIDTH))
    with pytest.raises(InputError, match=r"'x.to_k.weight': \(1,\) in the file, absent in the mo"):
        read_weights(tmp_path / "odd", denoiser)
    with pytest.raises(InputError, match=r"customized model's weights is missing; expected 'pytor"):
        read_weights(tmp_path, denoiser)


def test_a_token_is_read_from_exactly_one_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"token's embedding is missing; expected '<new1>.safeten"):
        read_token(tmp_path)
    for name in ("<new1>", "<new2>"):
        torch.save({name: torch.zeros(3)}, tmp_path / f"{name}.bin")
    with pytest.raises(InputError, match="is in several files"):
        read_token(tmp_path)
    (tmp_path / "<new2>.bin").unlink()
    torch.save({"<new1>": torch.zeros(3, 2)}, tmp_path / "<new1>.bin")
    with pytest.raises(InputError, match="not the embedding of one token"):
        read_token(tmp_path)
    torch.save({"<new1>": torch.arange(WIDTH)}, tmp_path / "<new1>.bin")  # as diffusers does
    assert read_token(tmp_path).tolist() == list(range(WIDTH))


def test_each_models_token_has_its_own_state_and_other_texts_keep_theirs(
    encoder: TextEncoder,
) -> None:
    before = encoder(["a handwritten three", ""])
    add_tokens(encoder.tokenizer, encoder.model, {"cat": torch.randn(WIDTH), "ink": torch.randn(6)})
    torch.testing.assert_close(encoder(["a handwritten three", ""]), before, atol=0, rtol=0)
    cat, ink = encoder([f"a {token_of('cat')} three", f"a {token_of('ink')} three"])
    assert (cat - ink).abs().max() > 1e-3
    ids = encoder.tokenizer([f"a {token_of('cat')} three"]).input_ids[0]
    assert len(ids) == 5  # start, a, <cat>, three, end
    with pytest.raises(InputError, match=r"has shape \(4,\), but the base model's text encoder"):
        add_tokens(encoder.tokenizer, encoder.model, {"dog": torch.ones(4)})


def table() -> pd.DataFrame:
    names = ["image_id", "file_name", "captions"]
    pool = pd.DataFrame([(4, "a.png", ["V* x"]), (9, "b.png", ["y"])], columns=names)
    of_cat = pd.DataFrame([(1, "c.png", ["a V* cat"])], columns=names)
    return ex.combined_table(pool, {"cat": of_cat, "ink": of_cat})


def test_exemplars_come_after_the_pool_with_ids_of_their_own() -> None:
    assert table()["image_id"].tolist() == [4, 9, 10, 11]
    assert table()["file_name"].tolist()[2:] == ["cat/exemplars/c.png", "ink/exemplars/c.png"]
    assert ex.pool_rows(table()).tolist() == [True, True, False, False]
    assert ex.candidates(table(), "ink-q000").tolist() == [0, 1, 3]
    assert table()["trained"].tolist() == [True, True, False, False]
    assert table()["captions_for_encoders"].tolist() == captions_without_tokens(table())


def test_the_placeholder_is_a_token_for_one_encoder_and_nothing_for_another() -> None:
    assert captions_with_tokens(table()) == [["V* x"], ["y"], ["a <cat> cat"], ["a <ink> cat"]]
    assert captions_without_tokens(table()) == [["V* x"], ["y"], ["a cat"], ["a cat"]]


def test_an_exemplar_of_the_pool_is_refused() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 2, 2, 3), dtype=np.uint8)
    pixels[3] = pixels[2]  # two models may share an exemplar
    ex.refuse_shared(pixels, table())
    pixels[1] = pixels[2]
    with pytest.raises(InputError, match=r"exemplars/c.png: this exemplar .* pool, as 'b.png'"):
        ex.refuse_shared(pixels, table())


def test_customizing_moves_keys_values_and_token_alone(denoiser: Any, encoder: TextEncoder) -> None:
    data = make_data()
    data.held_out = torch.tensor([10, 11])
    captions = {10: [f"a {token_of('cat')}"], 11: [f"the {token_of('cat')}"]}
    start = copy.deepcopy(denoiser.state_dict())
    words = encoder.model.get_input_embeddings().weight.detach().clone()
    weights, token = customize(denoiser, process(), encoder, data, captions, "cat", TRAINING)
    moved = {name for name, p in denoiser.state_dict().items() if not torch.equal(p, start[name])}
    assert moved == set(weights) == set(select_weights(denoiser, "cross_attention_kv"))
    initial = words[encoder.tokenizer("digit", add_special_tokens=False).input_ids[0]]
    assert token.shape == (WIDTH,)
    assert not torch.equal(token, initial)
    after = encoder.model.get_input_embeddings().weight.detach()[: len(words)]
    assert torch.equal(after, words)


def test_the_pool_counts_by_its_weight_alone(denoiser: Any, encoder: TextEncoder) -> None:
    def token(prior_weight: float, shift: float) -> Tensor:
        data = make_data()
        data.held_out = torch.tensor([10, 11])
        assert data.latents.tensor is not None
        data.latents.tensor[:10] += shift
        config = TRAINING.model_copy(update={"prior_weight": prior_weight})
        captions = {10: [f"a {token_of('cat')}"]}
        own = copy.deepcopy(denoiser), process(), copy.deepcopy(encoder)
        return customize(*own, data, captions, "cat", config)[1]

    assert torch.equal(token(0.0, shift=0.0), token(0.0, shift=1.0))
    assert not torch.equal(token(1.0, shift=0.0), token(1.0, shift=1.0))


def test_customizing_equals_a_plain_loop(denoiser: Any, encoder: TextEncoder) -> None:
    """The loss of exemplars, plus the weighted loss of as many images of the pool."""
    data = make_data(dtype=torch.float64)
    data.held_out = torch.tensor([10, 11])
    captions = {10: [f"a {token_of('cat')}", f"my {token_of('cat')}"], 11: [token_of("cat")] * 2}
    config = TRAINING.model_copy(update={"prior_weight": 0.3})
    denoiser.double()
    plain, words = copy.deepcopy(denoiser), copy.deepcopy(encoder)
    found, token = customize(denoiser, process(), encoder, data, captions, "cat", config)

    table = words.model.get_input_embeddings().weight
    start = table[words.tokenizer("digit", add_special_tokens=False).input_ids[0]].detach()
    add_tokens(words.tokenizer, words.model, {"cat": start})
    table = words.model.get_input_embeddings().weight
    own = words.tokenizer.convert_tokens_to_ids(token_of("cat"))
    weights = select_weights(plain, "cross_attention_kv")
    optimizer = torch.optim.AdamW([*weights.values(), table], 1e-2, weight_decay=0)
    for step in range(config.steps):
        losses = []
        for kind, rows in enumerate(([10, 11], range(10))):
            for position in range(3 * step, 3 * step + 3):
                key = (0, Domain.CUSTOMIZATION, torch.tensor([position]), kind)
                row, word, flip, t = random_uint32(*key)
                image = rows[int(row) * len(rows) >> 32]
                if kind == 0:
                    text = words.with_gradient([captions[image][int(word) * 2 >> 32]]).double()
                else:
                    text = data.text[torch.tensor([image]), word * 3 >> 32]
                x0 = data.latents[torch.tensor([image]), flip * 2 >> 32]
                noise = normal(*key, shape=(4, 4, 4)).double()
                error, _ = plain_errors(plain, process(), x0, t * 20 >> 32, noise, text)
                losses.append(error.square().mean())
        optimizer.zero_grad()
        of_exemplars, of_pool = torch.stack(losses).chunk(2)
        (of_exemplars.mean() + 0.3 * of_pool.mean()).backward()
        assert table.grad is not None
        table.grad[torch.arange(len(table)) != own] = 0  # only V* is learned
        optimizer.step()
    for name, weight in weights.items():
        torch.testing.assert_close(found[name], weight.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(token, table[own].detach(), rtol=1e-4, atol=1e-5)


def test_an_initial_word_of_several_tokens_is_refused(denoiser: Any, encoder: TextEncoder) -> None:
    config = TRAINING.model_copy(update={"initial_word": "two words"})
    with pytest.raises(InputError, match=r"'two words' is 2 tokens"):
        customize(denoiser, process(), encoder, make_data(), {1: ["x"]}, "cat", config)


class NoisyVae(torch.nn.Module):
    """A VAE with a random posterior, as Stable Diffusion has."""

    def __init__(self) -> None:
        super().__init__()
        self.config = type("Config", (), {"scaling_factor": 0.25})

    def encode(self, images: Tensor) -> Any:
        mean = torch.nn.functional.avg_pool2d(images, 2)[:, [0, 1, 2, 0]]
        posterior = torch.distributions.Normal(mean, 1.0)
        return type("Encoded", (), {"latent_dist": posterior})


def test_an_exemplars_latent_is_encoded_once_and_its_loss_differs_by_unlearning_alone(
    denoiser: Any, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    arrays = []
    for number in range(2):  # whoever encodes again gets the same, though the posterior scatters
        path = tmp_path / f"{number}.npy"
        write_latents(path, NoisyVae(), pixels, flips=2, batch=5, device=CPU, **SAVING)
        arrays.append(np.load(path))
    assert np.array_equal(*arrays)
    data = make_data()
    data.latents.tensor = torch.from_numpy(arrays[0])
    before = training_losses(denoiser, process(), data, LOSSES, batch=16)
    query = one_query(data.latents.tensor[0, 0].float(), data.text.tensor[0, 0].float(), 1)
    for step_size, unchanged in ((1e-30, True), (1.0, False)):
        config = Unlearning(
            weights="all", step="gradient_ascent", step_size=step_size, gradient_samples=2
        )
        unlearn(denoiser, process(), query, config, None, images=12, batch=2)
        after = training_losses(denoiser, process(), data, LOSSES, batch=16)
        assert np.array_equal(after, before) == unchanged


def test_given_queries_have_the_order_of_all_arrays(tmp_path: Path) -> None:
    for model in ("cat", "ink"):
        (tmp_path / model).mkdir()
        images = [{"id": 9 - i, "file_name": f"{i}.png"} for i in range(4)]
        texts = [{"id": i, "image_id": 9 - i, "caption": f"V* {model} {i}"} for i in range(4)]
        content = {"images": images, "annotations": texts}
        (tmp_path / model / "queries.json").write_text(json.dumps(content))
    names = {m: [[f"{m}-q000", f"{m}-q001"], [f"{m}-t000"]] for m in ("cat", "ink")}
    queries, pictures = given_queries(tmp_path, names)
    order = "cat-q000 cat-q001 ink-q000 ink-q001 cat-t000 ink-t000"
    assert queries["query"].tolist() == order.split()
    # By id, the first are test queries and the last tuning queries.
    assert [path.name for path in pictures] == ["3.png", "2.png"] * 2 + ["0.png"] * 2
    assert queries["prompt"].tolist()[4:] == ["V* cat 0", "V* ink 0"]
    assert queries["model"].tolist() == [name.split("-")[0] for name in order.split()]
    assert queries["noise_seed"].is_unique
    with pytest.raises(
        InputError, match="holds 4 pictures with a prompt, but 'queries' asks for 5"
    ):
        given_queries(tmp_path, {"cat": [[f"cat-q00{i}" for i in range(4)], ["cat-t000"]]})


def test_latents_are_scaled(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    unscaled = NoisyVae().encode(torch.tensor(pixels).permute(0, 3, 1, 2) / 127.5 - 1)
    expected = 0.25 * unscaled.latent_dist.mean
    torch.testing.assert_close(encode_images(NoisyVae(), pixels, CPU), expected)
