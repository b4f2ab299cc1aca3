"""`make own`: sixty pictures in each format become a plan, and two formats a table."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from project import ENV, copy_project, output_of, ran
from shapes import FORMATS, write_shapes

TINY = (
    "encoders={vae: {epochs: 2}, clip: {epochs: 2}, dino: {epochs: 2}}",
    "training={epochs: 2}",
    "sampling={steps: 4}",
    "queries={test: 2}",
    "losses={draws: 1, antithetic: false, timestep_stride: 500}",
    "methods=[clip]",
    "counterfactual={random: {sets: 1}, retrain_seeds: [1]}",
    "evaluation={timestep_stride: 250}",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("own") / "project")


def made(project: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A call of the program that `make own` runs."""
    script = "workflow/scripts/own_pictures.py"
    return subprocess.run(
        [sys.executable, script, str(folder), *arguments],
        cwd=project,
        env=ENV,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.thorough
@pytest.mark.parametrize("form", FORMATS)
def test_each_format_becomes_a_plan_and_two_a_table(
    form: str, project: Path, tmp_path: Path
) -> None:
    folder = write_shapes(tmp_path / f"shapes-{form}", form, 60)
    result = made(project, folder)
    assert result.returncode == 0, output_of(result)
    assert re.search(r"\d+ jobs, \d\d of them retrainings: about [\d.]+ hours on ", result.stdout)
    config = f"config/own/shapes-{form}.yaml"
    assert (project / config).is_file()
    if form in ("text", "embedded"):
        ran(project, "--configfile", config, "--config", *TINY)
        results = project / "results" / f"shapes-{form}"
        estimates = pd.read_csv(results / "tables" / "estimates.csv")
        assert {"clip", "random", "no_removal"} == set(estimates["method"])
        assert len(pd.read_parquet(results / "data" / "images.parquet")) == 50
        assert "training images (tables/pictures.csv)" in (results / "report.html").read_text()


def test_an_odd_folder_is_one_sentence_and_leaves_no_configuration(
    project: Path, tmp_path: Path
) -> None:
    (tmp_path / "nothing").mkdir()
    result = made(project, tmp_path / "nothing")
    assert result.returncode == 1
    assert output_of(result).strip() == f"{tmp_path / 'nothing'}: has no pictures."
    assert not (project / "config/own/nothing.yaml").exists()
