"""Every heavy step at COCO's size on a pretended GPU: devices, types and memory fit."""

import os
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

import pytest

from configured import experiment
from leavekout.kinds import costs_of
from leavekout.methods.ekfac_influence.family import EKFAC_INFLUENCE
from project import ROOT

SITE = Path(sysconfig.get_paths()["purelib"])
HERE = Path(__file__).parent
HEADERS = [
    *(SITE / "nvidia").rglob("driver_types.h"),
    *(SITE / "triton" / "backends" / "nvidia" / "include").glob("cuda.h"),
]
STEPS = {
    *(
        "weights",
        "training",
        "sweep",
        "Fisher",
        "EK-FAC",
        "gradient of a query",
        "losses of queries",
    ),
    *("gradients 'loss'", "gradients 'output'", "gradients 'layers'", "sampling"),
    *("gradients 'mean-output'", "gradients 'shared'", "gradients 'trak-published'"),
    *("Gauss-Newton", "products of gradients"),
}
Pretended = tuple[tuple[str, str], ...]  # an environment
pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None or not HEADERS, reason="needs gcc and PyTorch's CUDA headers"
)


@pytest.fixture(scope="module")
def pretended_gpu(tmp_path_factory: pytest.TempPathFactory) -> Pretended:
    """An environment in which PyTorch finds a GPU that computes nothing."""
    folder = tmp_path_factory.mktemp("cuda")
    headers = [f"-I{path.parent}" for path in HEADERS]
    for name in ("libcudart_fake.so", "libcuda.so.1"):
        built = ["gcc", "-w", "-shared", "-fPIC", f"-Wl,-soname,{name}", *headers]
        subprocess.run([*built, "-o", str(folder / name), str(HERE / "fake_cuda.c")], check=True)
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(folder),
        "LD_PRELOAD": str(folder / "libcudart_fake.so"),
        "PYTHONPATH": str(ROOT / "workflow" / "scripts"),
        "OMP_NUM_THREADS": "1",
    }
    return tuple(environment.items())


@cache
def walk(environment: Pretended, name: str, text_on: str, *steps: str) -> dict[str, str]:
    """The outcome of each step of an experiment, or of some."""
    config = str(ROOT / "config" / f"{name}.yaml")
    result = subprocess.run(
        [sys.executable, str(HERE / "walk.py"), config, text_on, *steps],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return dict(line.split(": ", 1) for line in result.stdout.splitlines() if ": " in line)


@pytest.mark.parametrize("name", ["coco", "coco-40gb", "coco-dit"])
def test_every_heavy_step_runs_on_a_gpu(name: str, pretended_gpu: Pretended) -> None:
    steps = walk(pretended_gpu, name, "cuda")
    assert steps.keys() == STEPS
    assert {outcome.split(",")[0] for outcome in steps.values()} == {"ok"}, steps


@pytest.mark.parametrize(
    ("name", "walked", "card_gb"),  # 80 GB have the batch sizes of coco.yaml
    [("coco", "coco", 150), ("coco-80gb", "coco", 85), ("coco-40gb", "coco-40gb", 42.3)],
)
def test_every_heavy_step_fits_its_gpu(
    name: str, walked: str, card_gb: float, pretended_gpu: Pretended
) -> None:
    """Tensors, kept data and directions leave 5 % for CUDA, and for the allocator's gaps."""
    outcomes = walk(pretended_gpu, walked, "cuda")
    taken = {step: float(outcome.split()[1]) for step, outcome in outcomes.items()}
    e = experiment(name)
    weights_gb = 4e-9 * e.hardware.estimates.parameters
    assert taken["weights"] == pytest.approx(weights_gb, rel=0.01)
    for step in ("training", "Fisher", "EK-FAC", "Gauss-Newton"):
        taken[step] += e.hardware.device_data_gb
    at_once = EKFAC_INFLUENCE.queries_at_once(costs_of(e))
    taken["products of gradients"] += (2 * at_once - 4) * weights_gb  # the walk has four
    assert max(taken.values()) < 0.95 * card_gb, taken


def test_the_walk_finds_data_on_the_wrong_device(pretended_gpu: Pretended) -> None:
    some = "training", "sweep", "gradient of a query"
    steps = walk(pretended_gpu, "coco", "cpu", *some)
    assert "device" in steps["training"]
    assert "device" in steps["sweep"]
    assert steps["gradient of a query"].startswith("ok")  # it needs no data set
