"""Keys and values computed once, against diffusers' own cross-attention; and precision."""

from typing import Any

import numpy as np
import pytest
import torch

from leavekout.base.errors import InputError
from leavekout.base.precision import arithmetic
from leavekout.config.experiment import LossSweep
from leavekout.curvature.fisher import diagonal_fisher
from leavekout.models.denoiser import build_denoiser, select_weights
from leavekout.sweeps.losses import training_losses
from world import CPU, MODEL, make_data


def inputs(samples: int, texts: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(samples, 4, 4, 4, generator=generator, dtype=torch.float64)
    text = torch.randn(texts, 5, 6, generator=generator, dtype=torch.float64)
    return x, torch.arange(samples) * 2, text


@pytest.mark.parametrize("texts", [1, 2, 6])
def test_samples_attend_to_their_text_as_in_diffusers(denoiser64: Any, texts: int) -> None:
    x, t, text = inputs(6, texts)
    expected = denoiser64(x, t, text.repeat_interleave(6 // texts, 0))
    with denoiser64.shared_text() as keys_and_values:
        found = denoiser64(x, t, keys_and_values(text))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(denoiser64(x, t, text.repeat_interleave(6 // texts, 0)), expected)


def test_gradients_reach_the_weights(denoiser64: Any) -> None:
    x, t, text = inputs(4, 1)
    weights = list(select_weights(denoiser64, "cross_attention").values())
    plain = denoiser64(x, t, text.expand(4, -1, -1)).square().sum()
    expected = torch.autograd.grad(plain, weights)
    with denoiser64.shared_text() as keys_and_values:
        shared = denoiser64(x, t, keys_and_values(text)).square().sum()
    for found, value in zip(torch.autograd.grad(shared, weights), expected, strict=True):
        torch.testing.assert_close(found, value, rtol=1e-10, atol=1e-12)


def test_it_is_undone_after_an_error(denoiser64: Any) -> None:
    before = denoiser64.attn_processors
    with pytest.raises(ZeroDivisionError), denoiser64.shared_text():
        raise ZeroDivisionError
    assert denoiser64.attn_processors == before


def test_another_kind_of_attention_is_refused(denoiser64: Any) -> None:
    layer = next(m for n, m in denoiser64.named_modules() if n.endswith(".attn2"))
    layer.to_k = torch.nn.Linear(6, 4)
    with pytest.raises(InputError, match="cross-attention of this kind"), denoiser64.shared_text():
        pass


def test_precision_is_used_and_restored(process: Any) -> None:
    denoiser, data = build_denoiser(MODEL, seed=1, device=CPU), make_data()
    sweep = LossSweep(timestep_stride=7, captions=2, seed=4)
    sweeps = {p: sweep.model_copy(update={"precision": p}) for p in ("float32", "tf32", "bfloat16")}
    losses = {
        p: training_losses(denoiser, process, data, config, batch=64)
        for p, config in sweeps.items()
    }
    np.testing.assert_array_equal(losses["tf32"], losses["float32"])  # on a CPU
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], rtol=3e-3)
    assert (losses["bfloat16"] != losses["float32"]).any()
    weights = select_weights(denoiser, "cross_attention_kv")
    options: Any = {"samples": 20, "seed": 0, "batch": 8}
    exact, rounded = (
        diagonal_fisher(denoiser, process, data, weights, precision=precision, **options)
        for precision in ("float32", "bfloat16")
    )
    for name, value in exact.items():
        assert rounded[name].dtype == torch.float32
        assert not torch.equal(rounded[name], value)
        scale = value.mean().item()
        torch.testing.assert_close(rounded[name], value, rtol=0.1, atol=0.05 * scale)

    # What PyTorch's own kernels and its compiler read, by either of its two interfaces.
    def flags() -> list[Any]:
        backends: tuple[Any, Any] = torch.backends.cuda.matmul, torch.backends.cudnn
        newer = backends[0].fp32_precision, backends[1].conv.fp32_precision
        return [*(b.allow_tf32 for b in backends), *newer, torch.get_float32_matmul_precision()]

    before = flags()[:2]
    for outer in ("float32", "tf32"):
        with arithmetic(outer, CPU), arithmetic("tf32", CPU):
            assert flags() == [True, True, "tf32", "tf32", "high"]
        with arithmetic(outer, CPU), arithmetic("float32", CPU):
            assert flags()[:2] == [False, False]
            assert "tf32" not in flags()
    assert flags()[:2] == before
    assert not torch.is_autocast_enabled("cpu")
