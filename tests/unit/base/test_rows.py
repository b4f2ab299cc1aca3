"""Arrays filled row by row: stopped anywhere, they resume and end with the same content."""

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from leavekout.base.errors import InputError, Interrupted
from leavekout.base.interruption import remove_leftovers
from leavekout.base.rows import Rows, identity_of
from leavekout.config.experiment import LossSweep
from leavekout.sweeps.losses import pass_losses, sweep_rows
from leavekout.sweeps.passes import passes_of

SWEEP = LossSweep(timestep_stride=7, captions=2, seed=4)


def rows_of(path: Path, identity: str = "one", save_seconds: float = 1e9) -> Rows:
    return Rows(path, np.float32, (10, 2), identity=identity, save_seconds=save_seconds)


def parts(first: int, stop_before: int | None = None) -> Iterator[np.ndarray]:
    """Rows of [i, i²], two at a time; a signal comes when row `stop_before` is asked for."""
    for i in range(first, 10, 2):
        if i == stop_before:
            os.kill(os.getpid(), signal.SIGTERM)
        yield np.array([[j, j * j] for j in range(i, i + 2)], np.float32)


def test_a_stopped_array_resumes_after_its_last_row(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    rows = rows_of(path)
    with pytest.raises(Interrupted, match="stopped by SIGTERM after row 6 of 10; the rows"):
        rows.fill(parts(rows.filled, stop_before=4))
    assert not path.exists()
    rows = rows_of(path)
    assert rows.filled == 6
    rows.fill(parts(rows.filled))
    rows.finish()
    np.testing.assert_array_equal(np.load(path), [[i, i * i] for i in range(10)])
    assert os.listdir(tmp_path) == ["a.npy"]


def test_a_full_array_is_kept_while_more_work_follows(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    rows = rows_of(path)
    rows.fill(parts(rows.filled), more=True)
    assert rows_of(path).filled == 10
    # A signal that comes with the last part is not forgotten, either.
    rows = rows_of(tmp_path / "b.npy")
    with pytest.raises(Interrupted, match="after row 10 of 10"):
        rows.fill(parts(rows.filled, stop_before=8), more=True)
    rows = rows_of(tmp_path / "b.npy")
    rows.fill(parts(rows.filled), more=True)
    np.testing.assert_array_equal(rows.array, [[i, i * i] for i in range(10)])


def test_a_killed_array_resumes_from_its_last_note(tmp_path: Path) -> None:
    """A process that dies between two notes loses what came after the first."""

    class Killed(BaseException):
        pass

    def dying() -> Iterator[np.ndarray]:
        for number, part in enumerate(parts(0)):
            if number == 3:
                raise Killed
            yield part

    path = tmp_path / "a.npy"
    rows = rows_of(path, save_seconds=0)
    with pytest.raises(Killed):
        rows.fill(dying())
    assert rows_of(path).filled == 6


@pytest.mark.parametrize("damage", ["identity", "note", "array", "shape"])
def test_a_partial_array_that_does_not_fit_is_not_resumed(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.npy"
    rows = rows_of(path)
    with pytest.raises(Interrupted):
        rows.fill(parts(0, stop_before=4))
    match damage:
        case "note":
            rows.note.write_text("{")
        case "array":
            rows.file.write_bytes(rows.file.read_bytes()[:100])
    identity, length = "other" if damage == "identity" else "one", 11 if damage == "shape" else 10
    again = Rows(path, np.float32, (length, 2), identity=identity, save_seconds=1)
    assert again.filled == 0


def test_two_writers_of_one_output_do_not_corrupt_it(tmp_path: Path) -> None:
    """Where locks do not reach, a job may run twice at once."""
    path = tmp_path / "a.npy"
    first, second = rows_of(path, save_seconds=0), rows_of(path, save_seconds=0)
    second.fill(list(parts(0))[:2])
    first.fill(parts(0))
    third = rows_of(path)  # resumes the first's file, all of which is noted
    assert third.filled == 10
    for rows in (first, second, third):
        rows.fill(parts(rows.filled))
        rows.finish()
        np.testing.assert_array_equal(np.load(path), [[i, i * i] for i in range(10)])
    assert os.listdir(tmp_path) == ["a.npy"]


def test_leftovers_of_dead_processes_are_removed_unless_they_are_resumed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in ("11111111", "22222222"):
        (tmp_path / f".{platform.node()}~{ended.pid}~{name}~a.partial.npy").write_bytes(b"")
    noted = f".{platform.node()}~{ended.pid}~22222222~a.partial.npy"
    (tmp_path / "a.partial.json").write_text(json.dumps({"file": noted}))
    remove_leftovers([tmp_path / "a.npy"])
    assert set(os.listdir(tmp_path)) == {"a.partial.json", noted}


@pytest.mark.parametrize("fails_at", [0, 4])
def test_bad_input_halfway_leaves_no_output(tmp_path: Path, fails_at: int) -> None:
    def failing() -> Iterator[np.ndarray]:
        yield from parts(10 - fails_at)
        raise InputError("bad")

    rows = rows_of(tmp_path / "a.npy")
    with pytest.raises(InputError, match="bad"):
        rows.fill(failing())
    assert not (tmp_path / "a.npy").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    broken = [np.zeros((4, 2), np.float32), np.array([[0, 0], [0, value]], np.float32)]
    with pytest.raises(InputError, match=r"a.npy: row 5 would hold NaN or infinite"):
        rows_of(tmp_path / "a.npy").fill(broken)


def test_a_resumed_sweep_ends_at_the_same_bits(
    denoiser64: Any, process: Any, data64: Any, tmp_path: Path
) -> None:
    data = data64
    options: Any = {"batch": 24, "objective": "loss", "settings": {"version": 1}}
    options["save_seconds"] = 1e9
    passes = passes_of(SWEEP, process)
    whole = sweep_rows(tmp_path / "whole.npy", denoiser64, process, data, passes, **options)
    path = tmp_path / "stopped.npy"
    identity = identity_of(
        SWEEP.model_dump(), {"version": 1}, "loss", data.fingerprint, denoiser64, None
    )
    shape = data.images, data.flips, passes.count
    rows = Rows(path, np.float32, shape, save_seconds=0, identity=identity)
    first = next(iter(pass_losses(denoiser64, process, data, passes, batch=24)))
    end = {"batch": 24, "first": data.images}
    assert not list(pass_losses(denoiser64, process, data, passes, **end))
    rows.fill([first])
    assert 0 < rows.filled < data.images
    resumed = sweep_rows(path, denoiser64, process, data, passes, **options)
    np.testing.assert_array_equal(resumed.array, whole.array)
    with torch.no_grad():
        next(denoiser64.parameters()).add_(1e-3)
    other = sweep_rows(path, denoiser64, process, data, passes, **options)
    assert (other.array[0, 0] != whole.array[0, 0]).any()


def test_an_identity_changes_with_every_weight_file_and_value(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 2)
    (tmp_path / "config.json").write_text("{}")
    found = [identity_of({"a": 1}, model, tmp_path)]
    found.append(identity_of({"a": 2}, model, tmp_path))
    with torch.no_grad():
        model.bias[1] += 1e-6
    found.append(identity_of({"a": 1}, model, tmp_path))
    (tmp_path / "config.json").write_text("{ }")
    found.append(identity_of({"a": 1}, model, tmp_path))
    assert len(set(found)) == 4
    assert identity_of({"a": 1}, model, tmp_path) == found[3]
