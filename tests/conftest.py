"""Fixtures of all tests: the tiny world, and a project in which the workflow ran."""

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
)
# Files that share one run of the tiny experiment.
SHARING = ("test_workflow", "test_workflow_broken", "test_workflow_reruns")


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
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the tiny experiment has run."""
    folder = copy_project(tmp_path_factory.mktemp("project") / "copy")
    ran(folder, *TINY, "--", "all", "tuning")
    return folder


@pytest.fixture
def results(project: Path) -> Path:
    return project / "results" / "tiny"
