"""What every part of the configuration's schema is made of."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from PIL import ImageColor
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
QueryName = Annotated[str, Field(pattern=r"^([a-z][a-z0-9_-]*-)?[qt]\d{3,}$")]
# Left, top, right, bottom of a part of a picture, as fractions of its width and height.
Box = tuple[Fraction, Fraction, Fraction, Fraction]


def _distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError("its entries should all be different")
    return values


Distinct = AfterValidator(_distinct)


def _colour(name: str) -> str:
    if len(ImageColor.getrgb(name)) != 3:  # which raises ValueError for what is no colour
        raise ValueError("a colour should be opaque")
    return name


Colour = Annotated[str, AfterValidator(_colour)]
WeightSubset = Literal[
    "all", "attention", "cross_attention", "cross_attention_kv", "feed_forward", "matrices"
]
# What a gradient is of: the loss L, or ‖ε_θ‖² in its place (D-TRAK; CR Table 5).
Objective = Literal["loss", "squared_output"]
# Of projected gradients also the mean of the output (DAS).
GradientObjective = Literal["loss", "squared_output", "mean_output"]
# What matrix products are computed in; see precision.py.
Precision = Literal["float32", "tf32", "bfloat16"]


def added_field(default: Any) -> Any:
    """The field of a key that was added to a section later.

    Where it has its default it is left out of the parameters of rules, so that nothing that was
    made before there was such a key is made again.
    """
    return Field(default, exclude_if=lambda value: value == default)


class Section(BaseModel):
    """A section of the configuration; a key that it does not know is an error.

    `config/README.md` is made of the docstrings of sections and of their fields.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def spelled_out(value: Any) -> Any:
    """A section with every key, those of `added_field` included, as mappings and lists for JSON."""
    if isinstance(value, Section):
        return {name: spelled_out(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {key: spelled_out(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [spelled_out(item) for item in value]
    return value
