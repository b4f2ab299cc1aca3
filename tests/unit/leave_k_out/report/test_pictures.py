"""Grids of pictures: their rows and columns."""

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leavekout.contract.outcome import Outcome
from leavekout.contract.removal import Removal
from leavekout.leave_k_out.report.queries import Layout
from leavekout.report.collect import Ranked, Regenerated, regenerated_by_query
from leavekout.report.pictures import Idea, draw_attributed, draw_filmstrip, draw_idea
from leavekout.report.sheets import SIDE, addresses, sheet
from leavekout.report.style import save
from leavekout.report.text import shortened, wrapped

BLACK = np.zeros((4, 4, 3), np.uint8)


def test_every_picture_of_a_query_has_its_place_on_the_sheet(tmp_path: Path) -> None:
    layout = Layout(["unlearning", "pixel", "random"], 2, [50, 100])
    shades = {
        ("unlearning", 50): (1, 2),
        ("pixel", 100): (2, 3),
        ("random", 50): (3, 2),
        ("no_removal", 0): (0, 1),
    }
    models = [
        Regenerated(method, k, 0, np.full((4, 4, 3), 10 + i, np.uint8))
        for i, (method, k) in enumerate(shades)
    ]
    pixels = np.stack([np.full((4, 4, 3), 100 + i, np.uint8) for i in range(3)])
    ranked = {"pixel": Ranked(np.array([2, 0]), np.array([0.9, 0.1]))}
    content, kind = layout.draw(BLACK, ranked, models, pixels)
    assert kind == "png"
    sheet = np.asarray(Image.open(io.BytesIO(content)))
    assert sheet.shape == (4 * 4, 4 * 4, 3)
    places = sheet[::4, ::4, 0]
    assert places.tolist() == [
        [0, 13, 255, 255],
        [255, 255, 10, 255],
        [102, 100, 255, 11],
        [255, 255, 12, 255],
    ]
    assert {one: layout.place(*one) for one in shades if one[1]} == {
        one: place for one, place in shades.items() if one[1]
    }


def test_many_pictures_go_to_a_folder_beside_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheets = {"q000": (b"first", "jpeg"), "q001": (b"second", "jpeg")}
    folder = tmp_path / "report"
    assert all(one.startswith("data:image/jpeg") for one in addresses(sheets, folder).values())
    assert not folder.exists()
    monkeypatch.setattr("leavekout.report.sheets.EMBEDDED", 10)
    assert addresses(sheets, folder) == {q: f"report/{q}.jpeg" for q in sheets}
    assert (tmp_path / "report/q001.jpeg").read_bytes() == b"second"
    monkeypatch.undo()
    addresses(sheets, folder)
    assert not folder.exists()  # nothing is left of a larger report


def test_large_pictures_are_shrunk(tmp_path: Path) -> None:
    large = np.zeros((300, 300, 3), np.uint8)
    content, kind = sheet({(0, 0): large, (0, 1): large}, 1, 2)
    assert kind == "jpeg"
    assert Image.open(io.BytesIO(content)).size == (2 * SIDE, SIDE)


def test_the_largest_k_comes_first_whatever_the_files_order(tmp_path: Path) -> None:
    paths = []
    for k in (50, 1000, 100):
        removal = Removal("top", "pixel", k, 0, targets=("q000",))
        nothing, pictures = np.zeros((1, 1)), np.full((1, 4, 4, 3), k % 251, np.uint8)
        outcome = Outcome(removal.as_dict(), ["q000"], nothing, nothing, pictures, np.arange(k))
        paths.append(tmp_path / f"{k}.safetensors")
        outcome.save(paths[-1])
    shown = regenerated_by_query(paths, ["q000"])["q000"]
    assert [model.label for model in shown] == ["K = 1,000", "K = 100", "K = 50"]
    assert [model.picture[0, 0, 0] for model in shown] == [1000 % 251, 100, 50]


@cache
def widths(prompt: str, folder: Path) -> list[int]:
    """The widths of figures with a prompt, in pixels."""
    stack, found = np.stack([BLACK] * 3), []
    for figure in (
        draw_idea([Idea(prompt, BLACK, stack, BLACK, BLACK)], "pixel", 3),
        draw_filmstrip(prompt, BLACK, {"by pixel": {3: BLACK, 9: BLACK}, "random": {9: BLACK}}),
        draw_attributed(BLACK, prompt, {"pixel": Ranked(np.arange(2), np.ones(2))}, stack),
    ):
        save(figure, [folder / "a.png", folder / "a.svg"])
        with Image.open(folder / "a.png") as picture:
            found.append(picture.width)
    return found


def test_a_filmstrip_names_its_values_of_k_and_leaves_out_what_was_not_trained() -> None:
    figure = draw_filmstrip("a 6", BLACK, {"by pixel": {9: BLACK, 3: BLACK}, "random": {9: BLACK}})
    lines = figure.axes[:3], figure.axes[3:]
    assert [ax.get_title() for ax in lines[0]] == ["nothing removed", "K = 3", "K = 9"]
    assert [ax.get_title() for ax in lines[1]] == ["", "", ""]
    assert [len(ax.images) for ax in figure.axes] == [1, 1, 1, 1, 0, 1]


@pytest.mark.parametrize(
    "prompt",
    [
        "a $5 bill and a $10 bill, C:\\temp$ and $\\frac{1 _$^",
        "lone \ud83d surrogate, \x00 and \x1b[31m, 狗 🐶 كلب हिन्दी",
        *("", "狗" * 400, "a brown dog on a sofa, " * 20),
    ],
)
def test_any_prompt_is_drawn_and_figures_keep_their_size(
    prompt: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    assert widths(prompt, folder) == pytest.approx(widths("a brown dog", folder), rel=0.1)


def test_prompts_are_cut_at_a_width_and_otherwise_as_written() -> None:
    assert shortened("a $5 bill\n and \\x_y", 40) == "a $5 bill and \\x_y"
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abcde…"
    assert shortened("狗狗狗狗", 6) == "狗狗…"
    assert wrapped("one two three four", 9, 2) == "one two\nthree …"
    assert wrapped("狗" * 9, 6, 2) == "狗狗狗\n狗狗…"
