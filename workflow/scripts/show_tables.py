"""Prints an experiment's headline table for the terminal: python show_tables.py results/digits."""

import sys
import textwrap
from pathlib import Path

import pandas as pd

from leavekout.customized import report as customized
from leavekout.report.headline import NOTE, as_text, controls, headline


def _show(title: str, table: pd.DataFrame, note: str = "") -> None:
    print(f"\n{title}:\n\n{as_text(table)}")
    if note:
        print(f"\n{textwrap.fill(note, 100)}")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    tables = {path.stem: pd.read_csv(path) for path in (folder / "tables").glob("*.csv")}
    if "retrievals" in tables:
        for measure, found in customized.headlines(tables["summary"]).items():
            _show(f"{measure} on {folder.name}", found)
        print(f"\n{textwrap.fill(customized.NOTE, 100)}")
    else:
        estimates = tables["estimates"]
        found = headline(estimates, tables["comparisons"], tables["equivalents"])
        _show(f"Leave-K-out on {folder.name}", found, NOTE)
        _show("Controls, mean over queries and models", controls(estimates))
    print(f"\nTables   {folder}/tables\nFigures  {folder}/figures\nReport   {folder}/report.html")
