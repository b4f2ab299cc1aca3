"""Checks a contributed row: whether it follows from its outcomes, and whether these are true.

    python workflow/scripts/check_row.py contributed/digits-study/mine [--models 2]

Writes config/<study>-checks-<method>.yaml, and works in results/<study>-checks-<method>/.
"""

import argparse
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from snakemake.exceptions import WorkflowError

from join_study import bundle_of, configuration, write_valid
from leavekout.base.artifacts import load_csv, load_table
from leavekout.base.errors import InputError
from leavekout.config.reading import read_yaml
from leavekout.contract.outcome import Outcome
from leavekout.contract.removal import Removal
from leavekout.encoders.features import load_image_encoder
from leavekout.leave_k_out.bundle.artifacts import MEASUREMENTS, bundled
from leavekout.leave_k_out.bundle.contribution import (
    ROWS,
    differences,
    of_method,
    read_about,
    require_all_and_only,
    require_rows_of_scores,
    require_same_numbers,
)
from leavekout.leave_k_out.bundle.files import Bundle, read_bundle, unpack
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.leave_k_out.measures.measuring import measure_outcomes
from leavekout.leave_k_out.measures.registry import measure
from leavekout.leave_k_out.removals import study_models
from leavekout.leave_k_out.statistics.clusters import clusters
from leavekout.leave_k_out.statistics.drift import SMALL, median_effects
from leavekout.leave_k_out.statistics.estimates import estimates_table
from leavekout.leave_k_out.statistics.measurements import tabulate
from leavekout.methods import registry
from plan_study import ROOT, plan_of
from run_study import make
from submit_row import own_rows

SOURCE, PROMPTS = "source/outcome.safetensors", "queries/queries.parquet"
_ROUNDING = 1e-4  # of encoders on another machine; losses and pictures are in the outcomes


def checked_study(published: Bundle, method: str) -> tuple[Path, LeaveKOut]:
    """The configuration in which the method joins with its contributed scores.

    It is a study apart from the contributor's own join, whose models are not trained again.
    """
    name = f"{published.about.study}-checks-{method}"
    file = Path("config") / f"{name}.yaml"
    scores = f"results/{name}/contributed/attribution/{method}"
    content = {**configuration(published, method, scores), "experiment": name}
    study = read_yaml(published.study)
    for section in registry.SECTIONS:  # may have an entry of this name, by which it was scored
        if method in (study.get(section) or {}):
            content[section] = {method: None}
    experiment = write_valid(file, content, comment="Written by `make check-row`.")
    assert isinstance(experiment, LeaveKOut)
    return file, experiment


def retrain(file: Path, outcomes: Sequence[Path], others: Sequence[Path]) -> None:
    """Trains the models of some outcomes, and makes `others`, which measuring them needs."""
    targets = [*map(str, [*outcomes, *others])]
    try:
        make([file], plan_of([file], targets=targets), targets=targets)
    except (InputError, WorkflowError) as error:  # of this machine; it says nothing of the row
        sys.exit(str(error))


def check(folder: Path, count: int) -> None:
    """Raises InputError, with what is wrong, or returns."""
    about, part = read_about(folder), read_bundle(folder)
    published, method = read_bundle(bundle_of(folder.parent.name)), about.method
    file, e = checked_study(published, method)
    results = Path("results") / e.experiment
    models = [one for one in study_models(e) if one.method == method and "scores" in one.inputs]
    arms: dict[str, list[Removal]] = {}
    for model in models:
        arms.setdefault(model.arm, []).append(model)
    everything = bundled(
        queries=[], test=e.test_queries(), encoders=[], methods=[method],
        drawing=[method], costed=[method], arms=arms,
    )  # fmt: skip
    require_all_and_only(part, of_method(everything, method))
    files = results / "contributed"
    unpack(part, files)
    require_rows_of_scores(models, files, images=e.dataset.images)
    print(f"Each of {len(models)} models lacks the images that its scores name.", flush=True)

    chosen = random.SystemRandom().sample(models, min(count, len(models)))
    measures = [measure(name) for name in e.measures]
    names = {one.encoder for one in measures if one.encoder}
    again = [results / model.outcome for model in chosen]
    others = [SOURCE, PROMPTS, *(f"encoders/{name}" for name in names)]
    retrain(file, again, [results / name for name in others])
    source = Outcome.load(results / SOURCE)
    device = torch.device("cpu")
    encoders = {n: load_image_encoder(results / "encoders" / n, device) for n in names}

    def measured(paths: Sequence[Path]) -> pd.DataFrame:
        return measure_outcomes(paths, source, measures, encoders, {*e.test_queries()})

    here = measured(again)
    for path in again:  # the next check trains them itself
        path.unlink()
    tables = {arm: measured([files / one.outcome for one in those]) for arm, those in arms.items()}
    for arm, table in tables.items():
        given = load_table(files / MEASUREMENTS / "test" / f"{arm}.parquet")
        what = f"{folder}: the measurements of {arm}"
        require_same_numbers(table, given, what=what, tolerance=_ROUNDING)
    print("The measurements follow from the outcomes.", flush=True)

    unpack(published.below([MEASUREMENTS]), files)
    theirs = [
        load_table(files / path)
        for path in published.below([MEASUREMENTS]).entries
        if not Path(path).stem.startswith(("again-", "union"))
    ]
    prompts = load_table(results / PROMPTS).set_index("query")["prompt"]
    of_test = {query: str(prompts[query]) for query in e.test_queries()}
    cluster_of = clusters(of_test, e.dataset.topics)
    table = tabulate([*theirs, tables[method]], cluster_of)
    estimates = estimates_table(table, looks=e.counterfactual.looks)
    rows, given = own_rows(estimates, method), load_csv(folder / ROWS)
    require_same_numbers(rows, given, what=str(folder / ROWS), tolerance=_ROUNDING)
    print("The row follows from the measurements.", flush=True)

    effects = median_effects(tabulate(theirs, cluster_of))
    far = differences(here, pd.concat(tables.values()), effects)
    assert len(far) == len(here)
    for (query, k), of_model in far.groupby(["query", "k"]):
        worst = of_model.sort_values("share").iloc[-1]
        print(
            f"Trained again without the {k} images of {query}: differs by at most "
            f"{100 * worst['share']:.2g} % of the methods' median effect ({worst['measure']})."
        )
        if worst["share"] > SMALL:
            raise InputError(
                f"{folder}: the model of {query} at K = {k}, trained again, differs by "
                f"{100 * worst['share']:.0f} % of the methods' median effect by "
                f"{worst['measure']}; {100 * SMALL:.0f} % are allowed."
            )


def main() -> None:
    """Prints what was checked; exits with one sentence if the row is refused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("row", type=Path, help="the folder, contributed/<study>/<method>")
    parser.add_argument("--models", type=int, default=2, help="how many to train again")
    arguments = parser.parse_args()
    if arguments.models < 1:
        parser.error("--models is at least 1")
    folder = arguments.row.resolve()
    os.chdir(ROOT)
    try:
        check(folder.relative_to(ROOT), arguments.models)
    except InputError as error:
        sys.exit(f"Refused. {error}")
    except KeyboardInterrupt:
        sys.exit("\nStopped by Ctrl-C.")
    print("Accepted.")


if __name__ == "__main__":
    main()
