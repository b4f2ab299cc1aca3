"""Denoisers that do not fit are refused when the configuration is read."""

from typing import Any

import pytest
import torch

from configured import CONFIG, experiment
from leavekout.base.errors import InputError
from leavekout.config.model import Model
from leavekout.curvature.per_sample import per_sample_gradients
from leavekout.models.denoiser import build_denoiser, operations
from leavekout.models.geometry import geometry_of
from world import CPU, MODELS, SCHEDULE, UNET

PLAIN = {
    "down_block_types": ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"],
    "mid_block_type": "UNetMidBlock2D",
}
EKFAC = {"unlearning": {"unlearning": {"curvature": "ekfac"}}}
OF_ALL = {"gradients": {"loss": {"weights": "all"}}}


def unet(**changes: Any) -> dict[str, Any]:
    """Changes of digits' configuration: other arguments of its U-Net."""
    return {"model": {"unet": changes}}


def transformer(**changes: Any) -> dict[str, Any]:
    """Changes that make the denoiser of digits a transformer."""
    arguments = dict.fromkeys(("sample_size", "out_channels"), 4) | {"patch_size": 1}
    arguments |= {"num_layers": 2, "num_attention_heads": 2, "attention_head_dim": 16}
    arguments |= {"cross_attention_dim": 32, "caption_channels": 64}
    return {"model": {"unet": None, "transformer": {**arguments, **changes}}}


def flow(**sampling: Any) -> dict[str, Any]:
    """Changes that train digits by flow matching."""
    process = {"timesteps": 1000, "density": "uniform"}
    return {"model": {"noise_schedule": None, "flow_matching": process}, "sampling": sampling}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            unet(sample_size=None),
            "'model.unet.sample_size' is None, but has to be a whole number above 0.",
        ),
        (unet(in_channels=8, out_channels=8), "'model.unet.in_channels' is 8, but latents have 4"),
        (unet(in_channels=8), "'model.unet.out_channels' is 4, but has to be 'in_channels', 8"),
        (unet(class_embed_type="timestep"), "needs an input that is neither latent, time"),
        (unet(dropout=0.1), "'model.unet.dropout' has to be 0, because dropout"),
        (unet(block_out_channels=[36]), "has to be a multiple of 'norm_num_groups', 8."),
        ({"model": {"unet": None}}, "'model' has to have either 'unet' or 'transformer'."),
        ({"model": {"transformer": {}}}, "'model' has to have either 'unet' or 'transformer'."),
        ({"model": {"noise_schedule": None}}, "either 'noise_schedule' or 'flow_matching'."),
        (flow(), "'sampling.sampler' is 'ddim', but has to be 'euler' for flow matching."),
        (flow(sampler="euler", clip_x0=1.0), "'sampling.clip_x0' has to be null for flow matching"),
        ({"sampling": {"sampler": "euler"}}, "has to be 'ddpm' or 'ddim' for a noise schedule."),
        (transformer(patch_size=3), "is 3, but patches have to fill a latent's side, 4"),
        (transformer(cross_attention_dim=24), "is 24, but has to be 32 (heads times their"),
        (
            transformer(caption_channels=32),
            "'model.transformer.caption_channels' is 32, but has to be 64, the width of the text",
        ),
        (transformer(use_additional_conditions=True), "needs an input that is neither latent"),
        (
            unet(**PLAIN),
            "'unlearning.unlearning.weights' is 'cross_attention_kv', but this denoiser "
            "('model.unet') has no cross-attention.",
        ),
        (
            {**transformer(attention_bias=True), **EKFAC},
            "'unlearning.unlearning.curvature' is 'ekfac', which is for linear layers without bias",
        ),
        (
            {**unet(down_block_types=["KCrossAttnDownBlock2D"]), **OF_ALL},
            "'gradients.loss.weights' is 'all', but there is no per-sample gradient for layers of "
            "'KCrossAttnDownBlock2D' in 'model.unet'.",
        ),
    ],
)
def test_each_misfit_is_refused_in_one_sentence(changes: dict, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        experiment("digits-base", **changes)
    assert str(error.value).startswith(("--config: ", str(CONFIG / "digits-base.yaml")))
    assert sentence in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("changes", [transformer(), transformer(attention_bias=False) | EKFAC])
def test_a_denoiser_that_fits_is_taken(changes: dict) -> None:
    assert experiment("digits-base", **changes).model.transformer


@pytest.mark.parametrize(
    "model",
    [
        *MODELS.values(),
        Model(unet={**UNET, **PLAIN, "block_out_channels": [8]}, noise_schedule=SCHEDULE),
    ],
)
def test_all_layers_of_a_known_denoiser_have_per_sample_gradients(model: Model) -> None:
    geometry = geometry_of(model)
    assert geometry.unknown is None
    denoiser = build_denoiser(model, seed=0, device=CPU)
    names = [name for name, _ in denoiser.named_parameters()]
    x, text = torch.randn(2, *denoiser.latent_shape), torch.randn(2, 5, geometry.text_width or 1)
    with per_sample_gradients(denoiser, names) as gradients:
        denoiser(x, torch.tensor([3, 8]), text).square().sum().backward()
    assert set(gradients) == set(names)
    assert any(".attn2." in name for name in names) == geometry.attends


def test_a_layer_without_a_rule_is_refused() -> None:
    model: Any = torch.nn.Sequential(torch.nn.Conv1d(2, 2, 1))
    with (
        pytest.raises(InputError, match="no per-sample gradient for the layer '0', a Conv1d"),
        per_sample_gradients(model, ["0.weight"]),
    ):
        pass


def test_operations_are_counted_by_their_products() -> None:
    # Two blocks of width 8 on 4 patches with 5 tokens of width 6 that are projected to 8 first.
    places, tokens, width = 4, 5, 8
    time = 256 * width + width * width + width * 6 * width  # embedding, and six shifts and scales
    projection = tokens * (6 * width + width * width)
    itself = 4 * places * width * width + 2 * places * places * width
    text = 2 * places * width * width + 2 * tokens * width * width + 2 * places * tokens * width
    block = itself + text + 8 * places * width * width
    ends = 2 * places * (4 * 4) * width  # patches in and out
    assert operations(MODELS["transformer"], tokens) == 2 * (time + projection + 2 * block + ends)
