"""Runs a study on this machine, with one line of progress in place of Snakemake's output.

    python workflow/scripts/run_study.py --configfile config/digits.yaml

The output of Snakemake and its jobs goes to results/<experiment>/snakemake.log.
"""

import argparse
import fcntl
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import TextIO

import psutil  # type: ignore[import-untyped]
from snakemake.exceptions import WorkflowError

from leavekout.base.errors import InputError
from leavekout.planning.bill import PlannedJob
from plan_study import DEFAULT, ROOT, Plan, in_project, plan_of
from warm_start import SOCKET, warm_start

# Snakemake 9.27 reports finished jobs only to its log and to logger plugins. A plugin would have to
# be an installed package, and this workflow runs without being installed.
_FINISHED = re.compile(r"Finished jobid: \d+ \(Rule: (\w+)\)")
START = 8.0  # seconds that a job takes to import its libraries
_TAIL = 25  # lines shown of a run that failed


class Progress:
    """Counts finished jobs, and estimates the time left from the jobs' expected seconds."""

    def __init__(self, jobs: Iterable[PlannedJob]) -> None:
        needed = [job for job in jobs if job.needed]
        self.total = len(needed)
        self.done = 0
        seconds: dict[str, list[float]] = defaultdict(list)
        for job in needed:
            seconds[job.rule].append(START + job.expected_seconds)
        self._mean = {rule: fmean(values) for rule, values in seconds.items()}
        self._all = sum(map(sum, seconds.values()))
        self._passed = 0.0
        self.interrupted = False  # by Ctrl-C

    def see(self, line: str) -> bool:
        """Reads a line of Snakemake's output; returns whether it reports a finished job."""
        finished = _FINISHED.search(line)
        if finished is None or finished[1] not in self._mean:
            return False
        self.done += 1
        self._passed += self._mean[finished[1]]
        return True

    def text(self, elapsed: float) -> str:
        """One line: jobs done, time passed, and the estimated time left."""
        text = f"{self.done} of {self.total} jobs done, {minutes_text(elapsed)}"
        if not 0.05 * self._all < self._passed < self._all:
            return text
        left = elapsed * (self._all - self._passed) / self._passed
        return f"{text}, about {minutes_text(left)} left"


def minutes_text(seconds: float) -> str:
    """A duration in minutes, or in seconds if it is short."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def run(
    command: Sequence[str], progress: Progress, log: Path, env: Mapping[str, str] = os.environ
) -> int:
    """Runs Snakemake, writes its output to `log`, and returns its exit status.

    On Ctrl-C, Snakemake receives the signal and stops its jobs, and this process waits for it.

    Raises:
        InputError: another run of the study writes the log.
    """

    def note(*_: object) -> None:
        progress.interrupted = True

    log.parent.mkdir(parents=True, exist_ok=True)
    on_terminal = sys.stdout.isatty()
    before = signal.signal(signal.SIGINT, note)
    begin = time.monotonic()
    with (
        _own_log(log) as file,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=env,
            preexec_fn=lambda: signal.signal(signal.SIGINT, before),
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            file.flush()
            if progress.see(line):
                text = progress.text(time.monotonic() - begin)
                print(f"\r\033[K{text}" if on_terminal else text, end="" if on_terminal else "\n")
                sys.stdout.flush()
        status = process.wait()
    if on_terminal:
        print()
    signal.signal(signal.SIGINT, before)
    return status


def _own_log(log: Path) -> TextIO:
    """An empty log, unless a run beside this one writes it; raises InputError then."""
    file = log.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # other errors: a file system without locks; Snakemake has its own
        if isinstance(error, BlockingIOError):
            file.close()
            raise InputError(f"This study runs already; its output goes to {log}.") from None
    file.truncate(0)
    return file


def runs_beside() -> list[int]:
    """Processes on this machine, other than this one, that run Snakemake in this folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        if any(Path(word).name == "snakemake" for word in words[:3]):
            found += [process.pid] if process.info["cwd"] == os.getcwd() else []
    return found


