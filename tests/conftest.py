"""Fixtures of all tests: the tiny world, and a project in which the workflow ran."""

import fcntl
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from xdist.scheduler import LoadScopeScheduling

from leavekout.config.model import Model
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import build_denoiser
from leavekout.models.process import Process, build_process
from project import TINY, copy_project, ran
from world import CPU, MODELS, make_data

# Files that take long. `make test-all` alone runs them, and single tests with the mark.
THOROUGH = (
    "test_coco_architecture",
    "test_workflow_methods",
    "test_workflow_denoiser",
    "test_workflow_customized",
    "test_workflow_joining",
    "test_workflow_browser",
    "test_coco_path",
    "test_published_path",
    "test_custom_path",
    "test_kills",
    "test_coco_day_path",
    "test_own_path",
)
# Files that share one run of the tiny experiment.
SHARING = ("test_workflow", "test_workflow_broken", "test_workflow_reruns")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the tiny experiment, for whose end a second worker would otherwise wait."""
    items.sort(key=lambda item: item.path.stem not in SHARING)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks a test by its folder, and those that take minutes."""
    kind = item.path.relative_to(Path(__file__).parent).parts[0]
    item.add_marker(getattr(pytest.mark, kind))
    if item.path.stem in THOROUGH:
        item.add_marker(pytest.mark.thorough)


class ByExperiment(LoadScopeScheduling):
    """Gives a worker one file at a time, or all files that share the tiny experiment."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.split("::")[0])
        return "tiny" if file.stem in SHARING else str(file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByExperiment:
    """Replaces the scheduler that `--dist` names."""
    return ByExperiment(config, log)


@pytest.fixture
def data() -> EncodedData:
    return make_data()


@pytest.fixture
def data64() -> EncodedData:
    return make_data(dtype=torch.float64)


# `make test` runs formulas on two models that share nothing, `make test-all` on all.
OFTEN = "unet", "transformer-flow"
EACH_MODEL = [
    pytest.param(name, marks=() if name in OFTEN else pytest.mark.thorough) for name in MODELS
]


@pytest.fixture(params=EACH_MODEL)
def model(request: pytest.FixtureRequest) -> Model:
    """Every denoiser with every process, one after the other."""
    return MODELS[request.param]


@pytest.fixture
def denoiser64(model: Model) -> Any:
    """A float64 denoiser whose attention is not at its near-zero initial weights."""
    denoiser = build_denoiser(model, seed=1, device=CPU).double()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(0.1 * noise)
    return denoiser


@pytest.fixture
def process(model: Model) -> Process:
    return build_process(model)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the tiny experiment has run, once for all workers; not to be changed."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "finished"
    with open(base / "finished.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            made = copy_project(base / "unfinished")
            ran(made, *TINY, "--", "all", "tuning")
            made.rename(folder)
    return folder


@pytest.fixture(scope="session")
def project(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the tiny experiment has run."""
    folder = tmp_path_factory.mktemp("project") / "copy"
    shutil.copytree(finished, folder)
    return folder


@pytest.fixture
def results(project: Path) -> Path:
    return project / "results" / "tiny"
