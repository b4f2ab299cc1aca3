"""Writes what a method's scores cost, from the benchmark files of the jobs that made them."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import save_json
from leavekout.runtime.job import job
from leavekout.statistics.spent import spent_on

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    cost = spent_on(
        Path(run.params.benchmarks),
        run.wildcards.method,
        once=run.params.once,
        queries=run.params.queries,
    )
    save_json(run.output[0], cost)
