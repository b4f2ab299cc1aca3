"""Trains a small autoencoder from scratch, for experiments that download nothing."""

import logging
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from leavekout.config.encoders import VaeTraining
from leavekout.encoders.pretrained import require_trained, shuffled_batches, steps_of
from leavekout.encoders.vae import to_signed_range

logger = logging.getLogger("leavekout")


def train_vae(pixels: np.ndarray, config: VaeTraining, device: torch.device) -> Any:
    """Trains a `diffusers.AutoencoderKL` on uint8 images [N, H, W, 3].

    It minimizes squared error + kl_weight · KL. Its `scaling_factor` gives the latents unit
    variance, as in latent diffusion.
    """
    levels = len(config.channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        vae = AutoencoderKL(
            block_out_channels=tuple(config.channels),
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            latent_channels=config.latent_channels,
            layers_per_block=1,
            norm_num_groups=config.norm_groups,
            sample_size=pixels.shape[1],
        ).to(device)
        images = to_signed_range(pixels).to(device)
        size = len(images), config.batch_size, config.epochs
        optimizer = torch.optim.AdamW(vae.parameters(), config.learning_rate)
        annealed = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps_of(*size))
        for rows in shuffled_batches(*size, "training the VAE"):
            x = images[rows]
            posterior = vae.encode(x).latent_dist
            # The noise is drawn on the CPU, so that it is the same for every device.
            z = posterior.mean + posterior.std * torch.randn(posterior.mean.shape).to(device)
            error = functional.mse_loss(vae.decode(z).sample, x)
            loss = error + config.kl_weight * posterior.kl().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            annealed.step()
    require_trained("encoders.vae", loss, vae.state_dict())
    with torch.no_grad():
        batches = images.split(config.batch_size)
        latents = torch.cat([vae.encode(part).latent_dist.mean for part in batches])
    vae.register_to_config(scaling_factor=1 / latents.std().item())
    logger.info("VAE: squared error %.5f on [-1, 1], latent std %.3f", error.item(), latents.std())
    return vae.eval()
