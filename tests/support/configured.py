"""Configurations of config/, read as a run reads them, with changes."""

from functools import cache
from typing import Any

from leavekout.config.reading import merged
from leavekout.kinds import read_experiment
from leavekout.models.denoiser import build_denoiser
from project import ROOT
from world import CPU

CONFIG = ROOT / "config"


@cache
def tree_of(name: str) -> dict[str, Any]:
    """What a configuration says, laid over the files that it extends."""
    path = CONFIG / f"{name}.yaml"
    return merged({}, [path]).tree


def experiment(name: str, **changes: Any) -> Any:
    path = CONFIG / f"{name}.yaml"
    return read_experiment(changes, [path])


@cache
def coco() -> Any:
    return experiment("coco")


def coco_denoiser() -> Any:
    return build_denoiser(coco().model, seed=0, device=CPU)
