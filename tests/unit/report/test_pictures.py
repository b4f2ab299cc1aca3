"""Grids of pictures: what stands beside what."""

import matplotlib.pyplot as plt
import numpy as np

from leavekout.report.figures.pictures import draw_regenerated

BLACK = np.zeros((4, 4, 3), np.uint8)


def test_models_that_lack_as_many_images_stand_in_one_line() -> None:
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
