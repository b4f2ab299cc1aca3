"""The types that the configuration's schema is built from."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from PIL import ImageColor
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
NAME = r"^[a-z][a-z0-9_-]*$"
Name = Annotated[str, Field(pattern=NAME)]
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
    if len(ImageColor.getrgb(name)) != 3:  # getrgb raises ValueError if it is no colour
        raise ValueError("a colour should be opaque")
    return name


def _path(text: str) -> str:
    if re.search(r"^~|\$[\w{]", text):
        raise ValueError("'~' and '$' are not replaced in paths; write the whole path")
    if re.search("[{}]", text):
        raise ValueError("braces are wildcards for Snakemake; rename the file or folder")
    return text


# A file or folder, relative to the folder in which Snakemake runs.
PathText = Annotated[str, AfterValidator(_path)]
Colour = Annotated[str, AfterValidator(_colour)]
WeightSubset = Literal[
    "all", "attention", "cross_attention", "cross_attention_kv", "feed_forward", "matrices"
]
# The function whose gradient is taken: the loss L, or ‖ε_θ‖² (D-TRAK; CR Table 5).
Objective = Literal["loss", "squared_output"]
# Projected gradients may also take the mean of the output (DAS).
GradientObjective = Literal["loss", "squared_output", "mean_output"]
# The precision of matrix products; see precision.py.
Precision = Literal["float32", "tf32", "bfloat16"]


def added_field(default: Any) -> Any:
    """The field of a key that was added to a section later.

    With its default value it is left out of the parameters of rules. So adding the key reruns
    nothing.
    """
    return Field(default, exclude_if=lambda value: value == default)


class Section(BaseModel):
    """A section of the configuration; unknown keys are errors.

    `config/README.md` is made from the docstrings of sections and of their fields.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


def spelled_out(value: Any) -> Any:
    """A section with every key, including those of `added_field`, as plain values for JSON."""
    if isinstance(value, Section):
        return {name: spelled_out(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {key: spelled_out(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [spelled_out(item) for item in value]
    return value
