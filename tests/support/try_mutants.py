"""Tries each mutant of `mutants.py` on its unit tests, and reports those that no test notices.

    python tests/support/try_mutants.py [part of a file's name, or of a line] …

Each mutant is tried in a copy of the repository, by a fork of this process, which has imported the
libraries (8 s of a core otherwise). As `make test`, it leaves out tests that take minutes.
"""

import os
import re
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NoReturn

import pytest

from mutants import MUTANTS, Mutant
from warm_start import LIBRARIES

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    *("workflow", "tests", "config", "docs", "profiles", "slurm"),
    *("Snakefile", "pyproject.toml", "environment.yml"),
)
_SECONDS = 900  # a mutant may never end
_NO_RESULT = 70
_OPTIONS = (
    *("-x", "-m", "not thorough", "-p", "no:cacheprovider"),
    # Libraries that pytest has plugins of are imported already, which it warns of.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


def failing(copy: Path, tests: tuple[str, ...]) -> str:
    """The test that fails in a copy of the repository; empty if all pass."""
    log = copy / "log"
    fork = os.fork()
    if fork == 0:
        _become(copy, tests, log)
    status = os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])
    if status == -signal.SIGALRM:
        return f"none ended in {_SECONDS} s"
    output = log.read_text()
    if status not in (0, 1):
        sys.exit(output)
    failed = re.search(r"^(?:FAILED|ERROR) tests/unit/(.*?)(?: - .*)?$", output, re.M)
    return failed[1] if failed else ""


def _become(copy: Path, tests: tuple[str, ...], log: Path) -> NoReturn:
    """In the fork: runs pytest in the copy, and ends."""
    status = _NO_RESULT
    try:
        signal.alarm(_SECONDS)
        os.chdir(copy)
        sys.dont_write_bytecode = True  # a mutant may have the size and second of the one before
        with open(log, "w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        status = pytest.main([*_OPTIONS, *tests])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def tried(copy: Path, mutant: Mutant) -> str:
    """The test that notices a mutant; empty if it survives."""
    source = copy / mutant.file
    text = source.read_text()
    source.write_text(text.replace(mutant.old, mutant.new))
    failed = failing(copy, mutant.tests)
    source.write_text(text)
    return failed


def main(*patterns: str) -> None:
    """Tries the mutants that contain one of the patterns, and ends with 1 if any survives."""
    chosen = [m for m in MUTANTS if not patterns or any(p in str(m) for p in patterns)]
    if not chosen:
        sys.exit(f"No mutant contains {' or '.join(patterns)}.")
    for name in LIBRARIES:
        __import__(name)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            copied = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copied(ROOT / name, copy / name)
        if failed := failing(copy, tuple(sorted({test for m in chosen for test in m.tests}))):
            sys.exit(f"Without any mutant, this test fails: {failed}")
        alive = 0
        for mutant in chosen:
            failed = tried(copy, mutant)
            alive += not failed
            print(f"{f'killed by {failed}' if failed else 'SURVIVES'}\t{mutant}", flush=True)
    print(f"{len(chosen)} mutants, {alive} survived")
    sys.exit(alive > 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
