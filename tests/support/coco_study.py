"""The study of config/coco.yaml, and its U-Net."""

from functools import cache
from typing import Any

from leavekout.config.reading import read_yaml
from leavekout.kinds import read_experiment
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.models.denoiser import build_denoiser
from project import ROOT
from world import CPU


@cache
def coco() -> LeaveKOut:
    path = ROOT / "config" / "coco.yaml"
    return read_experiment(read_yaml(path), [path])


def coco_denoiser() -> Any:
    return build_denoiser(coco().model, seed=0, device=CPU)
