"""Every heavy step at COCO's size on a pretended GPU: devices and types fit."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from project import ROOT

SITE = Path(sysconfig.get_paths()["purelib"])
HERE = Path(__file__).parent
HEADERS = [
    *(SITE / "nvidia").rglob("driver_types.h"),
    *(SITE / "triton" / "backends" / "nvidia" / "include").glob("cuda.h"),
]
STEPS = {
    *("training", "sweep", "Fisher", "EK-FAC", "gradient of a query", "losses of queries"),
    *("gradients 'loss'", "gradients 'output'", "gradients 'layers'", "sampling"),
    *("gradients 'mean-output'", "gradients 'shared'"),
    *("Gauss-Newton", "products of gradients"),
}
pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None or not HEADERS, reason="needs gcc and PyTorch's CUDA headers"
)


@pytest.fixture(scope="module")
def pretended_gpu(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which PyTorch finds a GPU that computes nothing."""
    folder = tmp_path_factory.mktemp("cuda")
    headers = [f"-I{path.parent}" for path in HEADERS]
    for name in ("libcudart_fake.so", "libcuda.so.1"):
        built = ["gcc", "-w", "-shared", "-fPIC", f"-Wl,-soname,{name}", *headers]
        subprocess.run([*built, "-o", str(folder / name), str(HERE / "fake_cuda.c")], check=True)
    return {
        **os.environ,
        "LD_LIBRARY_PATH": str(folder),
        "LD_PRELOAD": str(folder / "libcudart_fake.so"),
        "PYTHONPATH": str(ROOT / "workflow" / "scripts"),
        "OMP_NUM_THREADS": "1",
    }


def walk(environment: dict[str, str], experiment: str, text_on: str) -> dict[str, str]:
    """The outcome of each step."""
    config = ROOT / "config" / f"{experiment}.yaml"
    result = subprocess.run(
        [sys.executable, str(HERE / "walk.py"), str(config), text_on],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return dict(line.split(": ", 1) for line in result.stdout.splitlines() if ": " in line)


@pytest.mark.parametrize("experiment", ["coco", "coco-dit"])
def test_every_heavy_step_runs_on_a_gpu(experiment: str, pretended_gpu: dict[str, str]) -> None:
    assert walk(pretended_gpu, experiment, "cuda") == dict.fromkeys(STEPS, "ok")


def test_the_walk_finds_data_on_the_wrong_device(pretended_gpu: dict[str, str]) -> None:
    steps = walk(pretended_gpu, "coco", "cpu")
    assert "device" in steps["training"]
    assert "device" in steps["sweep"]
    assert steps["gradient of a query"] == "ok"  # it needs no data set
