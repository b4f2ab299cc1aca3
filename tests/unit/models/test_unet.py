"""Our U-Net against diffusers' own."""

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.upsampling import Upsample2D

from leavekout.models.denoiser import build_denoiser
from world import CPU, MODEL, UNET


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_upsampling_by_expansion_is_diffusers_own(layout: torch.memory_format) -> None:
    ours = build_denoiser(MODEL, seed=1, device=CPU).double()
    theirs = UNet2DConditionModel(**UNET).double().eval()
    theirs.load_state_dict(ours.state_dict())
    assert sum(type(m).__name__ == "_Upsample" for m in ours.modules()) == 1
    assert sum(type(m) is Upsample2D for m in theirs.modules()) == 1
    ours.to(memory_format=layout)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 4, 4, generator=generator, dtype=torch.float64)
    text = torch.randn(3, 5, 6, generator=generator, dtype=torch.float64)
    t = torch.tensor([1, 5, 9])
    a, b = ours(x, t, text), theirs(x, t, text).sample
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    for output in (a, b):
        output.square().sum().backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        scale = float(q.grad.abs().max())
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-12, atol=1e-12 * scale)
