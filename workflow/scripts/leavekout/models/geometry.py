"""What a denoiser's arguments say about it, read without building it (and without torch).

The configuration is refused by these facts, and the plan is priced by them, in every process.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leavekout.base.errors import InputError
from leavekout.config.experiment import Model

# The blocks of a U-Net all of whose layers have per-sample gradients, and, where its text's keys
# and values are in the cross-attention that weight subsets are about, `CrossAttn` in their name.
_UNET_BLOCKS = (
    *("DownBlock2D", "CrossAttnDownBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"),
    *("UNetMidBlock2D", "UNetMidBlock2DCrossAttn"),
)
# Arguments by which a denoiser would ask for more than a latent, a time and a text.
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
        text_width: of the text states that it attends to; None where it attends to none.
        text_key: the argument that sets it.
        attends: whether it has cross-attention of the kind that weight subsets are about.
        attention_bias: whether the text's keys and values have biases.
        unknown: an argument, or a kind of block, with layers that have no rule for per-sample
            gradients; None where there is none.
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
        InputError: an argument that is needed for them is missing, or is of another type.
    """
    return {"unet": _unet, "transformer": _transformer}[model.architecture](model)


def problems(model: Model) -> Iterator[tuple[str, str]]:
    """The arguments that do not fit each other, each with what is wrong with it."""
    arguments, geometry = model.arguments, geometry_of(model)
    for key in _FOREIGN_INPUTS[model.architecture]:
        if arguments.get(key):
            yield key, "would need an input that is neither latent, time nor text; leave it out"
    if arguments.get("dropout"):
        yield "dropout", "has to be 0: retrainings are paired, and draw nothing but their samples"
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
    width, inner = arguments.get("cross_attention_dim", 1152), _inner_width(model)
    if arguments.get("caption_channels") is not None and width != inner:
        yield (
            "cross_attention_dim",
            f"is {width}, but has to be {inner}, heads times their dimension, to which "
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


def _inner_width(model: Model) -> int:
    return _whole(model, "num_attention_heads", 16) * _whole(model, "attention_head_dim", 72)


def _strings(value: Any) -> list[str]:
    """The entries of a list of names, some of which may be None."""
    return [str(entry) for entry in value if entry] if isinstance(value, list | tuple) else []


def _whole(model: Model, key: str, default: int | None = None) -> int:
    """An argument that is a whole number above 0."""
    value = model.arguments.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"'{model.key}.{key}' is {value!r}, but has to be a whole number above 0.")
    return value
