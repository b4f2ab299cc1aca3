"""What made the artifacts, and what they cost: read from the jobs' logs and benchmarks."""

import csv
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from leavekout.contract.removal import CONTROLS
from leavekout.report.page import number_cells

_DIGEST = "params_sha256"
_RECORD = re.compile(r'^\d\d:\d\d:\d\d (\{"commit".*\})$', re.MULTILINE)


def versions_of(logs: Path, earlier: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """One row for each stage and set of versions: stage, jobs, commit, and the libraries.

    Every job's log begins with what `artifacts.provenance` said; of a job that ran again, its last
    word counts.

    Args:
        earlier: rows of the parts of the study that were made before this one, elsewhere.
    """
    rows = []
    for path in sorted(logs.rglob("*.log")):
        records = _RECORD.findall(path.read_text(errors="replace"))
        if records:
            record = json.loads(records[-1])
            record = {k: v for k, v in record.items() if k not in ("params", _DIGEST)}
            rows.append({"stage": _stage(path, logs), **record})
    if not rows and not earlier:
        return pd.DataFrame(columns=["stage", "jobs", "commit"])
    table = pd.DataFrame(rows).assign(jobs=1)
    table = pd.concat([table, pd.DataFrame(list(earlier))]).fillna("unknown")
    return table.groupby([c for c in table if c != "jobs"])["jobs"].sum().reset_index()


def costs_of(benchmarks: Path) -> pd.DataFrame:
    """One row for each stage: jobs, hours of the clock, and the most memory in GB.

    From the benchmark files that Snakemake keeps, which hold the last attempt of each job. (Their
    CPU time is no use: after 15 seconds it is read every 30, and what follows the last is lost.)
    """
    rows = []
    for path in sorted(benchmarks.rglob("*.tsv")):
        with open(path, newline="") as file:
            lines = list(csv.DictReader(file, delimiter="\t"))
        if lines:
            last = lines[-1]
            rows.append(
                {
                    "stage": _stage(path, benchmarks),
                    "jobs": 1,
                    "hours": _number(last["s"]) / 3600,
                    "memory_gb": _number(last["max_rss"]) / 1024,
                }
            )
    table = pd.DataFrame(rows, columns=["stage", "jobs", "hours", "memory_gb"])
    how = {"jobs": "sum", "hours": "sum", "memory_gb": "max"}
    return table.groupby("stage", as_index=False).agg(how).sort_values("hours", ascending=False)


def _stage(path: Path, folder: Path) -> str:
    """A job's rule, as far as its file tells: retrain/random/s0/k100.log → retrain, random."""
    parts = path.relative_to(folder).with_suffix("").parts
    shared = parts[:2] if len(parts) > 2 and parts[1] in CONTROLS else parts[:1]
    return ", ".join(shared)


def _number(text: str) -> float:
    """A field of a benchmark file; a job too short to be measured has a dash or NA."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def of_versions(versions: pd.DataFrame, afterwards: Collection[str] = ()) -> list[str]:
    """Warnings of artifacts that different versions made.

    Args:
        versions: from `provenance.versions_of`.
        afterwards: stages that come after everything is measured. Tables and figures may be of
            another version than models and scores; among themselves, either have to agree.
    """
    said = []
    after = versions["stage"].isin(afterwards)
    for what, table in (("Artifacts", versions[~after]), ("Tables and figures", versions[after])):
        for column in versions.columns.drop(["stage", "jobs"]):
            values = sorted(table[column].unique())
            if len(values) > 1:
                said.append(
                    f"{what} of different versions: {column} {', '.join(values)}. Numbers may not "
                    "be comparable; see Provenance for the stages."
                )
    if "commit" in versions and versions["commit"].str.endswith("-dirty").any():
        said.append("Some artifacts were made by code with uncommitted changes.")
    return said


def cost_text(costs: pd.DataFrame) -> pd.DataFrame:
    """Jobs, hours and memory of each stage, and their sums."""
    if len(costs) == 0:
        return costs
    total = pd.DataFrame(
        [
            {
                "stage": "all",
                "jobs": costs["jobs"].sum(),
                "hours": costs["hours"].sum(),
                "memory_gb": costs["memory_gb"].max(),
            }
        ]
    )
    formats = {"stage": "", "jobs": ",", "hours": ",.2f", "memory_gb": ".1f"}
    names = {"hours": "hours, one after another", "memory_gb": "memory, GB"}
    return number_cells(pd.concat([costs, total]), formats).rename(columns=names)
