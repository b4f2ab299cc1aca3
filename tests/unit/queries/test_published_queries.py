"""Published queries: read in their order, or refused in a sentence."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leavekout.base.errors import InputError
from leavekout.queries.published import (
    published_table,
    read_latents,
    read_pictures,
    require_decoded,
)

GROUPS: Any = (["q000", "q001"], ["t000"], ["d000"], 0)  # and the seed


def written(path: Path, *lines: str, ending: str = "\n") -> Path:
    path.write_bytes(ending.join([*lines, ""]).encode())
    return path


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_test_queries_are_the_first_lines_and_others_the_last(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path / "p.txt", "a", "b", "c", " d ", "e", ending=ending)
    table = published_table(path, *GROUPS)
    assert table["query"].tolist() == ["q000", "q001", "t000", "d000"]
    assert table["prompt"].tolist() == ["a", "b", "e", "d"]
    assert table["line"].tolist() == [0, 1, 4, 3]
    more = published_table(path, ["q000", "q001", "q002"], ["t000"], [], 0)
    seeds = table.set_index("query")["noise_seed"]
    assert more.set_index("query")["noise_seed"]["t000"] == seeds["t000"]
    assert seeds.nunique() == 4


def test_other_prompts_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for lines, message in (
        (("a", "b", "c"), r"has 3 prompts, but 'queries' asks for 4"),
        (("a", "", "c", "d"), r"line 2 is empty"),
        (("a", "b", "c", "b"), r"1 prompts of test queries are prompts of tuning .*first 'b'"),
    ):
        with pytest.raises(InputError, match=message):
            published_table(written(tmp_path / "p.txt", *lines), *GROUPS)
    (tmp_path / "p.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(InputError, match="not a complete text file in UTF-8"):
        published_table(tmp_path / "p.txt", *GROUPS)
    logging.getLogger("leavekout").propagate = True
    published_table(written(tmp_path / "p.txt", "a", "a", "c", "d"), *GROUPS)
    assert "1 prompts are there more than once, such as 'a'" in caplog.text


def test_latents_of_some_lines_are_read(tmp_path: Path) -> None:
    latents = np.random.default_rng(0).standard_normal((5, 4, 2, 2)).astype(np.float16)
    np.save(tmp_path / "l.npy", latents)
    found = read_latents(tmp_path / "l.npy", [4, 0], (4, 2, 2))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, latents[[4, 0]])
    with pytest.raises(InputError, match=r"shape \(5, 4, 2, 2\), but \[Q, 4, 2, 2\] .* least 6"):
        read_latents(tmp_path / "l.npy", [5], (4, 2, 2))
    with pytest.raises(InputError, match=r"but \[Q, 4, 8, 8\] is needed"):
        read_latents(tmp_path / "l.npy", [0], (4, 8, 8))
    latents[3, 0, 0, 0] = np.nan
    np.save(tmp_path / "l.npy", latents)
    read_latents(tmp_path / "l.npy", [2], (4, 2, 2))
    with pytest.raises(InputError, match="row 3 has values that are NaN"):
        read_latents(tmp_path / "l.npy", [3], (4, 2, 2))


def test_pictures_are_compared_with_what_is_decoded(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0)
    pictures = drawn.integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    for line, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{line}.png")
    found = read_pictures(tmp_path, [2, 1], 8)
    np.testing.assert_array_equal(found, pictures[[2, 1]])
    near = np.clip(pictures[[2, 1]].astype(int) + drawn.integers(-1, 2, found.shape), 0, 255)
    require_decoded(near.astype(np.uint8), found, [2, 1], tmp_path)
    with pytest.raises(InputError, match=r"2.png: is not what the VAE makes of row 2"):
        require_decoded(pictures[[1, 2]], found, [2, 1], tmp_path)
    with pytest.raises(InputError, match=r"0.png: has 8 x 8 pixels, but .* is 16"):
        read_pictures(tmp_path, [0], 16)
    with pytest.raises(InputError, match=r"3.png: there is no such file"):
        read_pictures(tmp_path, [3], 8)
    (tmp_path / "0.png").write_bytes((tmp_path / "0.png").read_bytes()[:60])
    with pytest.raises(InputError, match=r"0.png: not a complete picture"):
        read_pictures(tmp_path, [0], 8)
