"""Runs a study on this machine, with one line of progress in place of Snakemake's output.

    python workflow/scripts/run_study.py --configfile config/digits.yaml

The output of Snakemake and its jobs goes to results/<experiment>/snakemake.log.
"""

import argparse
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from snakemake.exceptions import WorkflowError

from leavekout.base.errors import InputError
from leavekout.planning.bill import PlannedJob
from plan_study import ROOT, jobs_of_study

# Snakemake 9.27 reports finished jobs only to its log and to logger plugins. A plugin would have to
# be an installed package, and this workflow runs without being installed.
_FINISHED = re.compile(r"Finished jobid: \d+ \(Rule: (\w+)\)")
_START = 8.0  # seconds that a job takes to import its libraries
_TAIL = 25  # lines shown of a run that failed


class Progress:
    """Counts finished jobs, and estimates the time left from the jobs' expected seconds."""

    def __init__(self, jobs: Iterable[PlannedJob]) -> None:
        needed = [job for job in jobs if job.needed]
        self.total = len(needed)
        self.done = 0
        seconds: dict[str, list[float]] = defaultdict(list)
        for job in needed:
            seconds[job.rule].append(_START + job.expected_seconds)
        self._mean = {rule: fmean(values) for rule, values in seconds.items()}
        self._all = sum(map(sum, seconds.values()))
        self._passed = 0.0

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
        text = f"{self.done} of {self.total} jobs done, {_minutes(elapsed)}"
        if not 0.05 * self._all < self._passed < self._all:
            return text
        left = elapsed * (self._all - self._passed) / self._passed
        return f"{text}, about {_minutes(left)} left"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def run(command: Sequence[str], progress: Progress, log: Path) -> int:
    """Runs Snakemake, writes its output to `log`, and returns its exit status.

    On Ctrl-C, Snakemake receives the signal and stops its jobs, and this process waits for it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    on_terminal = sys.stdout.isatty()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    begin = time.monotonic()
    with (
        log.open("w") as file,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
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


def run_study(configfiles: Sequence[Path]) -> None:
    """Plans and runs a study, and prints where the results are. Exits on errors."""
    try:
        jobs, config = jobs_of_study(configfiles, {}, ["all"])
    except (InputError, WorkflowError) as error:
        sys.exit(str(error))
    results = Path("results") / config["experiment"]
    log = results / "snakemake.log"
    progress = Progress(jobs)
    print(f"{progress.total} jobs to run; their output goes to {log}.", flush=True)
    files = map(str, configfiles)
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    status = run([snakemake, "--cores", "all", "--configfile", *files], progress, log)
    if status:
        print("\n".join(log.read_text().splitlines()[-_TAIL:]), file=sys.stderr)
        sys.exit(
            f"The study stopped; see {log} for the reason. Finished jobs are kept: the same "
            "command resumes the study."
        )
    headline = results / "tables" / "headline.txt"
    print(f"\n{headline.read_text()}" if headline.exists() else "")
    print(f"Report:             {results / 'report.html'} (open it in a browser)")
    print(f"Tables and figures: {results / 'tables'}, {results / 'figures'}")
    if config.get("joins") is None:
        print("Next: add a method of your own (docs/adding-a-baseline.md), bundle and join this")
        print("      study (docs/joining.md), or compare more methods (config/digits-study.yaml).")


def main() -> None:
    """Runs the study of the given configuration files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--configfile", nargs="+", type=Path, default=[ROOT / "config/digits.yaml"])
    run_study(parser.parse_args().configfile)


if __name__ == "__main__":
    main()
