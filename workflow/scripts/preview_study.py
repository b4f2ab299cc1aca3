"""Looks at a new method's scores beside those of a published study; trains nothing.

    python workflow/scripts/preview_study.py --study digits-study --method mine [--scores FOLDER]

It begins as `join_study.py` does, so that `make join` continues from it (docs/joining.md).
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from snakemake.exceptions import WorkflowError

from join_study import bundle_of, write_configuration
from leavekout.base.errors import InputError
from leavekout.contract.scores import read_scores
from leavekout.kinds import read_experiment
from leavekout.leave_k_out.bundle.manifest import MANIFEST
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.methods.external.family import EXTERNAL
from plan_study import ROOT, in_project, plan_of
from run_study import START, make, minutes_text


def require_sound_scores(experiment: LeaveKOut, method: str) -> None:
    """Checks a folder of scores before anything runs. Tables are checked when they are imported.

    Raises:
        InputError: a query has no file, or invalid scores; says of how many.
    """
    wrong = []
    files = [EXTERNAL.score_file(experiment, method, query) for query in experiment.test_queries()]
    for path in map(Path, files):
        if path.suffix == ".npy":
            try:
                read_scores(path, images=experiment.dataset.images, method=method)
            except InputError as error:
                wrong.append(str(error))
    if wrong:
        further = len(wrong) - 1
        more = f" So it is with {further:,} more file{'s' * (further > 1)}." if further else ""
        raise InputError(f"{wrong[0]}{more}")


def cost_of_joining(files: Sequence[Path]) -> str:
    """A sentence: how many models a join trains, and how long that takes on this machine."""
    plan = plan_of(files)
    needed = [job for job in plan.jobs if job.needed]
    trained = sum(job.script == "retrain.py" for job in needed)
    seconds = sum((START + job.expected_seconds) * job.threads for job in needed)
    cores = os.cpu_count() or 1
    time = f"{minutes_text(seconds / cores)} on {cores} cores"
    if any(job.gpus for job in needed):
        time = f"{sum(job.expected_seconds * job.gpus for job in needed) / 3600:,.0f} GPU-hours"
    return f"The join trains {trained:,} models, in about {time}"


def preview(study: Path, method: str, scores: str | None) -> None:
    """Prints the preview; raises InputError where it cannot be made."""
    made = study.parent / "tables" / "headline.txt"
    if study.name == "bundle" and made.exists() and not (study / MANIFEST).exists():
        files = [Path("config") / f"{study.parent.name}.yaml"]  # finished here, and not yet bundled
        make(files, plan_of(files, targets=["bundle"]), targets=["bundle"])
    file, bundle = write_configuration(study, method, scores)
    experiment = read_experiment({}, [file])
    if not isinstance(experiment, LeaveKOut):
        raise InputError(f"{file}: only leave-K-out studies have previews.")
    if scores:
        require_sound_scores(experiment, method)
    results = Path("results") / experiment.experiment
    text = results / "preview" / f"{method}.txt"
    make([file], plan_of([file], targets=[str(text)]), targets=[str(text)])
    print(f"\n{text.read_text()}")
    print(f"Pictures: {text.with_suffix('.png')}")
    given = f" SCORES={scores}" if scores else ""
    command = f"make join STUDY={bundle.about.study} METHOD={method}{given}"
    print(f"{cost_of_joining([file])}:\n\n    {command}")


def main() -> None:
    """Previews a method as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--study", required=True, help="a study in results/, or a bundle's folder")
    parser.add_argument("--method", required=True, help="name of the new method")
    parser.add_argument("--scores", help="folder with its scores, computed elsewhere")
    arguments = parser.parse_args()
    if Path.cwd() != ROOT:
        for name in ("study", "scores"):
            if (given := getattr(arguments, name)) and Path(given).is_dir():
                setattr(arguments, name, str(in_project(Path(given))))
        os.chdir(ROOT)
    try:
        preview(bundle_of(arguments.study), arguments.method, arguments.scores)
    except (InputError, WorkflowError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped by Ctrl-C.")


if __name__ == "__main__":
    main()
