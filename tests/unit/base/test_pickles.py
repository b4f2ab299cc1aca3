"""Pickles of arrays, read without running what they name."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leavekout.base.errors import InputError
from leavekout.base.pickles import load_pickle

SCORES = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)


class Hostile:
    """Makes a file when it is read by an ordinary unpickler."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call = call, arguments

    def __reduce__(self) -> Any:
        return self.call


def written(path: Path, content: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_an_entry_of_a_pickle_is_read(tmp_path: Path, protocol: int) -> None:
    content = {"random": {"influence": SCORES, "rank": SCORES.argsort(), "n": np.float32(1)}}
    path = written(tmp_path / "a.pkl", content, protocol)
    np.testing.assert_array_equal(load_pickle(path, "random.influence"), SCORES)
    assert load_pickle(path, "")["random"].keys() == content["random"].keys()


def test_modules_of_numpy_1_are_known(tmp_path: Path) -> None:
    raw = pickle.dumps(SCORES, protocol=2)
    assert b"numpy._core.multiarray" in raw
    (tmp_path / "a.pkl").write_bytes(raw.replace(b"numpy._core.multi", b"numpy.core.multi"))
    np.testing.assert_array_equal(load_pickle(tmp_path / "a.pkl", ""), SCORES)


@pytest.mark.parametrize("where", ["alone", "inside", "in an array"])
def test_code_is_not_run(tmp_path: Path, where: str) -> None:
    mark = tmp_path / "mark"
    hostile = Hostile(os.mkdir, str(mark))
    content = {"alone": hostile, "inside": {"random": [SCORES, hostile]}}.get(where)
    if content is None:
        content = np.array([hostile], dtype=object)
    path = written(tmp_path / "a.pkl", content)
    with pytest.raises(InputError, match=r"a.pkl: not .* names 'posix.mkdir', and could run code"):
        load_pickle(path, "random")
    assert not mark.exists()
    pickle.loads(path.read_bytes())  # the test's own file does what it says
    assert mark.exists()


@pytest.mark.parametrize("call", [eval, getattr, np.load, np.memmap, np.lib.format.open_memmap])
def test_no_other_function_is_found(tmp_path: Path, call: Any) -> None:
    path = written(tmp_path / "a.pkl", Hostile(call, "1"))
    with pytest.raises(InputError, match="could run code"):
        load_pickle(path, "")


def test_damaged_and_other_pickles_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pkl", {"random": {"rank": SCORES}})
    with pytest.raises(InputError, match=r"has no entry 'random.scores'; at 'scores' .* 'rank'"):
        load_pickle(path, "random.scores")
    with pytest.raises(InputError, match=r"at 'more' there are no keys"):
        load_pickle(path, "random.rank.more")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"a.pkl: not a complete pickle of arrays alone"):
        load_pickle(path, "random.rank")
    with pytest.raises(InputError, match="there is no such file"):
        load_pickle(tmp_path / "absent.pkl", "")
