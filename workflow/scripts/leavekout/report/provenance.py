"""Which versions made the artifacts, and what the jobs cost: from their logs and benchmarks."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from leavekout.base.benchmarks import last_attempt
from leavekout.contract.removal import CONTROLS

_DIGEST = "params_sha256"
_DEVICE, _UNKNOWN = "device", "unknown"
_TRAININGS = r"retrain|train_source"  # stages
_RECORD = re.compile(r'^\d\d:\d\d:\d\d (\{"commit".*\})$', re.MULTILINE)


def versions_of(logs: Path, earlier: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """One row for each stage and set of versions: stage, jobs, commit, and the libraries.

    Each job logs `artifacts.provenance` when it starts; its last start counts.

    Args:
        earlier: rows of earlier parts of the study, which were made elsewhere.
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
    table = pd.concat([table, pd.DataFrame(list(earlier))]).fillna(_UNKNOWN)
    return table.groupby([c for c in table if c != "jobs"])["jobs"].sum().reset_index()


def costs_of(benchmarks: Path) -> pd.DataFrame:
    """One row for each stage: jobs, hours of the clock, and the most memory in GB.

    Reads Snakemake's benchmark files, each with the last attempt of a job. CPU time is left out,
    because Snakemake samples it only every 30 seconds and loses what follows the last sample.
    """
    rows = []
    for path in sorted(benchmarks.rglob("*.tsv")):
        if attempt := last_attempt(path):
            hours, memory = _number(attempt["s"]) / 3600, _number(attempt["max_rss"]) / 1024
            rows.append((_stage(path, benchmarks), 1, hours, memory))
    table = pd.DataFrame(rows, columns=["stage", "jobs", "hours", "memory_gb"])
    how = {"jobs": "sum", "hours": "sum", "memory_gb": "max"}
    return table.groupby("stage", as_index=False).agg(how).sort_values("hours", ascending=False)


def _stage(path: Path, folder: Path) -> str:
    """The stage of a job's file: retrain/random/s0/k100.log → retrain, random."""
    names = path.relative_to(folder).with_suffix("").parts
    return ", ".join(names[:2] if len(names) > 2 and names[1] in CONTROLS else names[:1])


def _number(text: str) -> float:
    """A field of a benchmark file; 0 for the dash or NA of a job too short to be measured."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def of_versions(versions: pd.DataFrame, afterwards: Collection[str] = ()) -> list[str]:
    """Warnings about artifacts that different versions made.

    Args:
        versions: of `versions_of`.
        afterwards: stages that run after everything is measured. Tables and figures may be of
            another version than models and scores, but each of the two must be of one version.
    """
    warnings = []
    after = versions["stage"].isin(afterwards)
    for what, table in (("Artifacts", versions[~after]), ("Tables and figures", versions[after])):
        for column in versions.columns.drop(["stage", "jobs", _DEVICE], errors="ignore"):
            values = sorted(table[column].unique())
            if len(values) > 1:
                warnings.append(
                    f"{what} of different versions: {column} {', '.join(values)}. Numbers may not "
                    "be comparable; see Provenance for the stages."
                )
    if "commit" in versions and versions["commit"].str.endswith("-dirty").any():
        warnings.append("Some artifacts were made by code with uncommitted changes.")
    return [*warnings, *_of_devices(versions)]


def _of_devices(versions: pd.DataFrame) -> list[str]:
    """A warning if models were trained on different devices; of which stages, Provenance says."""
    if _DEVICE not in versions:
        return []
    trained = versions[versions["stage"].str.match(_TRAININGS)]
    counts = trained[trained[_DEVICE] != _UNKNOWN].groupby(_DEVICE)["jobs"].sum()
    if len(counts) < 2:
        return []
    shares = ", ".join(f"{device} ({jobs:,})" for device, jobs in counts.items())
    return [
        f"Models were trained on different devices: {shares}. Each rounds in its own way, and "
        "training amplifies that, so a difference between a method and its control may in part be "
        "one of devices."
    ]


def cost_text(costs: pd.DataFrame) -> pd.DataFrame:
    """Jobs, hours and memory of each stage as text, and a last row for all stages."""
    if costs.empty:
        return costs
    rows = [*costs.itertuples(index=False)]
    total = ("all", costs["jobs"].sum(), costs["hours"].sum(), costs["memory_gb"].max())
    return pd.DataFrame(
        [(stage, f"{n:,}", f"{h:,.2f}", f"{gb:.1f}") for stage, n, h, gb in [*rows, total]],
        columns=["stage", "jobs", "hours, one after another", "memory, GB"],
    )
