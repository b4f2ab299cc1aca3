"""What `make gpu-check` says a study will take: the plan, at the rates that were measured."""

import re
import sys

import pytest
import torch

from configured import experiment
from project import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

from gpu_check import setting_of
from gpu_study import cost_here, measured_rates


def test_half_the_rates_are_twice_the_hours_of_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    hours = []
    for training in (7000.0, 3500.0):
        rates = {"training_per_second": training, "forward_per_second": 15000.0}
        said = cost_here(ROOT / "config" / "coco-day.yaml", rates)
        found = re.match(r"coco-day takes (\d+) h on this GPU; the slowest part is retrain ", said)
        assert found, said
        hours.append(int(found[1]))
    day = experiment("coco-day")
    trainings = 1 + 7 * 40 + 3 * 8 + 3 + 40
    samples = day.training.steps(10_000, 0) * day.training.batch_size
    assert hours[1] - hours[0] == pytest.approx(trainings * samples / 7000 / 3600, abs=1)


def test_rates_are_of_the_studys_own_architecture() -> None:
    torch.set_num_threads(1)
    digits = experiment("digits")
    rates = measured_rates(setting_of(digits, torch.device("cpu")), digits, 0.01)
    assumed = digits.hardware.estimates
    share = rates["training_per_second"] / assumed.training_per_second
    assert rates["gradients_per_second"] == pytest.approx(assumed.gradients_per_second * share)
    assert rates["forward_per_second"] > 0
