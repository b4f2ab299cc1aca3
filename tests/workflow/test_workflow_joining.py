"""A finished study is bundled, and another joins it in an empty project: scores from a folder."""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from configured import experiment
from leavekout.config.reading import read_yaml
from leavekout.contract.outcome import Outcome
from leavekout.leave_k_out.bundle.contribution import read_about
from leavekout.leave_k_out.bundle.files import pack, read_bundle, unpack
from leavekout.leave_k_out.topics import named_topic
from loopback import loopback
from project import (
    IMAGES,
    TINY,
    copy_project,
    output_of,
    planned,
    ran,
    refused,
    snakemake,
    warm_env,
)

JOINED = ["--configfile", "config/tiny-with-mine.yaml"]
QUERIES = 3


def program(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs one of a project's programs for the terminal."""
    command = [sys.executable, str(folder / "workflow" / "scripts" / name), *arguments]
    environment = warm_env()
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


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
        values = np.random.default_rng(number).random(IMAGES, np.float32)
        np.save(scores / f"q00{number}.npy", values)
    join = ["--study", "tiny", "--method", "mine", "--scores", "scores", "--dry-run"]
    made = program(folder, "join_study.py", *join)
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


def test_a_preview_compares_scores_and_trains_nothing(elsewhere: Path) -> None:
    look = ["--study", "tiny", "--method", "mine", "--scores", "scores"]
    made = program(elsewhere, "preview_study.py", *look)
    assert made.returncode == 0, output_of(made)
    assert f"mine beside the methods of tiny: {QUERIES} queries" in made.stdout
    assert "Check: The scores agree with no method's more than chance" in made.stdout
    assert f"The join trains {QUERIES + 1 + 1} models" in made.stdout
    results = elsewhere / "results" / "tiny-with-mine"
    assert (results / "preview" / "mine.png").exists()
    assert not (results / "retrained" / "mine").exists()


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


@pytest.fixture(scope="module")
def row(elsewhere: Path) -> Path:
    """The joined study's row as a folder to contribute."""
    blank = program(elsewhere, "submit_row.py", "--study", "tiny", "--method", "mine")
    folder = elsewhere / "contributed" / "tiny" / "mine"
    assert "about.yaml: 'who'" in output_of(blank)
    about = (folder / "about.yaml").read_text()
    (folder / "about.yaml").write_text(about.replace('""', "somebody"))
    made = program(elsewhere, "submit_row.py", "--study", "tiny", "--method", "mine")
    assert made.returncode == 0, output_of(made)
    assert read_about(folder).who == "somebody"
    return folder


@pytest.fixture
def received(row: Path, bundle: Path, tmp_path: Path) -> Path:
    """The contribution in a project that has never seen the joined study."""
    folder = copy_project(tmp_path / "copy")
    (folder / "results" / "tiny").mkdir(parents=True)
    (folder / "results" / "tiny" / "bundle").symlink_to(bundle)
    shutil.copytree(row, folder / "contributed" / "tiny" / "mine")
    return folder


def checked(folder: Path, models: int) -> subprocess.CompletedProcess[str]:
    return program(folder, "check_row.py", "contributed/tiny/mine", "--models", str(models))


@pytest.mark.thorough
def test_a_contributed_row_is_accepted(received: Path) -> None:
    result = checked(received, 1)
    assert result.returncode == 0, output_of(result)
    assert "Each of 4 models lacks the images that its scores name." in result.stdout
    assert "differs by at most 0 %" in result.stdout  # on the same machine
    assert result.stdout.endswith("Accepted.\n")


@pytest.mark.thorough
def test_the_contributor_may_check_the_row_beside_the_joined_study(row: Path) -> None:
    folder = row.parents[2]
    result = checked(folder, 1)
    assert result.returncode == 0, output_of(result)
    logs = folder.glob("results/tiny-checks-mine/logs/retrain/*mine/*/k20*")
    assert len(list(logs)) == 1


@pytest.mark.thorough
def test_a_row_that_does_not_follow_from_its_outcomes_is_refused(received: Path) -> None:
    path = received / "contributed" / "tiny" / "mine" / "rows.csv"
    rows = pd.read_csv(path)
    rows["excess"] *= 1.5
    rows.to_csv(path, index=False)
    assert "rows.csv: 'excess' differs" in output_of(checked(received, 1))


@pytest.mark.thorough
def test_forged_outcomes_are_refused(elsewhere: Path, received: Path, row: Path) -> None:
    """Their measurements and the row follow from them, so that only training again tells."""
    path = elsewhere / "results/tiny-with-mine/retrained/mine/q000/k20/outcome.safetensors"
    true, outcome = path.read_bytes(), Outcome.load(path)
    table = (row / "rows.csv").read_bytes()
    try:
        replace(outcome, losses=1.5 * outcome.losses).save(path)
        program(elsewhere, "submit_row.py", "--study", "tiny", "--method", "mine")
        assert (row / "rows.csv").read_bytes() != table
        shutil.rmtree(received / "contributed")
        shutil.copytree(row, received / "contributed" / "tiny" / "mine")
    finally:
        path.write_bytes(true)
    result = checked(received, 4)
    assert result.returncode == 1
    assert "the model of q000 at K = 20, trained again, differs by" in result.stderr


@pytest.mark.thorough
def test_a_model_that_lacks_other_images_is_refused(received: Path) -> None:
    """Its scores are another query's."""
    folder = received / "contributed" / "tiny" / "mine"
    part = read_bundle(folder)
    files = received / "files"
    unpack(part, files)
    shutil.copy(files / "attribution/mine/q001.npy", files / "attribution/mine/q000.npy")
    archives: dict[str, list[str]] = {}
    for name, entry in part.entries.items():
        archives.setdefault(entry.archive, []).append(name)
    kept = {name: (folder / name).read_bytes() for name in ("about.yaml", "rows.csv")}
    about = part.about.model_dump()
    pack(folder, files, archives, about=about, study=read_yaml(part.study))
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    assert "lacks other images than the 20 that its scores name" in output_of(checked(received, 1))
    shutil.rmtree(folder / "models")
    assert "Refused." in output_of(checked(received, 1))


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


@pytest.mark.thorough
def test_a_continued_study_may_have_topic_removal_which_trains_nothing_else(
    elsewhere: Path, project: Path
) -> None:
    """As config/digits-topic.yaml: by the nearest captions, and by the words of captions."""
    joins = "joins={bundle: results/tiny/bundle, continues: true}"
    topic = "counterfactual={topic: {sets: 2, nearest: 3, seed: 0}}"
    config = [*TINY, "--config", joins, topic, "experiment=tiny-topic"]
    jobs = planned(elsewhere, *config)
    assert jobs["retrain"] == QUERIES * 2
    assert jobs["find_topics"] == 1
    assert {"train_source", "sample_queries", "retrain_other_seed"}.isdisjoint(jobs)
    ran(elsewhere, *config)
    results = elsewhere / "results" / "tiny-topic"
    removed = [
        set(Outcome.load(results / f"retrained/topic/q001-s{n}/k20/outcome.safetensors").removed)
        for n in (0, 1)
    ]
    topic_rows = np.load(results / "topics/k20/q001.npy")
    assert [len(rows) for rows in (topic_rows, *removed)] == [60, 20, 20]
    assert removed[0] != removed[1]
    assert removed[0] | removed[1] <= set(topic_rows)
    # The scores of clip-text are the same similarity.
    ran(project, *TINY, "--", "results/tiny/attribution/clip-text/q001.npy")
    scores = np.load(project / "results/tiny/attribution/clip-text/q001.npy")
    assert scores[topic_rows].min() >= np.sort(scores)[-60] - 1e-6
    before, after = (
        pd.read_csv(folder / "tables" / "estimates.csv")
        for folder in (project / "results" / "tiny", results)
    )
    of_topic = after["method"] == "topic"
    assert of_topic.sum() == 5
    pd.testing.assert_frame_equal(after.loc[~of_topic, list(before)].reset_index(drop=True), before)
    assert after["topic_excess"].notna().sum() == 5 * 2
    assert "of topic removal" in (results / "report.html").read_text()
    topics = experiment("digits-topic").dataset.topics
    named = [*config, f"dataset={{topics: [{', '.join(topics)}]}}"]
    ran(elsewhere, *named, "--", "results/tiny-topic/topics/k20/q001.npy")
    images = pd.read_parquet(results / "data" / "images.parquet")["captions"]
    prompt = pd.read_parquet(results / "queries" / "queries.parquet")["prompt"][1]
    rows = named_topic("q001", prompt, images.tolist(), topics)
    assert np.load(results / "topics/k20/q001.npy").tolist() == rows.tolist()


def test_a_study_that_does_not_fit_is_refused_before_anything_runs(elsewhere: Path) -> None:
    path = elsewhere / "config" / "tiny-with-mine.yaml"
    content = read_yaml(path)
    other = elsewhere / "config" / "other.yaml"
    other.write_text(yaml.safe_dump({**content, "training": {"epochs": 9}}))
    printed = refused(elsewhere, "-n", "--configfile", "config/other.yaml")
    assert "'training.epochs' is 9, but " in printed


def test_a_bundle_is_fetched_from_its_address(bundle: Path, tmp_path: Path) -> None:
    folder = copy_project(tmp_path / "copy")
    with loopback(tmp_path / "served") as server:
        archive = Path(shutil.make_archive(str(server.folder / "tiny"), "zip", bundle))
        md5 = hashlib.md5(archive.read_bytes()).hexdigest()
        joins = f"joins={{bundle: resources/there, url: {server.url}/tiny.zip, md5: {md5}}}"
        config = [*TINY, "--config", "methods=[unlearning, pixel, clip]", "experiment=joined"]
        assert planned(folder, *config, joins)["retrain"] == QUERIES + 1 + 1
        assert read_bundle(folder / "resources" / "there").about.study == "tiny"
        gone = joins.replace("there", "elsewhere").replace("tiny.zip", "gone.zip")
        assert "gone.zip" in refused(folder, "-n", *config, gone)
        address = ["--url", f"{server.url}/tiny.zip", "--md5", md5, "--method", "clip"]
        made = program(folder, "join_study.py", *address, "--dry-run")
        assert made.returncode == 0, output_of(made)
    assert planned(folder, "--configfile", "config/tiny-with-clip.yaml")["retrain"] == QUERIES + 2


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
