"""Writes what a method's scores cost, from the benchmark files of the jobs that made them."""

from pathlib import Path

from leavekout.base.artifacts import save_json
from leavekout.base.job import job
from leavekout.leave_k_out.statistics.spent import spent_on

with job(snakemake) as run:
    cost = spent_on(
        Path(run.params.benchmarks),
        run.wildcards.method,
        once=run.params.once,
        queries=run.params.queries,
    )
    save_json(run.output[0], cost)
