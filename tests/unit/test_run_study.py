"""One line of progress for a whole study, and Ctrl-C."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leavekout.planning.bill import PlannedJob
from project import ENV, ROOT
from run_study import Progress, run


def planned(rule: str, seconds: float, *, needed: bool = True) -> PlannedJob:
    return PlannedJob(rule, f"{rule}.py", needed, 0, 1, seconds, 0.0, None)


JOBS = [planned("encode", 12), *[planned("train", 22)] * 2, planned("done", 99, needed=False)]


def test_time_left_follows_what_jobs_are_expected_to_take() -> None:
    progress = Progress(JOBS)  # with 8 s to start each: 20 + 30 + 30
    assert progress.text(0) == "0 of 3 jobs done, 0 s"
    assert not progress.see("Error in rule train:")
    assert progress.see("Finished jobid: 11 (Rule: encode)")
    assert progress.text(10) == "1 of 3 jobs done, 10 s, about 30 s left"
    assert progress.see("Finished jobid: 4 (Rule: train)")
    assert not progress.see("Finished jobid: 0 (Rule: all)")
    assert progress.text(200) == "2 of 3 jobs done, 3 min, about 2 min left"
    assert progress.see("Finished jobid: 5 (Rule: train)")
    assert progress.text(240) == "3 of 3 jobs done, 4 min"


def test_output_goes_to_the_log_and_the_status_is_returned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "print('Finished jobid: 1 (Rule: encode)'); print('no room'); raise SystemExit(3)"
    log = tmp_path / "results" / "snakemake.log"
    before = signal.getsignal(signal.SIGINT)
    assert run([sys.executable, "-c", program], Progress(JOBS), log) == 3
    assert signal.getsignal(signal.SIGINT) == before
    assert log.read_text() == "Finished jobid: 1 (Rule: encode)\nno room\n"
    assert capsys.readouterr().out.startswith("1 of 3 jobs done, ")


def test_ctrl_c_reaches_the_run_and_its_end_is_awaited(tmp_path: Path) -> None:
    """As from a terminal, the signal goes to the whole process group."""
    child = (
        "import signal, sys, time\n"
        "def stop(*_):\n    time.sleep(0.5); print('saved'); sys.exit(7)\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "print('ready', flush=True); time.sleep(60)\n"
    )
    log = tmp_path / "log"
    parent = (
        "import sys; from pathlib import Path; from run_study import Progress, run\n"
        f"sys.exit(run([sys.executable, '-c', {child!r}], Progress([]), Path({str(log)!r})))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent],
        env={**ENV, "PYTHONPATH": str(ROOT / "workflow/scripts")},
        start_new_session=True,
    )
    while not log.exists() or "ready" not in log.read_text():
        assert process.poll() is None
        time.sleep(0.1)
    subprocess.run(["kill", "-s", "INT", "--", f"-{process.pid}"], check=True)
    assert process.wait(30) == 7
    assert log.read_text() == "ready\nsaved\n"
