"""Kills a small study at random moments until it ends, and compares it with an undisturbed one.

    python tests/support/kills.py [--kills 100] [--seed 0]

SIGKILL and SIGTERM take turns. Each goes to Snakemake alone, whose jobs run on, to all processes of
the run, or to one of its jobs' processes. Then the folder is unlocked if it is locked, and the same
command resumes the study, as a user would. A study that has ended is compared, and the next begins.
Ends with status 1 if any result differs, is missing or left over. Only times may differ.
"""

import argparse
import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import fmean

import psutil  # type: ignore[import-untyped]

from project import SNAKEMAKE, copy_project, output_of, snakemake, warm_env

# Every kind of stage, each as short as it can be; trainings long enough to save their state.
CONFIG = """
extends: tiny.yaml
experiment: kills
training: { epochs: 16 }
queries: { test: 2, tuning: 0, teacher: 0 }
methods: [unlearning, trak]
influence: { trak: { source_seeds: [0] } }
measures: [delta_loss, mse, clip]
counterfactual: { retrain_seeds: [], again: null, union: null }
oracle: null
forgetting: null
tuning: null
hardware: { checkpoint_seconds: 1 }
"""
STUDY = ["--cores", "2", "--configfile", "config/kills.yaml"]
# Files that hold seconds or memory, or show them.
_TIMES = re.compile(
    r"results/kills/(logs/|benchmarks/|costs/|report\.html|tables/costs\.csv|figures/costs\.)"
)
_STARTED = re.compile(r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    jobid: (\d+)\n", re.M)
_ENDED = re.compile(
    r"^(?:Finished jobid: (\d+) |Error in rule \w+:\n(?:    .*\n)*?    jobid: (\d+)\n)", re.M
)
_PATIENCE = 600  # seconds until a run hangs
PLANNING, BETWEEN = "(planning)", "(between jobs)"  # in place of a rule
ALONE, ALL, ONE = VICTIMS = "Snakemake alone", "all processes", "one of a job's processes"
SIGNALS = signal.SIGKILL, signal.SIGTERM


@dataclass(frozen=True)
class Blow:
    """A signal to one of VICTIMS, some seconds after a job has started."""

    number: signal.Signals
    victim: str
    after: float


@dataclass(frozen=True)
class Kill:
    """A blow that was dealt, the rules whose jobs ran then, and whether a lock was left."""

    blow: Blow
    rules: tuple[str, ...]
    locked: bool

    def __str__(self) -> str:
        lock = ", and the folder was locked" if self.locked else ""
        return f"{self.blow.number.name} to {self.blow.victim} during {', '.join(self.rules)}{lock}"


# The blow, if any, when a job of a rule starts.
Choose = Callable[[str], Blow | None]


def in_peace(rule: str) -> None:
    """No blow."""


class AtRandom:
    """Strikes each rule with the same chance, however many jobs it has.

    Args:
        seconds: of each job of a rule in an undisturbed run.
    """

    def __init__(self, seconds: Mapping[str, Sequence[float]]) -> None:
        self._seconds = seconds
        self._numbers = cycle(SIGNALS)

    def __call__(self, rule: str) -> Blow | None:
        """A blow within the time of a job that starts."""
        jobs = self._seconds[rule]
        share = 1 / 20 if rule == PLANNING else 1 / 2  # each attempt plans
        if random.random() > share / len(jobs):
            return None
        return Blow(next(self._numbers), random.choice(VICTIMS), random.uniform(0, fmean(jobs)))


class Attempt:
    """A run of Snakemake in a process group of its own, and what its log says of its jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds: dict[str, list[float]] = {}  # of the ended jobs of each rule
        self._running: dict[str, str] = {}  # rules by job
        self._since = {PLANNING: time.monotonic()}
        with open(log_of(folder), "ab") as log:
            self._begin = self._read = log.tell()
            self.process = subprocess.Popen(
                [SNAKEMAKE, *STUDY],
                cwd=folder,
                env=warm_env(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def until_killed(self, choose: Choose) -> Kill | None:
        """Runs until a blow, and returns it; or to the end, and returns None."""
        try:
            return self._watch(choose)
        except KeyboardInterrupt:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise

    def _watch(self, choose: Choose) -> Kill | None:
        blow = choose(PLANNING)
        due = time.monotonic() + (blow.after if blow else 0)
        while self.process.poll() is None:
            for rule in self._started():
                if blow is None and (blow := choose(rule)):
                    due = time.monotonic() + blow.after
            if blow and time.monotonic() >= due:
                between = BETWEEN if self.seconds else PLANNING
                rules = tuple(sorted(self._running.values())) or (between,)
                self._strike(blow)
                self.process.wait(_PATIENCE)
                return Kill(blow, rules, is_locked(self.folder))
            time.sleep(0.01)
        self._started()
        return None

    def _started(self) -> list[str]:
        """Reads on in the log; returns the rules of jobs that have started since."""
        log = log_of(self.folder)
        if log.stat().st_size == self._read:
            return []
        content = log.read_bytes()
        self._read = len(content)
        text = content[self._begin :].decode(errors="replace")
        now, new = time.monotonic(), []
        for rule, job in _STARTED.findall(text):
            if job not in self._since:
                self.seconds.setdefault(PLANNING, [now - self._since[PLANNING]])
                self._since[job], self._running[job] = now, rule
                new.append(rule)
        for job in map("".join, _ENDED.findall(text)):
            if job in self._running:
                rule = self._running.pop(job)
                self.seconds.setdefault(rule, []).append(now - self._since[job])
        return new

    def _strike(self, blow: Blow) -> None:
        others = [pid for pid in members(self.process.pid) if pid != self.process.pid]
        pids = {
            ALONE: [self.process.pid],
            ALL: [self.process.pid, *others],
            ONE: random.sample(others, min(1, len(others))),
        }[blow.victim]
        for pid in pids or [self.process.pid]:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(pid, blow.number)


def members(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def log_of(folder: Path) -> Path:
    """The output of all attempts at a study, beside its folder."""
    return folder.with_name(f"{folder.name}.log")


def is_locked(folder: Path) -> bool:
    """Whether Snakemake would refuse to start."""
    return any((folder / ".snakemake" / "locks").glob("*"))


def new_study(folder: Path) -> Path:
    """A copy of the project with the study's configuration."""
    copy_project(folder)
    (folder / "config" / "kills.yaml").write_text(CONFIG)
    return folder


def undisturbed(folder: Path) -> dict[str, list[float]]:
    """Runs the study; returns the seconds of each rule's jobs."""
    attempt = Attempt(new_study(folder))
    attempt.until_killed(in_peace)
    assert attempt.process.returncode == 0, end_of(log_of(folder))
    return attempt.seconds


def disturbed(folder: Path, choose: Choose, most: int) -> list[Kill]:
    """Runs the study to its end through at most so many kills, and returns these."""
    new_study(folder)
    kills: list[Kill] = []
    attempts: list[Attempt] = []
    while not attempts or attempts[-1].process.returncode != 0:
        attempts.append(Attempt(folder))
        kill = attempts[-1].until_killed(choose if len(kills) < most else in_peace)
        if kill:
            kills.append(kill)
            print(kill, flush=True)
        else:
            assert attempts[-1].process.returncode == 0, end_of(log_of(folder))
        if is_locked(folder):
            unlocked = snakemake(folder, *STUDY, "--unlock")
            assert unlocked.returncode == 0, output_of(unlocked)
    end = time.monotonic() + _PATIENCE  # jobs may have outlived their Snakemake
    while any(members(attempt.process.pid) for attempt in attempts):
        assert time.monotonic() < end, "a job of a killed run does not end"
        time.sleep(0.1)
    return kills


def end_of(log: Path) -> str:
    """The last lines of a run that was not killed, and failed."""
    return f"{log}:\n{log.read_text()[-5000:]}"


def differences(folder: Path, other: Path) -> list[str]:
    """What of a study's results, locks and notes of unfinished jobs is not as in another folder."""
    found, expected = contents(folder), contents(other)
    paths = sorted({*found, *expected})
    return [
        f"{path} {'differs' if path in expected else 'is left over'}"
        if path in found
        else f"{path} is missing"
        for path in paths
        if found.get(path) != expected.get(path)
    ]


def contents(folder: Path) -> dict[str, str]:
    """The digest of each file; none for folders, and for files of times."""
    paths: Iterable[Path] = folder.iterdir()
    for part in ("results", "resources", ".snakemake/locks", ".snakemake/incomplete"):
        paths = [*paths, *(folder / part).rglob("*")]
    found = {}
    for path in paths:
        name = str(path.relative_to(folder))
        compared = path.is_file() and not _TIMES.match(name)
        found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if compared else ""
    return found


def table_of(kills: Sequence[Kill]) -> str:
    """How many kills each rule and each victim had, by signal; two rules may run at once."""
    counts = Counter((row, kill.blow.number) for kill in kills for row in kill.rules)
    counts += Counter((f"to {kill.blow.victim}", kill.blow.number) for kill in kills)
    lines = [f"{'':32}" + "".join(f"{number.name:>9}" for number in SIGNALS)]
    for row in sorted({row for row, _ in counts}, key=lambda row: (row.startswith("to "), row)):
        lines.append(f"{row:32}" + "".join(f"{counts[row, number]:9}" for number in SIGNALS))
    return "\n".join(lines)


def main() -> None:
    """Runs the study undisturbed once, and then disturbed until it was killed often enough."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    random.seed(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="kills"))
    began = time.monotonic()
    seconds = undisturbed(folder / "calm")
    print(f"undisturbed: {time.monotonic() - began:.0f} s; seed {options.seed}", flush=True)
    choose, kills, differ, resumed = AtRandom(seconds), list[Kill](), 0, 0
    for number in range(1, options.kills + 1):
        began, study = time.monotonic(), folder / f"killed{number}"
        kills += disturbed(study, choose, options.kills - len(kills))
        wrong = differences(study, folder / "calm")
        differ += bool(wrong)
        logs = study.glob("results/kills/logs/**/*.log")
        resumed += sum(log.read_text().count(" continues at ") for log in logs)
        print(
            f"study {number}: {time.monotonic() - began:.0f} s, {len(kills)} kills so far; "
            f"{'; '.join(wrong) or 'all results identical, nothing left over'}",
            flush=True,
        )
        if not wrong:
            shutil.rmtree(study)
        if len(kills) >= options.kills:
            break
    never = sorted({*seconds} - {rule for kill in kills for rule in kill.rules})
    print(f"\n{table_of(kills)}\n\nnever killed: {', '.join(never) or 'none'}")
    print(f"{resumed} trainings and arrays were continued where they had been killed.")
    print(f"{len(kills)} kills in {number} studies, of which {differ} differ. Seed {options.seed}.")
    if differ:
        sys.exit(f"The studies that differ are kept in {folder}.")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
