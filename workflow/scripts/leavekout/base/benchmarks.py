"""Reads the benchmark files of Snakemake."""

import csv
from collections.abc import Mapping
from pathlib import Path


def last_attempt(path: Path) -> Mapping[str, str] | None:
    """What a job's last attempt took, by column; None if the file is missing or incomplete."""
    try:
        with open(path, newline="") as file:
            return list(csv.DictReader(file, delimiter="\t"))[-1]
    except (OSError, LookupError, ValueError, csv.Error):
        return None
