"""Refuses what does not fit the denoiser, before anything is trained.

The encoders decide how large a latent is and how wide the text states are; methods want weights and
per-sample gradients that not every denoiser has. Either would be found out only hours later.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from leavekout.base.errors import InputError
from leavekout.config.checks import FileOf
from leavekout.config.encoders import TrainedEncoders
from leavekout.config.experiment import Experiment
from leavekout.models.geometry import Geometry, geometry_of, problems


@dataclass(frozen=True)
class Need:
    """What a method needs of the denoiser: per-sample gradients of some weights.

    Args:
        key: of the configuration, with dots.
        ekfac: whether they have to be linear layers without bias.
    """

    key: str
    weights: str
    ekfac: bool = False


def check(e: Experiment, file_of: FileOf, needs: Iterable[Need]) -> None:
    """Refuses images, encoders and methods that do not fit the denoiser; raises InputError.

    Of encoders that are fetched, only the format is known here; training checks the rest.

    Args:
        needs: of the methods under test.
    """

    def require(holds: bool, key: str, reason: str) -> None:
        if not holds:
            raise InputError(f"{file_of(*key.split('.'))}: '{key}' {reason}.")

    model, size = e.model, e.dataset.image_size
    try:
        geometry = geometry_of(model)
    except InputError as error:
        raise InputError(f"{file_of('model', model.architecture)}: {error}") from None
    for argument, reason in problems(model):
        require(False, f"{model.key}.{argument}", reason)
    _check_methods(e, geometry, needs, require)
    side, side_key = geometry.side, f"{model.key}.sample_size"
    if not isinstance(e.encoders, TrainedEncoders):
        factor = size // side
        require(
            size % side == 0 and factor & (factor - 1) == 0,
            side_key,
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
        side_key,
        f"is {side}, but the latents of {size}-pixel images have a side of {size // factor}: the "
        f"{levels} levels of the VAE make it {factor} times smaller",
    )
    require(
        geometry.in_channels == vae.latent_channels,
        f"{model.key}.in_channels",
        f"is {geometry.in_channels}, but latents have {vae.latent_channels} channels "
        "('encoders.vae.latent_channels')",
    )
    require(
        geometry.text_width in (None, clip.width),
        f"{model.key}.{geometry.text_key}",
        f"is {geometry.text_width}, but has to be {clip.width}, the width of the text states "
        "('encoders.clip.width')",
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


def _check_methods(
    e: Experiment, geometry: Geometry, needs: Iterable[Need], require: Callable[..., None]
) -> None:
    """Refuses methods that need what the denoiser does not have."""
    for need in needs:
        require(
            geometry.attends or need.weights == "all",
            f"{need.key}.weights",
            f"is '{need.weights}', but this denoiser ('{e.model.key}') has no cross-attention",
        )
        require(
            not need.ekfac or not geometry.attention_bias,
            f"{need.key}.curvature",
            "is 'ekfac', which is for linear layers without bias; set "
            f"'{e.model.key}.attention_bias' to false",
        )
        require(
            need.weights != "all" or geometry.unknown is None,
            f"{need.key}.weights",
            "is 'all', but there is no per-sample gradient for layers of "
            f"'{geometry.unknown}' in '{e.model.key}'",
        )
