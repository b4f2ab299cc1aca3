"""The page: a template filled with tables and pictures, all text escaped."""

import base64
import hashlib
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
    large: bool,
    versions: pd.DataFrame,
    costs: pd.DataFrame,
    afterwards: Collection[str] = (),
    scripts: Sequence[str] = (),
) -> dict[str, Any]:
    """What the pages of all kinds of experiment show.

    Args:
        config: the experiment; tables: by name, with the data `dictionary`.
        figures: data addresses by name.
        large: whether pictures were shrunk, and should be drawn smoothly.
        versions, costs: of `provenance.py`; afterwards: see `of_versions`.
        scripts: JavaScript in the page; the browser runs no other.
    """
    return {
        "experiment": config["experiment"],
        "voiding": of_versions(versions, afterwards),
        "figures": figures,
        "large": large,
        "scripts": scripts,
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
    environment.filters["sha256"] = _sha256
    environment.policies["json.dumps_kwargs"] = {}  # keys keep their order
    return environment.get_template(template.name).render(context)


def _sha256(script: str) -> str:
    """The digest by which the page's policy allows a script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _numeric(text: object) -> bool:
    """Whether a cell is a number, which is aligned to the right."""
    return str(text).lstrip("−-><= ")[:1].isdigit() or str(text) in ("–", "")
