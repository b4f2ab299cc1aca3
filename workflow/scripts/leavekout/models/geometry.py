"""Facts about a denoiser, read from its arguments without building it (and without torch).

Checks of the configuration and estimates of cost use them in every process.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leavekout.base.errors import InputError
from leavekout.config.experiment import Model

# U-Net blocks whose layers all have per-sample gradients. Blocks with the cross-attention that
# weight subsets select from have `CrossAttn` in their name.
_UNET_BLOCKS = (
    *("DownBlock2D", "CrossAttnDownBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"),
    *("UNetMidBlock2D", "UNetMidBlock2DCrossAttn"),
)
# Arguments that make a denoiser need further inputs than a latent, a time and a text.
_FOREIGN_INPUTS: Mapping[str, tuple[str, ...]] = {
    "unet": (
        *("class_embed_type", "addition_embed_type", "num_class_embeds", "encoder_hid_dim"),
        *("encoder_hid_dim_type", "time_cond_proj_dim"),
    ),
    "transformer": ("use_additional_conditions",),
}


@dataclass(frozen=True)
class Geometry:
    """Facts about a denoiser.

    Args:
        side: of a latent; in_channels, out_channels: of a latent and of a prediction.
        text_width: of the text states; None if the denoiser does not attend to text.
        text_key: the argument that sets `text_width`.
        attends: whether it has cross-attention that weight subsets can select.
        attention_bias: whether the text's keys and values have biases.
        unknown: an argument or kind of block that adds layers without a rule for per-sample
            gradients, or None.
    """

    side: int
    in_channels: int
    out_channels: int
    text_width: int | None
    text_key: str
    attends: bool
    attention_bias: bool
    unknown: str | None


def geometry_of(model: Model) -> Geometry:
    """The facts about a model's denoiser.

    Raises:
        InputError: a necessary argument is missing or has another type.
    """
    return {"unet": _unet, "transformer": _transformer}[model.architecture](model)


def problems(model: Model) -> Iterator[tuple[str, str]]:
    """Arguments that do not fit each other: (argument, what is wrong)."""
    arguments, geometry = model.arguments, geometry_of(model)
    for key in _FOREIGN_INPUTS[model.architecture]:
        if arguments.get(key):
            yield key, "needs an input that is neither latent, time nor text; leave it out"
    if arguments.get("dropout"):
        yield "dropout", "has to be 0, because dropout would break the pairing of retrainings"
    if geometry.in_channels != geometry.out_channels:
        yield (
            "out_channels",
            f"is {geometry.out_channels}, but has to be 'in_channels', {geometry.in_channels}: a "
            "prediction is a latent",
        )
    if model.architecture == "unet":
        groups = arguments.get("norm_num_groups", 32)
        channels = arguments.get("block_out_channels", [])
        known = isinstance(groups, int) and isinstance(channels, list)
        if known and any(c % groups for c in channels):
            yield (
                "block_out_channels",
                f"is {channels}, but each has to be a multiple of 'norm_num_groups', {groups}",
            )
        return
    patch = arguments.get("patch_size", 2)
    if not isinstance(patch, int) or geometry.side % patch:
        yield "patch_size", f"is {patch}, but patches have to fill a latent's side, {geometry.side}"
    if geometry.side == 128 and arguments.get("use_additional_conditions") is None:
        yield "use_additional_conditions", "has to be false, or the model asks for sizes of images"
    width = arguments.get("cross_attention_dim", 1152)
    inner = _whole(model, "num_attention_heads", 16) * _whole(model, "attention_head_dim", 72)
    if arguments.get("caption_channels") is not None and width != inner:
        yield (
            "cross_attention_dim",
            f"is {width}, but has to be {inner} (heads times their dimension), to which "
            "'caption_channels' are projected",
        )


def _unet(model: Model) -> Geometry:
    arguments = model.arguments
    blocks = [
        *_strings(arguments.get("down_block_types", ["CrossAttnDownBlock2D"])),
        *_strings(arguments.get("up_block_types", ["CrossAttnUpBlock2D"])),
        *_strings([arguments.get("mid_block_type", "UNetMidBlock2DCrossAttn")]),
    ]
    attends = any("CrossAttn" in block for block in blocks)
    positional = arguments.get("time_embedding_type", "positional") == "positional"
    return Geometry(
        side=_whole(model, "sample_size"),
        in_channels=_whole(model, "in_channels", 4),
        out_channels=_whole(model, "out_channels", 4),
        text_width=_whole(model, "cross_attention_dim", 1280) if attends else None,
        text_key="cross_attention_dim",
        attends=attends,
        attention_bias=False,
        unknown=next((block for block in blocks if block not in _UNET_BLOCKS), None)
        or (None if positional else "time_embedding_type"),
    )


def _transformer(model: Model) -> Geometry:
    arguments = model.arguments
    projected = arguments.get("caption_channels") is not None
    text_key = "caption_channels" if projected else "cross_attention_dim"
    attends = arguments.get("cross_attention_dim", 1152) is not None
    plain = arguments.get("attention_type", "default") == "default"
    return Geometry(
        side=_whole(model, "sample_size"),
        in_channels=_whole(model, "in_channels", 4),
        out_channels=_whole(model, "out_channels", 8),
        text_width=_whole(model, text_key, 1152) if attends else None,
        text_key=text_key,
        attends=attends,
        attention_bias=bool(arguments.get("attention_bias", True)),
        unknown=None if plain else "attention_type",
    )


def _strings(value: Any) -> list[str]:
    """The entries of a list of names, without None."""
    return [str(entry) for entry in value if entry] if isinstance(value, list | tuple) else []


def _whole(model: Model, key: str, default: int | None = None) -> int:
    """An argument that has to be a whole number above 0."""
    value = model.arguments.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"'{model.key}.{key}' is {value!r}, but has to be a whole number above 0.")
    return value