def why_it_stopped(
    said: str, *, killed: bool, interrupted: bool, log: Path, command: Sequence[str]
) -> str:
    """The last lines after a run that failed: which case it is, and the command that goes on.

    Args:
        said: what Snakemake printed; killed: before it could unlock the folder; command: that ran
            it.
    """
    go_on = "Finished jobs are kept: the same command resumes the study."
    if "Directory cannot be locked" in said or killed:
        if others := runs_beside():
            return (
                f"Another Snakemake (process {others[0]}) works on this study. Wait until it has "
                "ended, or end it with Ctrl-C where it runs; then give the same command again."
            )
        return (
            "The folder is locked, and no Snakemake runs in it on this machine: a run was killed "
            f"before it could unlock it. If none runs on another machine either, unlock it:\n\n"
            f"    {unlocking(command)}\n\nFinished jobs are kept: then the same command resumes "
            "the study."
        )
    if interrupted:
        return f"Stopped by Ctrl-C. {go_on}"
    tail = "\n".join(said.splitlines()[-_TAIL:])
    return f"{tail}\nThe study stopped; see {log} for the reason. {go_on}"


def unlocking(command: Sequence[str]) -> str:
    """The command that unlocks the folder of a run."""
    files = [Path(word) for word in command[command.index("--configfile") + 1 :]]
    if len(files) == 1 and files[0] == Path("config") / f"{files[0].stem}.yaml":
        return f"make unlock EXPERIMENT={shlex.quote(files[0].stem)}"
    return shlex.join([command[0], "--unlock", *command[command.index("--configfile") :]])


def run_study(configfiles: Sequence[Path], *, gpus: int = 1) -> None:
    """Plans and runs a study, and prints where the results are. Exits on errors.

    Args:
        gpus: GPUs of this machine that its jobs share.
    """
    try:
        _run_study(configfiles, gpus)
    except (InputError, WorkflowError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped by Ctrl-C, before any job was started.")


@contextmanager
def environment_of_jobs(*, gpus: bool) -> Iterator[Mapping[str, str]]:
    """Jobs start with their libraries imported, by the process that serves this one if one does."""
    if sys.platform != "linux" or SOCKET in os.environ:
        yield os.environ
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        warm_start(Path(folder), dict(os.environ), gpus=gpus) as environment,
    ):
        yield environment


def make(
    configfiles: Sequence[Path], plan: Plan, *, targets: Sequence[str] = (), gpus: int = 1
) -> None:
    """Makes targets of a study by Snakemake, with a line of progress. Exits if a job fails.

    Args:
        plan: of these files and targets; targets: files or rules; none for the whole study.

    Raises:
        InputError: the study's files were copied without their times, or it runs already.
    """
    if plan.advice:
        raise InputError(plan.advice)
    log = Path("results") / plan.config["experiment"] / "snakemake.log"
    hardware = plan.config["hardware"]
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    at_once = gpus * hardware["jobs_per_gpu"]
    options = ["--resources", f"gpu={at_once}"] if hardware["gpus"] else []
    command = [snakemake, "--cores", "all", *options, "--configfile", *map(str, configfiles)]
    progress = Progress(plan.jobs)
    print(f"{progress.total} jobs to run; their output goes to {log}.", flush=True)
    wanted = ["--", *targets] if targets else []
    with environment_of_jobs(gpus=bool(hardware["gpus"])) as environment:
        status = run([*command, *wanted], progress, log, environment)
    if status:
        said = log.read_text(errors="replace")
        killed = status < 0 and any(Path(".snakemake/locks").glob("*"))
        case = {"killed": killed, "interrupted": progress.interrupted}
        sys.exit(why_it_stopped(said, **case, log=log, command=command))


def _run_study(configfiles: Sequence[Path], gpus: int) -> None:
    plan = plan_of(configfiles)
    make(configfiles, plan, gpus=gpus)
    results = Path("results") / plan.config["experiment"]
    headline = results / "tables" / "headline.txt"
    print(f"\n{headline.read_text()}" if headline.exists() else "")
    print(f"Report:             {results / 'report.html'} (open it in a browser)")
    print(f"Tables and figures: {results / 'tables'}, {results / 'figures'}")
    if plan.config.get("joins") is None:
        print("Next: a study with narrower intervals, 17 methods and 40 queries: open")
        print("      results/digits-study/report.html. See a method of your own beside it in a")
        print("      minute: make preview METHOD=mine (docs/adding-a-baseline.md).")


def main() -> None:
    """Runs the study of the given configuration files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--configfile", nargs="+", action="extend", type=Path, default=[])
    parser.add_argument("--gpus", type=int, default=1, help="GPUs of this machine to use")
    arguments = parser.parse_args()
    files = [in_project(path) for path in arguments.configfile or [DEFAULT]]
    os.chdir(ROOT)
    run_study(files, gpus=arguments.gpus)


if __name__ == "__main__":
    main()
