"""The excess by thirds of the timesteps against plain means."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leavekout.contract.outcome import Outcome
from leavekout.contract.removal import Removal
from leavekout.leave_k_out.report.figures.timesteps import plot_timesteps
from leavekout.leave_k_out.statistics.timesteps import timesteps_table
from leavekout.report.style import save
from leavekout.report.text import keyed
from studies import statistics, study

QUERIES = ("q000", "q001", "q002", "q003")
STEPS = 8  # thirds of 3, 3 and 2


def outcome(losses: np.ndarray, about: dict, names: tuple[str, ...]) -> Outcome:
    pictures = np.zeros((len(names), 4, 4, 3), np.uint8)
    latents = np.zeros((len(names), 4, 1, 1), np.float32)
    return Outcome(about, list(names), losses, latents, pictures, np.arange(10))


def test_each_third_has_the_plain_mean_of_its_timesteps_and_they_make_up_delta_l(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    source = outcome(rng.random((4, STEPS)) + 1, {"policy": "source"}, QUERIES)
    removals = [Removal("top", "good", 10, 0, targets=(name,)) for name in QUERIES]
    removals += [Removal("random", "random", 10, 0, n, 0, others=QUERIES) for n in range(3)]
    paths: list[Path] = []
    changes: dict[str, list[np.ndarray]] = {"good": [], "random": []}
    for number, removal in enumerate(removals):
        names = tuple(removal.roles)
        before = source.select(names).losses
        change = rng.standard_normal(before.shape)
        changes[removal.method].append(change)
        paths.append(tmp_path / f"{number}.safetensors")
        outcome(before + change, removal.as_dict(), names).save(paths[-1])
    table = timesteps_table(paths, source, {name: name for name in QUERIES}, stride=5)
    of_method = np.concatenate(changes["good"])  # [Q, T']
    excess = (of_method - np.mean(changes["random"], axis=0)).mean(axis=0)
    assert table["first"].tolist() == [0, 15, 30]
    assert table["last"].tolist() == [10, 25, 35]
    assert table["excess"].tolist() == pytest.approx(
        [excess[:3].mean(), excess[3:6].mean(), excess[6:].mean()]
    )
    assert np.average(table["excess"], weights=[3, 3, 2]) == pytest.approx(excess.mean())
    assert table["share"].tolist() == pytest.approx(
        [source.losses[:, part].sum() / source.losses.sum() for part in np.split(range(8), [3, 6])]
    )
    assert (table["excess_low"] < table["excess"]).all()


def test_the_figure_has_a_panel_for_each_third(tmp_path: Path) -> None:
    estimates = statistics(study())["estimates"]
    row = keyed(estimates, "measure", "k", "method")["delta_loss", 10, "good"]
    parts = [
        {**row, "first": 100 * n, "last": 100 * n + 95, "share": 0.5 / (n + 1)} for n in range(3)
    ]
    figure = plot_timesteps(pd.DataFrame(parts), estimates, ["good", "bad"])
    assert [ax.get_title().split("\n")[0] for ax in figure.axes] == [
        "timesteps 0 to 95",
        "timesteps 100 to 195",
        "timesteps 200 to 295",
    ]
    save(figure, [tmp_path / "figure.svg"])
