"""Prints what a study has cost and will cost, rule by rule; runs nothing.

    python workflow/scripts/plan_study.py --configfile config/coco.yaml [--targets all tuning]

The jobs are from Snakemake's graph, and past costs from their benchmark files. Future costs are
scaled by the benchmarks, or are the `hardware.estimates` if no job of a kind has run yet.
"""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.exceptions import WorkflowError
from snakemake.settings.enums import Quietness, RerunTrigger
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

from leavekout.base.errors import InputError
from leavekout.config.reading import DIGEST, read_yaml
from leavekout.kinds import costs_of, read_experiment
from leavekout.leave_k_out.statistics.spent import seconds_of
from leavekout.planning.bill import PlannedJob, account

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = ROOT / "config/digits.yaml"
TRIGGERS = frozenset({RerunTrigger.MTIME, RerunTrigger.INPUT, RerunTrigger.PARAMS})


def in_project(path: Path) -> Path:
    """A path that holds in the project's folder, where every program works and results are.

    A relative path is looked for in the folder where the program was started, and then in the
    project's.
    """
    found = path.absolute() if path.exists() else ROOT / path
    return found.relative_to(ROOT) if found.is_relative_to(ROOT) else found


@dataclass(frozen=True)
class Plan:
    """What Snakemake would do: all jobs in the order of the rules, and the configuration.

    Args:
        advice: what to say if the study was copied without its files' times.
    """

    jobs: list[PlannedJob]
    config: dict[str, Any]
    advice: str | None


def planned(job: Any, *, needed: bool) -> PlannedJob:
    """Converts a job of Snakemake."""
    resources, benchmark = job.resources, Path(job.benchmark) if job.benchmark else None
    return PlannedJob(
        rule=job.rule.name,
        script=str(job.rule.script or job.rule.name).rpartition("/")[2],
        needed=needed,
        gpus=resources.get("on_gpu", 0),
        threads=job.threads,
        expected_seconds=resources.get("expected_seconds", 0),
        disk_mb=resources.get("disk_mb", 0) if resources.get("expected_seconds") is not None else 0,
        seconds=seconds_of(benchmark) if benchmark else None,
        benchmark=benchmark,
        log=Path(job.log[0]) if job.log else None,
    )


@contextlib.contextmanager
def _no_run_begun() -> Iterator[None]:
    """Forgets the configuration that was read: the next plan may be of another."""
    running = DIGEST in os.environ
    try:
        yield
    finally:
        if not running:
            os.environ.pop(DIGEST, None)


def plan_of(
    configfiles: Sequence[Path],
    config: Mapping[str, Any] | None = None,
    targets: Sequence[str] = ("all",),
) -> Plan:
    """The plan for some targets of a study.

    Raises:
        InputError, WorkflowError: in one sentence, why there is no plan.
    """
    for file in configfiles:
        read_yaml(file)  # which says in a sentence what Snakemake says in a traceback
    with (
        _no_run_begun(),
        SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api,
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        study = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(config=config or {}, configfiles=configfiles),
            snakefile=ROOT / "Snakefile",
        )
        study.dag(DAGSettings(targets=set(targets), rerun_triggers=TRIGGERS)).printrulegraph()
        # The public API (snakemake.api 9.27) prints the graph, without resources, threads and
        # benchmark files, and gives no access to jobs. So we read the private `_workflow`.
        workflow = study._workflow
        dag = workflow.dag
        jobs = [job for level in dag.toposorted() for job in level if job.rule.name not in targets]
        order = {rule.name: number for number, rule in enumerate(workflow.rules)}
        jobs.sort(key=lambda job: order[job.rule.name])
        converted = [planned(job, needed=dag.needrun(job)) for job in jobs]
        options = ["--configfile", *map(str, configfiles)]
        return Plan(converted, workflow.config, workflow.globals["advice_on_copy"](options))


def main() -> None:
    """Prints the bill."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--configfile", nargs="+", action="extend", type=Path, default=[])
    parser.add_argument("--config", type=json.loads, default={}, help="further values, as JSON")
    parser.add_argument("--targets", nargs="+", default=["all"])
    arguments = parser.parse_args()
    try:
        files = [in_project(path) for path in arguments.configfile or [DEFAULT]]
        os.chdir(ROOT)
        plan = plan_of(files, arguments.config, arguments.targets)
        costs = costs_of(read_experiment(plan.config, []))
    except (InputError, WorkflowError) as error:
        sys.exit(str(error))
    print(account(plan.jobs, costs))
    if plan.advice:
        print(f"\n{plan.advice}")


if __name__ == "__main__":
    main()
