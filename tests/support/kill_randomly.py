"""Kills a run of the tiny experiment at random moments, and compares its tables with another's.

    python tests/support/kill_randomly.py [--kills 20] [--seed 0] [--config methods=[pixel] …]

At each moment, one of four things dies by SIGKILL or SIGTERM: Snakemake alone, whose jobs run on;
all of it; one job; or all jobs. Then Snakemake is unlocked and started again, as a user would.
Prints each kill, and ends with status 1 if any number in the tables differs.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from project import ENV, SNAKEMAKE, copy_project, output_of, snakemake, tables

STUDY = ["--cores", "2", "--configfile", "config/tiny.yaml"]
TARGETS = ["--", "all", "tuning"]


def jobs_of(folder: Path) -> list[int]:
    """Processes that run a script of the workflow in this folder."""
    pattern = f"{folder}/.snakemake/scripts/"
    found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def kill(what: str, number: signal.Signals, run: subprocess.Popen[bytes], folder: Path) -> None:
    """Kills one kind of process; those that just ended by themselves are no loss."""
    jobs = jobs_of(folder)
    pids = {
        "Snakemake": [run.pid],
        "everything": [run.pid, *jobs],
        "one job": jobs[:1],
        "all jobs": jobs,
    }[what]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    if "everything" not in what and "Snakemake" not in what:
        return  # Snakemake notices, and ends by itself
    run.wait()


def disturbed_run(folder: Path, arguments: list[str], kills: int, chance: random.Random) -> int:
    """Runs the study to its end, killing it at up to `kills` moments; returns their number."""
    done = 0
    while True:
        with open(folder / "run.log", "ab") as log:
            run = subprocess.Popen(
                [SNAKEMAKE, *arguments, *TARGETS], cwd=folder, env=ENV, stdout=log, stderr=log
            )
        if done < kills:
            wait = chance.uniform(3, 20)
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(wait)
            if run.poll() is None:
                what = chance.choice(["Snakemake", "everything", "one job", "all jobs"])
                number = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
                done += 1
                print(f"{done:3}  after {wait:4.1f} s  {number.name} to {what}", flush=True)
                kill(what, number, run, folder)
        if run.wait() == 0:
            return done
        unlocked = snakemake(folder, *arguments, "--unlock")
        if unlocked.returncode != 0:
            sys.exit(output_of(unlocked))


def main() -> None:
    """Runs the study undisturbed once, and disturbed until it was killed often enough."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--config", nargs="+", default=[], help="values for Snakemake's --config")
    options = parser.parse_args()
    arguments = [*STUDY, *(["--config", *options.config] if options.config else [])]
    chance, done, differ = random.Random(options.seed), 0, False
    with tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        calm = copy_project(Path(name) / "calm")
        result = snakemake(calm, *arguments, *TARGETS)
        if result.returncode != 0:
            sys.exit(output_of(result))
        print(f"undisturbed: {time.monotonic() - began:.0f} s", flush=True)
        for number in range(options.kills):
            began = time.monotonic()
            folder = copy_project(Path(name) / f"killed{number}")
            done += disturbed_run(folder, arguments, options.kills - done, chance)
            same = tables(folder) == tables(calm)
            differ |= not same
            left = [str(p.relative_to(folder)) for p in folder.glob("results/**/.*~*")]
            left += [str(p.relative_to(folder)) for p in folder.glob("results/**/*.state.*")]
            print(
                f"disturbed: {time.monotonic() - began:.0f} s, {len(tables(folder))} tables "
                f"{'identical' if same else 'DIFFERENT'}, left behind: {left or 'nothing'}",
                flush=True,
            )
            if done >= options.kills:
                break
    sys.exit(differ)


if __name__ == "__main__":
    main()
