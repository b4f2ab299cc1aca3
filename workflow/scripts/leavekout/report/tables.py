"""Rows of tables as plain values."""

from collections.abc import Mapping
from typing import Any

import pandas as pd


def records(table: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The rows of a table, by column name."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def keyed(table: pd.DataFrame, *keys: str) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """The rows of a table by the values of the columns `keys`."""
    return {tuple(row[key] for key in keys): row for row in records(table)}
