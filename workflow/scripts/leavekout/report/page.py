"""The page: tables and pictures into the template, every text escaped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined


def render(template: Path, context: Mapping[str, Any]) -> str:
    """The HTML of the report.

    Captions, prompts and names are data: the template escapes all that it is given. Tables are
    handed over as data frames of text.

    Raises:
        jinja2.UndefinedError: if the template names something that the context lacks.
    """
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["numeric"] = _numeric
    return environment.get_template(template.name).render(context)


def _numeric(text: object) -> bool:
    """Whether a cell reads as a number, which stands to the right."""
    return str(text).lstrip("−-><= ")[:1].isdigit() or str(text) in ("–", "")


def number_cells(table: pd.DataFrame, formats: Mapping[str, str]) -> pd.DataFrame:
    """The columns named in `formats` as text, in this order."""
    return pd.DataFrame(
        {
            name: [format(value, how) if how else str(value) for value in table[name]]
            for name, how in formats.items()
        }
    )
