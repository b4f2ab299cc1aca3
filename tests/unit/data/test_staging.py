"""Arrays on a node's own disk: one copy, whole or absent, and errors in words."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leavekout.base.errors import InputError
from leavekout.data import staging
from leavekout.data.staging import staged
from project import ROOT
from small_disk import small_disk

COPY = """
import sys, time
from pathlib import Path
from leavekout.data import staging
seconds = float(sys.argv[4])
if seconds:
    staging._PIECE = 1000
    update = staging.hashlib.sha256

    class Slow:
        def __init__(self): self.digest = update()
        def update(self, piece): self.digest.update(piece); time.sleep(seconds)
        def hexdigest(self): return self.digest.hexdigest()

    staging.hashlib.sha256 = Slow
copied = []
copy = staging._copy
staging._copy = lambda *a: (copied.append(1), copy(*a))
print(staging.staged(Path(sys.argv[1]), sys.argv[2], sys.argv[3]), len(copied), flush=True)
"""


@pytest.fixture
def array(tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "shared" / "text.npy"
    path.parent.mkdir()
    path.write_bytes(bytes(range(256)) * 100)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def start(array: tuple[Path, str], folder: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COPY, str(array[0]), array[1], str(folder), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow" / "scripts")},
    )


def test_jobs_that_start_together_make_one_copy(array: tuple[Path, str], tmp_path: Path) -> None:
    jobs = [start(array, tmp_path / "local", 0.01) for _ in range(2)]
    printed = [job.communicate(timeout=60)[0].split() for job in jobs]
    assert sorted(copied for _, copied in printed) == ["0", "1"]
    assert {Path(path) for path, _ in printed} == {tmp_path / "local" / f"{array[1][:32]}-text.npy"}
    assert Path(printed[0][0]).read_bytes() == array[0].read_bytes()


def test_a_killed_copier_leaves_nothing_that_looks_whole(
    array: tuple[Path, str], tmp_path: Path
) -> None:
    local = tmp_path / "local"
    job = start(array, local, 0.5)
    end = time.monotonic() + 60
    while not list(local.glob(".*.part")):
        assert time.monotonic() < end
        time.sleep(0.02)
    job.kill()
    job.communicate()
    assert [path.name for path in local.iterdir() if not path.name.startswith(".")] == []
    copy = staged(*array, str(local))
    assert copy.read_bytes() == array[0].read_bytes()
    assert not list(local.glob(".*.part"))


def test_a_full_folder_is_refused(array: tuple[Path, str], tmp_path: Path) -> None:
    message = r"'.*local' cannot take .* GB of text.npy \(File too"
    with small_disk(1000), pytest.raises(InputError, match=message):
        staged(*array, str(tmp_path / "local"))
    assert not [p for p in (tmp_path / "local").iterdir() if not p.name.endswith(".lock")]


def test_a_copy_of_other_content_is_refused(array: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not what its checksum file says"):
        staged(array[0], "0" * 64, str(tmp_path / "local"))
    assert not [p for p in (tmp_path / "local").iterdir() if not p.name.endswith(".lock")]


def test_the_folder_may_be_a_variable(
    array: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRATCH_OF_JOB", str(tmp_path / "scratch"))
    copy = staged(*array, "$SCRATCH_OF_JOB/leavekout")
    assert copy.parent == tmp_path / "scratch" / "leavekout"
    assert staged(*array, "") == array[0]
    assert staging.staged(*array, "$SCRATCH_OF_JOB/leavekout") == copy


@pytest.mark.parametrize("folder", ["$NOT_SET", "$NOT_SET/x", "${NOT_SET}/x", "~no-such-user/x"])
def test_a_folder_that_is_not_set_is_refused(
    folder: str, array: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    before = set(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"names no folder on this node, because .* is not set"):
        staged(*array, folder)
    assert set(tmp_path.iterdir()) == before
    assert staged(*array, "~/x").parent == tmp_path / "home" / "x"


def test_a_job_s_own_folder_is_named(
    array: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its copies would be made by every job."""
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setattr(staging.logger, "propagate", True)
    staged(*array, str(tmp_path / "scratch14711"))
    assert "own folder" not in caplog.text
    staged(*array, str(tmp_path / "slurm.4711" / "x"))
    assert "seems to be this job's own folder" in caplog.text
