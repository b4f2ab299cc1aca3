"""The page: a template filled with tables and pictures, all text escaped."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from leavekout.report.provenance import cost_text, of_versions


def frame(
    config: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    *,
    figures: Mapping[str, str],
    gallery: Sequence[Any],
    large: bool,
    versions: pd.DataFrame,
    costs: pd.DataFrame,
    afterwards: Collection[str] = (),
) -> dict[str, Any]:
    """What the pages of all kinds of experiment show.

    Args:
        config: the experiment; tables: by name, with the data `dictionary`.
        figures: data addresses by name; gallery: what each query's pictures are.
        large: whether the gallery's pictures were shrunk, and should be drawn smoothly.
        versions, costs: of `provenance.py`; afterwards: see `of_versions`.
    """
    return {
        "experiment": config["experiment"],
        "voiding": of_versions(versions, afterwards),
        "figures": figures,
        "gallery": gallery,
        "large": large,
        "cost": cost_text(costs),
        "versions": versions.astype(str),
        "dictionary": tables["dictionary"],
        "configuration": yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True),
    }


def render(template: Path, context: Mapping[str, Any]) -> str:
    """The HTML of a page. Captions, prompts, names and cells of tables are escaped.

    Raises:
        jinja2.UndefinedError: the context lacks a name of the template.
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
    """Whether a cell is a number, which is aligned to the right."""
    return str(text).lstrip("−-><= ")[:1].isdigit() or str(text) in ("–", "")
