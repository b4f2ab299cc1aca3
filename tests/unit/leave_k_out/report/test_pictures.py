"""Grids of pictures: their rows and columns."""

from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from leavekout.contract.outcome import Outcome
from leavekout.contract.removal import Removal
from leavekout.report import gallery
from leavekout.report.collect import Regenerated, regenerated_by_query
from leavekout.report.pictures import Idea, draw_attributed, draw_idea, draw_regenerated
from leavekout.report.style import save
from leavekout.report.text import shortened, wrapped

BLACK = np.zeros((4, 4, 3), np.uint8)


def test_models_of_one_k_share_a_row() -> None:
    models = [
        *(Regenerated("unlearning", k, 0, BLACK) for k in (100, 50)),
        Regenerated("pixel", 100, 0, BLACK),
        Regenerated("random", 50, 0, BLACK),
        Regenerated("no_removal", 0, 1, BLACK),
    ]
    figure = draw_regenerated(BLACK, "a handwritten 5", models)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == [
        *("generated\n", "unlearning\nK = 100", "pixel\nK = 100", "random\n", "no_removal\nseed 1"),
        *("", "K = 50", "", "K = 50", ""),
    ]
    with_picture = [bool(ax.images) for ax in figure.axes]
    assert with_picture == [True, True, True, False, True, False, True, False, True, False]
    plt.close(figure)


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


def test_the_first_picture_is_one_query_by_one_method() -> None:
    shown = [gallery.picture(np.full((2, 2, 3), i, np.uint8), "good") for i in range(4)]
    query = gallery.QueryPictures(
        "q000",
        "a four",
        shown[0],
        [gallery.Row("bad", [shown[1]]), gallery.Row("good", [shown[2]])],
        [gallery.Row("K = 10", [shown[3]], 10)],
    )
    lead = gallery.lead([query], "good", 10)
    assert lead is not None
    assert (lead.generated, lead.removed, lead.regenerated) == (shown[0], [shown[2]], shown[3])
    assert gallery.lead([query], "good", 11) is None
    assert gallery.lead([query], "ugly", 10) is None


@cache
def widths(prompt: str, folder: Path) -> list[int]:
    """The widths of figures with a prompt, in pixels."""
    stack, found = np.stack([BLACK] * 3), []
    for figure in (
        draw_idea([Idea(prompt, BLACK, stack, BLACK, BLACK)], "pixel", 3),
        draw_attributed(BLACK, prompt, {"pixel": np.array([0, 1])}, stack),
    ):
        save(figure, [folder / "a.png", folder / "a.svg"])
        with Image.open(folder / "a.png") as picture:
            found.append(picture.width)
    return found


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
