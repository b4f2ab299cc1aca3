"""Rejects images, encoders and methods that do not fit the denoiser, before anything is trained.

The encoders determine the size of a latent and the width of the text states. Methods need weights
and per-sample gradients that not every denoiser has. Without these checks, a job would fail after
hours.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from leavekout.base.errors import InputError
from leavekout.config.checks import FileOf, Problem, reject
from leavekout.config.encoders import TrainedEncoders
from leavekout.config.experiment import Experiment
from leavekout.models.geometry import Geometry, geometry_of, problems


@dataclass(frozen=True)
class Need:
    """A method's need for per-sample gradients of some weights.

    Args:
        key: the method's key in the configuration, with dots.
        ekfac: whether the weights have to belong to linear layers without bias.
    """

    key: str
    weights: str
    ekfac: bool = False


def check(e: Experiment, file_of: FileOf, needs: Iterable[Need]) -> None:
    """Rejects images, encoders and methods that do not fit the denoiser; raises InputError.

    For fetched encoders only the format is known here; training checks the rest.
    """
    model, size = e.model, e.dataset.image_size
    try:
        geometry = geometry_of(model)
    except InputError as error:
        raise InputError(f"{file_of('model', model.architecture)}: {error}") from None
    reject(((f"{model.key}.{key}", reason) for key, reason in problems(model)), file_of)
    reject(_problems_of_methods(model.key, geometry, needs), file_of)
    if isinstance(e.encoders, TrainedEncoders):
        reject(_problems_of_encoders(e.encoders, size, model.key, geometry), file_of)
        return
    side = geometry.side
    factor = size // side
    if size % side or factor & (factor - 1):
        reason = f"is {side}, but a VAE halves the images' {size} pixels at each level"
        reject([(f"{model.key}.sample_size", reason)], file_of)


def _problems_of_encoders(
    encoders: TrainedEncoders, size: int, model: str, geometry: Geometry
) -> Iterator[Problem]:
    """Encoders that do not fit images of `size` pixels or the denoiser of the section `model`."""
    vae, clip = encoders.vae, encoders.clip
    levels = len(vae.channels)
    factor = 2 ** (levels - 1)
    if size % factor:
        yield (
            "dataset.image_size",
            f"is {size}, but has to be a multiple of {factor}, because the VAE has {levels} levels",
        )
    if geometry.side != size // factor:
        yield (
            f"{model}.sample_size",
            f"is {geometry.side}, but the latents of {size}-pixel images have a side of "
            f"{size // factor}: the {levels} levels of the VAE make it {factor} times smaller",
        )
    if geometry.in_channels != vae.latent_channels:
        yield (
            f"{model}.in_channels",
            f"is {geometry.in_channels}, but latents have {vae.latent_channels} channels "
            "('encoders.vae.latent_channels')",
        )
    if geometry.text_width not in (None, clip.width):
        yield (
            f"{model}.{geometry.text_key}",
            f"is {geometry.text_width}, but has to be {clip.width}, the width of the text states "
            "('encoders.clip.width')",
        )
    if any(c % vae.norm_groups for c in vae.channels):
        yield (
            "encoders.vae.channels",
            f"is {vae.channels}, but each has to be a multiple of 'norm_groups', {vae.norm_groups}",
        )
    for name, encoder in (("clip", clip), ("dino", encoders.dino)):
        if size % encoder.patch_size:
            yield (
                f"encoders.{name}.patch_size",
                f"is {encoder.patch_size}, but patches have to fill the images' {size} pixels",
            )
        if encoder.width % encoder.heads:
            yield (
                f"encoders.{name}.heads",
                f"is {encoder.heads}, but has to divide the width, {encoder.width}",
            )


def _problems_of_methods(
    model: str, geometry: Geometry, needs: Iterable[Need]
) -> Iterator[Problem]:
    """Methods whose needs the denoiser of the section `model` does not meet."""
    for need in needs:
        if need.weights != "all" and not geometry.attends:
            yield (
                f"{need.key}.weights",
                f"is '{need.weights}', but this denoiser ('{model}') has no cross-attention",
            )
        if need.ekfac and geometry.attention_bias:
            yield (
                f"{need.key}.curvature",
                "is 'ekfac', which is for linear layers without bias; set "
                f"'{model}.attention_bias' to false",
            )
        if need.weights == "all" and geometry.unknown is not None:
            yield (
                f"{need.key}.weights",
                f"is 'all', but there is no per-sample gradient for layers of '{geometry.unknown}' "
                f"in '{model}'",
            )
