"""How far a study is: what is done, running, failed and waiting, and when it will end."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from leavekout.planning.bill import PlannedJob, bill

State = Literal["done", "running", "interrupted", "failed", "waiting"]
_STATES: tuple[State, ...] = ("done", "running", "interrupted", "failed", "waiting")
_DAY = 86400.0
_FAILED = (" error: ", "Internal error")  # what `base.job` logs last
_ATTEMPT = '"params":'  # in the first line that an attempt logs
_SHOWN = 5


def last_words(log: Path) -> str:
    """What the last attempt of a job has logged, without its first line."""
    text = log.read_text(errors="replace")
    return text[text.rfind(_ATTEMPT) :].partition("\n")[2] if _ATTEMPT in text else text


def state_of(job: PlannedJob, *, locked: bool) -> State:
    """The state of a job, from its log.

    Args:
        locked: whether a Snakemake works on the study. If none does, a job that has begun and not
            ended was interrupted.
    """
    if not job.needed:
        return "done"
    if job.log is None or not job.log.exists():
        return "waiting"
    made = job.benchmark if job.benchmark and job.benchmark.exists() else None
    if made and made.stat().st_mtime >= job.log.stat().st_mtime:
        return "waiting"  # it ended once, and has to run again
    if any(word in last_words(job.log) for word in _FAILED):
        return "failed"
    return "running" if locked else "interrupted"


def status(name: str, jobs: Sequence[PlannedJob], *, locked: bool, now: float | None = None) -> str:
    """The state of a study as text for a terminal.

    Args:
        name: of the experiment; jobs: all of its jobs; now: seconds since 1970.
    """
    states = [state_of(job, locked=locked) for job in jobs]
    counts = {state: states.count(state) for state in _STATES}
    said = ", ".join(f"{n:,} {state}" for state, n in counts.items() if n and state != "done")
    lines = [f"{name}: {counts['done']:,} of {len(jobs):,} jobs done" + f", {said}." * bool(said)]
    lines += [*_hours(jobs, now or time.time()), *_models(jobs, states)]
    failed = [job for job, state in zip(jobs, states, strict=True) if state == "failed"]
    if failed:
        lines += ["", f"{len(failed):,} failed in their last attempt:"]
        lines += [f"  {job.log}: {_reason(job)}" for job in failed[:_SHOWN]]
        lines += [f"  and {len(failed) - _SHOWN:,} more"] * (len(failed) > _SHOWN)
    return "\n".join(lines)


def _reason(job: PlannedJob) -> str:
    assert job.log
    lines = last_words(job.log).strip().splitlines()
    return next((line for line in lines if " error: " in line), lines[-1]).partition("error: ")[2]


def _hours(jobs: Sequence[PlannedJob], now: float) -> list[str]:
    """Hours spent and left, and the expected end at the pace of the last day."""
    table = bill(jobs).drop(columns="from").sum()
    of = "gpu" if table["gpu_h"] + table["spent_gpu_h"] else "cpu"
    unit, left = of.upper(), float(table[f"{of}_h"])
    lines = [f"{unit}-hours: {table[f'spent_{of}_h']:,.1f} spent, about {left:,.1f} left."]
    ended = [
        (job.benchmark.stat().st_mtime, job.seconds * (job.gpus if of == "gpu" else job.threads))
        for job in jobs
        if job.benchmark and job.seconds and not job.needed and (of == "cpu" or job.gpus)
    ]
    recent = [(when, work) for when, work in ended if when > now - _DAY]
    if left and recent:
        hours = sum(work for _, work in recent) / 3600
        begun = min(when - work for when, work in recent)
        pace = hours / max((now - max(begun, now - _DAY)) / 3600, 1e-9)
        end = time.strftime("%d %B, %H:%M", time.localtime(now + 3600 * left / pace))
        lines.append(
            f"At the pace of the last day, {pace:.2g} {unit}-hours an hour, it ends in about "
            f"{left / pace / 24:,.1f} days, on {end}."
        )
    return lines


def _models(jobs: Sequence[PlannedJob], states: Sequence[State]) -> list[str]:
    """How many models of each method and control there are, and for how many queries all are."""
    rows = []
    for job, state in zip(jobs, states, strict=True):
        if job.script == "retrain.py" and job.benchmark:
            arm, model = job.benchmark.parts[-3:-1]
            rows.append({"arm": arm, "model": model, "state": state})
    if not rows:
        return []
    table = pd.DataFrame(rows)
    counts = pd.crosstab(table["arm"], table["state"], dropna=False)
    counts = counts.reindex(columns=[s for s in _STATES if s in counts], fill_value=0)
    whole = table.assign(done=table["state"].eq("done")).groupby(["arm", "model"])["done"].all()
    complete = whole.groupby("arm").agg(["sum", "size"])
    counts["complete"] = [f"{a} of {b}" for a, b in complete.loc[counts.index].to_numpy()]
    counts.index.name, counts.columns.name = None, None
    head = "Models of each method and control; a query (or set) is complete with all its K:"
    return ["", head, counts.to_string()]
