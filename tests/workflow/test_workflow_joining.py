"""A finished study is bundled, and another joins it in an empty project: scores from a folder."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from leavekout.config.reading import read_yaml
from leavekout.leave_k_out.bundle.files import read_bundle
from project import ENV, TINY, copy_project, output_of, planned, ran, refused, snakemake

JOINED = ["--configfile", "config/tiny-with-mine.yaml"]
QUERIES = 3


@pytest.fixture(scope="module")
def bundle(project: Path) -> Path:
    """The bundle of the tiny experiment."""
    ran(project, *TINY, "--", "bundle")
    return project / "results" / "tiny" / "bundle"


@pytest.fixture(scope="module")
def elsewhere(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has nothing but the bundle, and a study in it that joined."""
    folder = copy_project(tmp_path_factory.mktemp("elsewhere") / "copy")
    target = folder / "results" / "tiny" / "bundle"
    target.parent.mkdir(parents=True)
    target.symlink_to(bundle)
    scores = folder / "scores"
    scores.mkdir()
    for number in range(QUERIES):
        values = np.random.default_rng(number).random(1797, np.float32)
        np.save(scores / f"q00{number}.npy", values)
    join = [sys.executable, str(folder / "workflow/scripts/join_study.py"), "--dry-run"]
    join += ["--study", "tiny", "--method", "mine", "--scores", "scores"]
    made = subprocess.run(join, cwd=folder, env=ENV, capture_output=True, text=True, check=False)
    assert made.returncode == 0, output_of(made)
    return folder


def test_one_method_s_models_are_planned_and_no_other(elsewhere: Path) -> None:
    jobs = planned(elsewhere, *JOINED)
    assert jobs["retrain"] == QUERIES + 1 + 1  # one from a second seed, and the replica
    assert jobs["measure_outcomes"] == 3
    assert jobs["open_source"] == jobs["open_outcomes"] == 1
    made = {"train_source", "train_vae", "sample_queries", "evaluate_source", "unlearn_query"}
    assert made.isdisjoint(jobs)
    scored = {rule for rule in jobs if rule.startswith("attribute_by")}
    assert scored == {"attribute_by_external"}  # the scores that were written elsewhere


def test_the_new_row_is_beside_the_published_ones(elsewhere: Path, project: Path) -> None:
    ran(elsewhere, *JOINED)
    joined, published = (
        pd.read_parquet(folder / "results" / name / "tables" / "measurements.parquet")
        for folder, name in ((elsewhere, "tiny-with-mine"), (project, "tiny"))
    )
    others = joined[joined["method"] != "mine"].reset_index(drop=True)
    numbers = ["method", "query", "k", "measure", "value"]
    pd.testing.assert_frame_equal(others[numbers], published[numbers])
    tables = elsewhere / "results" / "tiny-with-mine" / "tables"
    comparisons = pd.read_csv(tables / "comparisons.csv")
    assert (comparisons["ahead"].eq("mine") | comparisons["behind"].eq("mine")).any()
    assert "mine (joined)" in (tables / "headline.txt").read_text()
    drift = pd.read_csv(tables / "drift.csv")
    assert drift["measure"].tolist() == published["measure"].drop_duplicates().tolist()
    # Encoded and trained on the same machine, from the same encoders.
    assert drift["drift"].abs().max() < 1e-6
    page = (elsewhere / "results" / "tiny-with-mine" / "report.html").read_text()
    assert "mine joined the published study tiny" in page


def test_a_bundle_of_the_joined_study_has_its_method(elsewhere: Path, bundle: Path) -> None:
    ran(elsewhere, *JOINED, "--", "bundle")
    again = read_bundle(elsewhere / "results" / "tiny-with-mine" / "bundle")
    before = read_bundle(bundle)
    assert again.about.methods == [*before.about.methods, "mine"]
    assert set(again.entries) - set(before.entries) == {
        "measurements/test/mine.parquet",
        "measurements/test/again-mine.parquet",
        *(f"attribution/mine/q00{n}.npy" for n in range(QUERIES)),
        *(f"retrained/mine/q00{n}/k20/outcome.safetensors" for n in range(QUERIES)),
        "retrained/again-mine/q001-seed1/k20/outcome.safetensors",
    }
    assert {"joins", "external"}.isdisjoint(read_yaml(again.study))  # paths of this machine


def test_a_study_continues_from_a_bundle_of_its_own(elsewhere: Path) -> None:
    """Finished cells are reused; arms that grow are measured again."""
    joins = "joins={bundle: results/tiny/bundle, continues: true}"
    more = "counterfactual={random: {sets: 2}}"
    jobs = planned(elsewhere, *TINY, "--config", joins, more, "experiment=tiny-again")
    assert jobs["retrain"] == 1
    assert {"tabulate_drift", "train_source", "sample_queries"}.isdisjoint(jobs)
    config = ["--config", joins, more, "experiment=tiny-again"]
    ran(elsewhere, *TINY, *config, "--", "results/tiny-again/tables/estimates.csv")
    table = pd.read_parquet(elsewhere / "results/tiny-again/tables/measurements.parquet")
    random = table[(table["method"] == "random") & (table["k"] == 20)]
    assert set(random.groupby(["query", "measure"]).size()) == {2}


def test_a_study_that_does_not_fit_is_refused_before_anything_runs(elsewhere: Path) -> None:
    path = elsewhere / "config" / "tiny-with-mine.yaml"
    content = read_yaml(path)
    other = elsewhere / "config" / "other.yaml"
    other.write_text(yaml.safe_dump({**content, "training": {"epochs": 9}}))
    printed = refused(elsewhere, "-n", "--configfile", "config/other.yaml")
    assert "'training.epochs' is 9, but " in printed


def test_a_damaged_bundle_writes_nothing(elsewhere: Path, bundle: Path) -> None:
    archive = bundle / "source.zip"
    whole = archive.read_bytes()
    name = "tiny-of-a-damaged-one"
    try:
        archive.write_bytes(whole[:-1000])
        result = snakemake(elsewhere, *JOINED, "--config", f"experiment={name}")
    finally:
        archive.write_bytes(whole)
    assert result.returncode != 0
    assert "source.zip: not a complete zip archive" in output_of(result)
    assert "fetch the bundle again" in output_of(result)
    written = [path.suffix for path in (elsewhere / "results" / name).rglob("*") if path.is_file()]
    assert ".safetensors" not in written
