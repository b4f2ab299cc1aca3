"""One line of progress for a whole study, and Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leavekout.base.errors import InputError
from leavekout.planning.bill import PlannedJob
from project import ENV, ROOT, copy_project
from run_study import Progress, run, why_it_stopped
from warm_start import SOCKET, warm_start


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


COMMAND = ["snakemake", "--cores", "all", "--configfile", "config/tiny.yaml"]


@pytest.mark.parametrize(
    ("said", "case", "beside", "last"),
    [
        ("Error: Directory cannot be locked.", "", [7], "Another Snakemake (process 7) works"),
        ("Error: Directory cannot be locked.", "", [], "make unlock EXPERIMENT=tiny"),
        ("Finished jobid: 3", "killed", [], "make unlock EXPERIMENT=tiny"),
        ("CalledProcessError", "interrupted", [], "Stopped by Ctrl-C. Finished jobs are kept: the"),
        ("Error in rule x", "", [], "Error in rule x\nThe study stopped; see log for the reason"),
    ],
)
def test_the_last_lines_say_which_case_it_is(
    said: str, case: str, beside: list[int], last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("run_study.runs_beside", lambda: beside)
    cases = {name: name == case for name in ("killed", "interrupted")}
    text = why_it_stopped(said, **cases, log=Path("log"), command=COMMAND)
    assert last in text
    assert "CalledProcessError" not in text
    elsewhere = [*COMMAND[:-1], "my study.yaml", "b.yaml"]
    text = why_it_stopped(said, **cases, log=Path("log"), command=elsewhere)
    unlock = "snakemake --unlock --configfile 'my study.yaml' b.yaml"
    assert (unlock in text) == ("make unlock" in last)


def test_a_second_run_leaves_the_log_of_the_first(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = "import time; print('first', flush=True); time.sleep(60)"
    first_run = (
        "import sys; from pathlib import Path; from run_study import Progress, run\n"
        f"run([sys.executable, '-c', {program!r}], Progress([]), Path({str(log)!r}))"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", first_run],
        env={**ENV, "PYTHONPATH": str(ROOT / "workflow/scripts")},
        start_new_session=True,
    )
    while not log.exists() or "first" not in log.read_text():
        assert first.poll() is None
        time.sleep(0.1)
    with pytest.raises(InputError, match="runs already"):
        run(["true"], Progress([]), log)
    assert log.read_text() == "first\n"
    subprocess.run(["kill", "--", f"-{first.pid}"], check=True)
    first.wait(30)
    assert run(["true"], Progress([]), log) == 0


@pytest.mark.parametrize("program", ["run_study", "plan_study"])
def test_programs_work_from_any_folder(program: str, tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    (tmp_path / "latin.yaml").write_bytes(b"# caf\xe9\n")

    def printed(*names: str) -> str:
        command = [sys.executable, str(project / f"workflow/scripts/{program}.py"), "--configfile"]
        result = subprocess.run(
            [*command, *names], cwd=tmp_path, env=ENV, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in result.stderr
        return result.stdout + result.stderr

    nearest = "config/digit.yaml: there is no such configuration file; the nearest is"
    assert f"{nearest} config/digits.yaml." in printed("config/digit.yaml")
    assert "latin.yaml, line 1: not text in UTF-8" in printed("latin.yaml")
    assert "'methods.0' is 3, but" in printed("config/tiny.yaml", str(_wrong(tmp_path)))


def _wrong(folder: Path) -> Path:
    path = folder / "wrong.yaml"
    path.write_text("methods: [3]\n")
    return path


def test_the_process_with_the_libraries_ends_with_the_run_that_started_it(tmp_path: Path) -> None:
    """Even with one that is killed: its end of the pipe is closed then."""
    server = [
        sys.executable,
        str(ROOT / "workflow/scripts/warm_start.py"),
        str(tmp_path / "socket"),
    ]
    ended = subprocess.run(server, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert ended.returncode == 0


@pytest.fixture
def script(tmp_path: Path) -> list[str]:
    """A script as Snakemake starts it."""
    path = tmp_path / ".snakemake" / "scripts" / "script.py"
    path.parent.mkdir(parents=True)
    path.write_text("import sys\nprint('torch' in sys.modules)\nsys.exit(7)\n")
    return [sys.executable, str(path)]


def test_a_script_that_comes_early_waits_for_the_libraries(
    script: list[str], tmp_path: Path
) -> None:
    with warm_start(tmp_path, ENV) as env:
        while not Path(env[SOCKET]).exists():
            time.sleep(0.01)
        done = subprocess.run(script, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "True\n", "")


@pytest.mark.parametrize("ends", ["the process", "the script"])
def test_a_script_that_waits_can_start_by_itself_and_be_stopped(
    ends: str, script: list[str], tmp_path: Path
) -> None:
    hook = "import warm_start; warm_start.hand_over()"
    (tmp_path / "sitecustomize.py").write_text(hook)
    path = os.pathsep.join([str(tmp_path), str(ROOT / "workflow/scripts")])
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()
        env = {**ENV, "PYTHONPATH": path, SOCKET: str(tmp_path / "socket")}
        waiting = subprocess.Popen(script, env=env, stdout=subprocess.PIPE, text=True)
        connection, _ = server.accept()
        assert connection.recv(8)
        if ends == "the script":
            waiting.terminate()
            assert waiting.wait(30) == 128 + signal.SIGTERM
        connection.close()
    said, _ = waiting.communicate(timeout=30)
    if ends == "the process":
        assert (waiting.returncode, said) == (7, "False\n")


@pytest.mark.parametrize(("counted", "usable"), [(1, True), (-1, False)])
def test_forks_can_use_gpus_only_if_nvml_counted_them(counted: int, usable: bool) -> None:
    """Without NVML (-1), PyTorch asks the driver while diffusers is imported."""
    code = (
        "import torch; from warm_start import forks_can_use_gpus\n"
        f"torch.cuda._device_count_nvml = lambda: {counted}\n"
        "import diffusers.utils.torch_utils\n"
        "print(forks_can_use_gpus())"
    )
    env = {
        **os.environ,
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
        "PYTHONPATH": str(ROOT / "workflow/scripts"),
    }
    ran = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == str(usable)
