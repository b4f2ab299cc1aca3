"""The tiny experiment with a transformer and flow matching in place of U-Net and diffusion."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from leavekout.base.tensors import load_tensors
from leavekout.config.model import Model
from leavekout.kinds import read_experiment
from leavekout.models.denoiser import require_weights, skeleton
from project import ran

METHODS = ["unlearning", "abu-plus", "pixel", "clip", "trak", "d-trak"]
DENOISER = {
    "extends": "tiny.yaml",
    "experiment": "tiny-dit",
    "model": {
        "unet": None,
        "transformer": {
            "sample_size": 4,
            "out_channels": 4,
            "patch_size": 2,
            "num_layers": 1,
            "num_attention_heads": 1,
            "attention_head_dim": 16,
            "cross_attention_dim": 16,
            "caption_channels": 16,
            "attention_bias": False,
        },
        "noise_schedule": None,
        "flow_matching": {"timesteps": 1000, "density": "logit_normal"},
    },
    "sampling": {"sampler": "euler"},
    "methods": METHODS,
}


@pytest.fixture(scope="module")
def results(project: Path) -> Path:
    """The finished experiment; the U-Net's, in the same project, is its neighbour."""
    path = project / "config" / "tiny-dit.yaml"
    path.write_text(yaml.safe_dump(DENOISER))
    ran(project, "--configfile", "config/tiny-dit.yaml")
    return project / "results" / "tiny-dit"


def test_every_method_has_its_row_and_its_scores(results: Path) -> None:
    table = pd.read_csv(results / "tables" / "estimates.csv")
    assert set(METHODS) < set(table["method"])
    for method in METHODS:
        scores = np.load(results / "attribution" / method / "q000.npy")
        assert np.isfinite(scores).all()
        assert scores.std() > 0


def test_the_weights_fit_the_configured_denoiser(results: Path) -> None:
    path = results.parents[1] / "config" / "tiny-dit.yaml"
    model: Model = read_experiment({}, [path]).model
    weights = results / "source" / "model.safetensors"
    require_weights(load_tensors(weights)[0], skeleton(model), weights)
    assert model.architecture == "transformer"
