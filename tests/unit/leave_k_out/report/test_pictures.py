"""Grids of pictures: their rows and columns."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from leavekout.contract.outcome import Outcome
from leavekout.contract.removal import Removal
from leavekout.leave_k_out.report.collect import regenerated_by_query
from leavekout.leave_k_out.report.figures.pictures import draw_regenerated
from leavekout.report import gallery

BLACK = np.zeros((4, 4, 3), np.uint8)


def test_models_of_one_k_share_a_row() -> None:
    models = {
        "unlearning": {"K = 100": BLACK, "K = 50": BLACK},
        "pixel": {"K = 100": BLACK},
        "random": {"K = 50": BLACK},
        "no_removal": {"seed 1": BLACK},
    }
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
    shown = regenerated_by_query(paths, ["q000"])["q000"]["pixel"]
    assert list(shown) == ["K = 1,000", "K = 100", "K = 50"]
    assert [picture[0, 0, 0] for picture in shown.values()] == [1000 % 251, 100, 50]


def test_the_first_picture_is_one_query_by_one_method() -> None:
    shown = [gallery.picture(np.full((2, 2, 3), i, np.uint8), "good") for i in range(4)]
    removed = [gallery.Row("bad", [shown[1]]), gallery.Row("good", [shown[2]])]
    regenerated = [gallery.Row("K = 10", [shown[3]])]
    query = gallery.QueryPictures("q000", "a four", shown[0], removed, regenerated)
    lead = gallery.lead([query], "good", "K = 10")
    assert lead is not None
    assert (lead.generated, lead.removed, lead.regenerated) == (shown[0], [shown[2]], shown[3])
    assert gallery.lead([query], "good", "K = 11") is None
    assert gallery.lead([query], "ugly", "K = 10") is None
