"""The bill of a study: for each rule, what was spent and what is still to be spent."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leavekout.planning.costs import Costs

_TRAINING = "retrain.py"
_LIKE = {"train_source.py": _TRAINING}  # the same work in another script
_AT_ONCE = 20  # cluster jobs at the same time: `jobs` in slurm/config.yaml


@dataclass(frozen=True)
class PlannedJob:
    """One job of the study, done or not.

    Args:
        script: the script's name. Rules with the same script share their measured times.
        needed: whether it still has to run.
        expected_seconds: by the configuration's estimates (see `costs.py`); 0 if there is none.
        seconds: the time that it took, if it ran and has a benchmark file.
        benchmark, log: its files, if the rule names them.
    """

    rule: str
    script: str
    needed: bool
    gpus: int
    threads: int
    expected_seconds: float
    disk_mb: float
    seconds: float | None
    benchmark: Path | None = None
    log: Path | None = None


def measured_ratios(jobs: Sequence[PlannedJob]) -> dict[str, float]:
    """The time that finished jobs took over the expected time, by rule and by script.

    It is the median, because a benchmark holds the last attempt only, which is short for a training
    that was interrupted.
    """
    ratios = [
        (name, job.seconds / job.expected_seconds)
        for job in jobs
        if job.seconds is not None and job.expected_seconds > 0
        for name in (job.rule, _kind(job))
    ]
    table = pd.DataFrame(ratios, columns=["name", "ratio"])
    return {str(name): ratio for name, ratio in table.groupby("name")["ratio"].median().items()}


def _kind(job: PlannedJob) -> str:
    return _LIKE.get(job.script, job.script)


def bill(jobs: Sequence[PlannedJob]) -> pd.DataFrame:
    """One row for each rule, in the order of `jobs`.

    Columns: `done`, `spent_gpu_h`, `spent_cpu_h` for jobs with a benchmark; `to_do`, `gpu_h`,
    `cpu_h`, `disk_gb` for jobs that have not run; `from`, the basis of the expectation. A job on a
    GPU counts GPU-hours, any other job core-hours.
    """
    ratios = measured_ratios(jobs)
    rows = []
    for job in jobs:
        seconds = job.seconds or 0.0
        ratio = ratios.get(job.rule, ratios.get(_kind(job)))
        expected = job.expected_seconds * (ratio or 1.0) if job.needed else 0.0
        gpu_h, cpu_h = job.gpus / 3600, (0 if job.gpus else job.threads) / 3600
        basis = "benchmarks" if ratio else "estimate"
        rows.append(
            {
                "rule": job.rule,
                "done": int(not job.needed),
                "spent_gpu_h": seconds * gpu_h,
                "spent_cpu_h": seconds * cpu_h,
                "to_do": int(job.needed),
                "gpu_h": expected * gpu_h,
                "cpu_h": expected * cpu_h,
                "disk_gb": job.disk_mb / 1000 if job.needed else 0.0,
                "from": basis if job.expected_seconds else "",
            }
        )
    table = pd.DataFrame(rows)
    how = dict.fromkeys(table.columns.drop(["rule", "from"]), "sum") | {"from": "first"}
    return table.groupby("rule", sort=False).agg(how)


def account(jobs: Sequence[PlannedJob], costs: Costs) -> str:
    """The bill as text for a terminal."""
    table = bill(jobs)
    sums = table.drop(columns="from").sum()
    # A new state is written before the old one is deleted.
    running_gb = (2 * costs.state_mb() + costs.weights_mb) / 1000
    at_once = min(_AT_ONCE, sum(job.needed and _kind(job) == _TRAINING for job in jobs))
    peak_gb = sums["disk_gb"] + at_once * running_gb
    shown = {name: _number(value) or "0" for name, value in sums.items()}
    lines = [
        _as_text(table),
        "",
        f"Done: {sums['done']:,.0f} jobs, in {shown['spent_gpu_h']} GPU-hours and "
        f"{shown['spent_cpu_h']} CPU-hours (last attempts only).",
        f"To do: {sums['to_do']:,.0f} jobs, about {shown['gpu_h']} GPU-hours and {shown['cpu_h']} "
        "CPU-hours.",
        f"Disk: {shown['disk_gb']} GB for results"
        + (
            f", and up to {_number(running_gb)} GB for each running training; at most "
            f"{_number(peak_gb)} GB with {at_once} at once."
            if at_once
            else "."
        ),
    ]
    ratio = measured_ratios(jobs).get(_TRAINING)
    if ratio:
        rate = costs.rates.training_per_second / ratio
        lines.append(
            f"Trainings took {ratio:.2g} of the expected time. Set 'hardware.estimates."
            f"training_per_second' to {rate:,.0f}, so that jobs request the time that they need."
        )
    return "\n".join(lines)


def _number(value: float) -> str:
    if not value:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _as_text(table: pd.DataFrame) -> str:
    numbers = table.drop(columns="from")
    total = numbers.sum().to_frame("total").T.astype(numbers.dtypes)
    text = pd.concat([table, total]).fillna({"from": ""})
    for name in numbers:
        count = name in ("done", "to_do")
        text[name] = [f"{v:,.0f}" if count and v else _number(v) for v in text[name]]
    names = {
        "spent_gpu_h": "GPU-h spent",
        "spent_cpu_h": "CPU-h spent",
        "to_do": "to do",
        "gpu_h": "GPU-h",
        "cpu_h": "CPU-h",
        "disk_gb": "disk GB",
    }
    return text.rename(columns=names).to_string()
