"""A study's account: for each rule what is done and was spent, what is left and is expected."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from leavekout.planning.costs import Costs

_TRAINING = "retrain.py"
_LIKE = {"train_source.py": _TRAINING}  # the same work in another script


@dataclass(frozen=True)
class PlannedJob:
    """One job of the study, done or not.

    Args:
        script: the script's name, for rules that share the work and of which none has run.
        needed: whether it has yet to run.
        expected_seconds: by the configuration's estimates (see `cost.py`); 0 if none is stated.
        seconds: that it took, if it ran and its benchmark is there.
    """

    rule: str
    script: str
    needed: bool
    gpus: int
    threads: int
    expected_seconds: float
    disk_mb: float
    seconds: float | None


def measured_ratios(jobs: Sequence[PlannedJob]) -> dict[str, float]:
    """By rule and by script of jobs that ran: the time they took over the time that was expected.

    The median, because a benchmark holds the last attempt alone, and that of a training which had
    been interrupted is short.
    """
    table = pd.DataFrame(
        [
            (name, job.seconds / job.expected_seconds)
            for job in jobs
            if job.seconds is not None and job.expected_seconds > 0
            for name in (job.rule, _kind(job))
        ],
        columns=["name", "ratio"],
    )
    return {str(name): ratio for name, ratio in table.groupby("name")["ratio"].median().items()}


def _kind(job: PlannedJob) -> str:
    return _LIKE.get(job.script, job.script)


def bill(jobs: Sequence[PlannedJob]) -> pd.DataFrame:
    """One row for each rule, in the order of `jobs`.

    Columns: `done`, `spent_gpu_h`, `spent_cpu_h` of the jobs that have a benchmark; `to_do`,
    `gpu_h`, `cpu_h`, `disk_gb` of those that have not run; `from`, what the expectation is from. A
    job on a GPU counts GPU-hours, any other its cores' hours.
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


def account(jobs: Sequence[PlannedJob], costs: Costs, *, at_once: int = 100) -> str:
    """All that is to be said before and after a study, for a terminal.

    Args:
        at_once: cluster jobs at the same time (`jobs` in slurm/config.yaml), which bounds the disk
            that trainings take.
    """
    table = bill(jobs)
    sums = table.drop(columns="from").sum()
    # A state is replaced by the next one, so that for a moment there are two.
    flight_gb = (2 * costs.state_mb() + costs.weights_mb) / 1000
    trainings = sum(job.needed and _kind(job) == _TRAINING for job in jobs)
    at_once = min(at_once, trainings)
    peak_gb = sums["disk_gb"] + at_once * flight_gb
    said = {name: _number(value) or "0" for name, value in sums.items()}
    lines = [
        _as_text(table),
        "",
        f"Done: {sums['done']:,.0f} jobs, in {said['spent_gpu_h']} GPU-hours and "
        f"{said['spent_cpu_h']} CPU-hours (of each job the last attempt).",
        f"To do: {sums['to_do']:,.0f} jobs, about {said['gpu_h']} GPU-hours and {said['cpu_h']} "
        "CPU-hours.",
        f"Disk: {said['disk_gb']} GB to be written and kept, and up to {_number(flight_gb)} GB for "
        f"each training at work; at most {_number(peak_gb)} GB with {at_once} at once.",
    ]
    ratio = measured_ratios(jobs).get(_TRAINING)
    if ratio:
        rate = costs.rates.training_per_second / ratio
        lines.append(
            f"Trainings took {ratio:.2g} of the time expected; with 'hardware.estimates."
            f"training_per_second' at {rate:,.0f}, jobs would ask for what they take."
        )
    return "\n".join(lines)


def _number(value: float) -> str:
    if not value:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _as_text(table: pd.DataFrame) -> str:
    total = table.drop(columns="from").sum().to_frame("total").T
    whole = pd.concat([table, total.astype(table.drop(columns="from").dtypes)])
    hours = ["spent_gpu_h", "spent_cpu_h", "gpu_h", "cpu_h", "disk_gb"]
    shown = whole.assign(
        **{name: whole[name].map(_number) for name in hours},
        **{name: whole[name].map(lambda v: f"{v:,.0f}" if v else "") for name in ("done", "to_do")},
        **{"from": whole["from"].fillna("")},
    )
    names = {
        "spent_gpu_h": "GPU-h spent",
        "spent_cpu_h": "CPU-h spent",
        "to_do": "to do",
        "gpu_h": "GPU-h",
        "cpu_h": "CPU-h",
        "disk_gb": "disk GB",
    }
    return shown.rename(columns=names).to_string()
