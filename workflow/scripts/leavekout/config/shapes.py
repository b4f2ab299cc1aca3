"""Refuses shapes that do not fit together, before anything is trained.

The encoders decide how large a latent is and how wide the text states are. A U-Net of another
geometry would be found out only after the encoders were trained.
"""

from leavekout.config.checks import FileOf
from leavekout.config.encoders import TrainedEncoders
from leavekout.config.experiment import Experiment
from leavekout.errors import InputError


def check(e: Experiment, file_of: FileOf) -> None:
    """Refuses shapes of images, encoders and U-Net that do not fit; raises InputError.

    Of encoders that are fetched, only the format is known here; training checks the rest.
    """

    def require(holds: bool, key: str, reason: str) -> None:
        if not holds:
            raise InputError(f"{file_of(*key.split('.'))}: '{key}' {reason}.")

    unet, size = e.model.unet, e.dataset.image_size
    side = unet.get("sample_size")
    if not isinstance(side, int) or side < 1:
        key = "model.unet.sample_size"
        raise InputError(f"{file_of(*key.split('.'))}: '{key}' has to be the side of a latent.")
    groups, channels = unet.get("norm_num_groups"), unet.get("block_out_channels")
    if isinstance(groups, int) and isinstance(channels, list):
        require(
            all(c % groups == 0 for c in channels),
            "model.unet.block_out_channels",
            f"is {channels}, but each has to be a multiple of 'norm_num_groups', {groups}",
        )
    if not isinstance(e.encoders, TrainedEncoders):
        factor = size // side
        require(
            size % side == 0 and factor & (factor - 1) == 0,
            "model.unet.sample_size",
            f"is {side}, but a VAE halves the images' {size} pixels at each level",
        )
        return
    vae, clip, dino = e.encoders.vae, e.encoders.clip, e.encoders.dino
    levels = len(vae.channels)
    factor = 2 ** (levels - 1)
    require(
        size % factor == 0,
        "dataset.image_size",
        f"is {size}, but has to be a multiple of {factor}, because the VAE has {levels} levels",
    )
    require(
        side == size // factor,
        "model.unet.sample_size",
        f"is {side}, but the latents of {size}-pixel images have a side of {size // factor}: the "
        f"{levels} levels of the VAE make it {factor} times smaller",
    )
    for end in ("in_channels", "out_channels"):
        require(
            unet.get(end) == vae.latent_channels,
            f"model.unet.{end}",
            f"is {unet.get(end)}, but latents have {vae.latent_channels} channels "
            "('encoders.vae.latent_channels')",
        )
    require(
        unet.get("cross_attention_dim") == clip.width,
        "model.unet.cross_attention_dim",
        f"is {unet.get('cross_attention_dim')}, but has to be {clip.width}, the width of the text "
        "states ('encoders.clip.width')",
    )
    require(
        all(c % vae.norm_groups == 0 for c in vae.channels),
        "encoders.vae.channels",
        f"is {vae.channels}, but each has to be a multiple of 'norm_groups', {vae.norm_groups}",
    )
    for name, encoder in (("clip", clip), ("dino", dino)):
        require(
            size % encoder.patch_size == 0,
            f"encoders.{name}.patch_size",
            f"is {encoder.patch_size}, but patches have to fill the images' {size} pixels",
        )
        require(
            encoder.width % encoder.heads == 0,
            f"encoders.{name}.heads",
            f"is {encoder.heads}, but has to divide the width, {encoder.width}",
        )
