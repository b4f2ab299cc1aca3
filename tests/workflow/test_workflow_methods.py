"""Every method on the tiny experiment: the contract of its scores."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configured import experiment
from leavekout.contract.outcome import Outcome
from leavekout.leave_k_out.measures.delta_loss import loss_changes
from leavekout.methods.registry import SECTIONS
from project import IMAGES, ROOT, TINY, output_of, ran, snakemake


def methods_of_tiny() -> list[str]:
    """Every method of the tiny experiment, and the template for added ones."""
    e = experiment("tiny")
    entries = [name for section in SECTIONS for name in getattr(e, section)]
    return list(dict.fromkeys([*e.methods, *entries, "edges"]))


METHODS = methods_of_tiny()
GROUP = IMAGES // 3  # three groups, without an image more
# These run the code of another with other settings, so once is enough for them.
VARIANTS = {"ascent", "output", "abu-plus", "dino", "journey-trak", "d-trak", "retrac", "ekfac"}
# Mirrored unlearning keeps training images, whose stream is of rows, as training's is.
VARIANTS |= {"mucs"}


@pytest.fixture(scope="module")
def all_methods(project: Path) -> Path:
    """The tiny experiment with scores of every method, and a twin with its images reversed."""
    baseline = ROOT / "docs" / "baseline"
    shutil.copy(baseline / "edges.smk", project / "workflow" / "rules" / "attribution")
    shutil.copy(baseline / "attribute_by_edges.py", project / "workflow" / "scripts")

    def score(experiment: str, methods: list[str]) -> None:
        files = [f"results/{experiment}/attribution/{method}/q000.npy" for method in methods]
        printed = ran(project, *TINY, "--config", f"experiment={experiment}", "--", *files)
        assert "rule train_source" not in printed

    score("tiny", METHODS)
    twin = project / "results" / "reversed"
    shutil.copytree(project / "results" / "tiny", twin)
    made = ("attribution", "features", "gradients", "losses/source", "teacher", "distilled")
    for name in made:
        shutil.rmtree(twin / name)
    for name in ("images.parquet", "pixels.npy", "latents.npy", "text.npy"):
        path = twin / "data" / name
        when = path.stat().st_mtime
        if name.endswith("npy"):
            np.save(path, np.load(path)[::-1])
        else:
            pd.read_parquet(path)[::-1].to_parquet(path, index=False)
        os.utime(path, (when, when))
    score("reversed", [method for method in METHODS if method not in VARIANTS])
    return project / "results"


@pytest.mark.parametrize("method", METHODS)
def test_method_contract(method: str, all_methods: Path) -> None:
    """Length, finite, not constant; and scores follow their images into another order."""
    scores = np.load(all_methods / "tiny" / "attribution" / method / "q000.npy")
    assert scores.dtype == np.float32
    assert scores.shape == (IMAGES,)
    assert np.isfinite(scores).all()
    assert scores.std() > 0
    if method not in VARIANTS:
        other = np.load(all_methods / "reversed" / "attribution" / method / "q000.npy")
        np.testing.assert_allclose(other[::-1], scores, rtol=0, atol=1e-3 * scores.std())


def test_the_oracle_finds_the_group_that_matters_most(project: Path) -> None:
    """With K the size of a group, it removes the group with the largest ΔL."""
    config = ["--config", "methods=[oracle]", f"counterfactual={{k: [{GROUP}]}}", "forgetting="]
    target = f"results/tiny/retrained/oracle/q000/k{GROUP}/outcome.safetensors"
    ran(project, *TINY, *config, "--", target)
    results = project / "results" / "tiny"
    source = Outcome.load(results / "source" / "outcome.safetensors").select(["q000"])

    def outcome(path: str) -> Outcome:
        file = results / "retrained" / path / f"k{GROUP}" / "outcome.safetensors"
        return Outcome.load(file).select(["q000"])

    groups = [outcome(f"group/g{number}") for number in range(3)]
    measured = [loss_changes(group, source)[0] for group in groups]
    assert len(set(measured)) == 3
    found = outcome("oracle/q000")
    # The same model, measured in a batch of other queries.
    assert loss_changes(found, source)[0] == pytest.approx(max(measured), abs=1e-6)
    assert max(measured) - sorted(measured)[-2] > 1e-5
    assert set(found.removed) == set(groups[int(np.argmax(measured))].removed)


def test_the_forgetting_check_has_its_table(results: Path) -> None:
    table = pd.read_csv(results / "tables" / "forgetting.csv")
    assert set(table["model"]) == {"unlearned", "k20"}
    assert set(table["prompts"]) == {"target", "related", "other"}
    assert np.isfinite(table[["delta_loss", "mse", "clip"]]).all(axis=None)


def test_scores_from_elsewhere_need_no_code(project: Path, tmp_path: Path) -> None:
    images = pd.read_parquet(project / "results/tiny/data/images.parquet")
    scores = np.random.default_rng(0).random(len(images))
    table = pd.DataFrame({"image_id": images["image_id"], "score": scores})
    table.sample(frac=1, random_state=0).to_parquet(tmp_path / "q000.parquet")
    np.save(tmp_path / "q001.npy", np.full(IMAGES, np.nan, np.float32))
    config = ["--config", f"external={{mine: {tmp_path}}}"]
    ran(project, *TINY, *config, "--", "results/tiny/attribution/mine/q000.npy")
    found = np.load(project / "results/tiny/attribution/mine/q000.npy")
    np.testing.assert_array_equal(found, scores.astype(np.float32))
    result = snakemake(project, *TINY, *config, "--", "results/tiny/attribution/mine/q001.npy")
    assert "q001.npy: method 'mine' has 450 scores that are NaN" in output_of(result)
    (project / "results/tiny/logs/attribution/mine/q001.log").unlink()  # it has no benchmark
    path = "results/tiny/attribution/mine/q002.npy"
    result = snakemake(project, "-n", *TINY, *config, "--", path)
    assert "method 'mine' has no scores of " in output_of(result)


def test_rules_from_outside_the_repository_are_included(project: Path, tmp_path: Path) -> None:
    """And their scripts import the package."""
    rule = (ROOT / "docs" / "baseline" / "edges.smk").read_text()
    rule = rule.replace("edges", "outlines").replace("../../scripts/", "")
    (tmp_path / "outlines.smk").write_text(rule)
    script = (ROOT / "docs" / "baseline" / "attribute_by_edges.py").read_text()
    (tmp_path / "attribute_by_outlines.py").write_text(script.replace('"edges"', '"outlines"'))
    config = ["--config", f"extra_rules=[{tmp_path / 'outlines.smk'}]", "methods=[outlines]"]
    target = "results/tiny/attribution/outlines/q000.npy"
    ran(project, *TINY, *config, "--", target)
    assert (project / target).exists()
