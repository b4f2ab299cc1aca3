"""A copy of the project in which Snakemake runs, for tests."""

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from warm_start import warm_start

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = str(Path(sys.executable).parent / "snakemake")
TINY = ["--configfile", "config/tiny.yaml"]
IMAGES = 450  # of tiny
ENV = {**os.environ, "OMP_NUM_THREADS": "1"}


def copy_project(folder: Path) -> Path:
    """Copies the parts of the project that rules need to a new `folder`."""
    folder.mkdir()
    for name in ("Snakefile", "environment.yml", "config", "profiles", "slurm", "workflow"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


@cache
def warm_env() -> dict[str, str]:
    """The environment in which scripts start with their libraries imported; closed at exit."""
    until_the_end = ExitStack()
    atexit.register(until_the_end.close)
    folder = Path(until_the_end.enter_context(tempfile.TemporaryDirectory()))
    return until_the_end.enter_context(warm_start(folder, ENV))


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Snakemake to its end, locally on two cores unless `arguments` say otherwise."""
    on_cluster = "--profile" in arguments
    where = () if on_cluster else ("--cores", "2")
    return subprocess.run(
        [SNAKEMAKE, *where, *arguments],
        cwd=folder,
        env=ENV if on_cluster else warm_env(),
        capture_output=True,
        text=True,
        check=False,
    )


def output_of(result: subprocess.CompletedProcess[str]) -> str:
    """All that a run printed."""
    return result.stdout + result.stderr


def ran(folder: Path, *arguments: str) -> str:
    """What a run of Snakemake printed that has to succeed."""
    result = snakemake(folder, *arguments)
    assert result.returncode == 0, output_of(result)
    return output_of(result)


def refused(folder: Path, *arguments: str) -> str:
    """What a run of Snakemake printed that has to fail, with sentences and no traceback."""
    result = snakemake(folder, *arguments)
    assert result.returncode == 1, output_of(result)
    assert "Traceback" not in output_of(result)
    return output_of(result)


def tables(folder: Path) -> dict[str, bytes]:
    """The contents of the tiny experiment's tables."""
    return {path.name: path.read_bytes() for path in folder.glob("results/tiny/tables/*.csv")}


def planned(folder: Path, *arguments: str) -> dict[str, int]:
    """The jobs that a run would make, by rule."""
    output = ran(folder, "-n", *arguments)
    if "Nothing to be done" in output:
        return {}
    table = output.split("Job stats:")[1].split("\n\n")[0]
    return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", table, re.M)}
