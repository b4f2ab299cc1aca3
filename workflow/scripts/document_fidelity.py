"""Prints docs/fidelity.md, how our studies differ from the papers'; `make docs` writes it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from leavekout.kinds import read_experiment

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "fidelity.yaml"
HEAD = """# Where we differ from the papers

Made by `make docs` from [fidelity.yaml](fidelity.yaml) and the configurations.

Settings of the papers' studies: the paper's value and where it says so, what published code
does where it says more, and ours. Values in **bold** are of neither. The last column says why, and
how a setting can be checked against something public, if it can.
"""
COLUMNS = ("setting", "paper", "published code", "ours", "why, and how to check")


def ours(row: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    """A setting's value in a configuration; a list for several keys, and None without a key."""
    keys = row.get("key")
    if isinstance(keys, list):
        return [_at(config, key) for key in keys]
    return None if keys is None else _at(config, keys)


def _at(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = config[part]
    return config


def differs(row: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether our value is neither the paper's nor the published code's."""
    mine = ours(row, config) if "key" in row else row["ours"]
    return mine not in [row[source] for source in ("paper", "code") if source in row]


def cells(row: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """A row of the page."""
    mine = _text(ours(row, config)) if "key" in row else row["ours"]
    paper = f"{_text(row['paper'])} ({row['where']})" if "paper" in row else "not stated"
    check = [f"check: {row['check']}"] if "check" in row else []
    shown = f"**{mine}**" if differs(row, config) else mine
    reasons = "; ".join([*([str(row["why"])] if "why" in row else []), *check])
    return [row["setting"], paper, _text(row.get("code", "")), shown, reasons]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return (
            "; ".join(map(_text, value))
            if any(map(_nested, value))
            else ", ".join(map(_text, value))
        )
    return (
        f"{value:,}"
        if type(value) is int
        else "none"
        if value is None
        else "yes"
        if value is True
        else str(value)
    )


def _nested(value: Any) -> bool:
    return isinstance(value, list)


def lines() -> Iterator[str]:
    """The page."""
    yield HEAD
    for study in yaml.safe_load(TABLE.read_text())["studies"]:
        config = read_experiment({}, [ROOT / f"config/{study['config']}.yaml"]).model_dump(
            mode="json"
        )
        yield f"## {study['title']}\n"
        file = f"config/{study['config']}.yaml"
        yield f"[`{file}`](../{file}), and {study['paper']}.\n"
        yield f"| {' | '.join(COLUMNS)} |"
        yield f"|{'---|' * len(COLUMNS)}"
        for row in study["rows"]:
            yield f"| {' | '.join(cells(row, config))} |"
        yield ""


if __name__ == "__main__":
    print("\n".join(lines()).rstrip())
