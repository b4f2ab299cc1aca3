"""Takes all measures of the models of one method or control, from their outcomes."""

from typing import TYPE_CHECKING

from leavekout.encoders.features import load_image_encoder
from leavekout.measures.measuring import measure_outcomes
from leavekout.measures.registry import measure
from leavekout.queries.outcome import Outcome, joined
from leavekout.runtime.artifacts import save_table
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as run:
    measures = [measure(name) for name in run.params.measures]
    names = {one.encoder for one in measures if one.encoder}
    table = measure_outcomes(
        run.input.outcomes,
        joined([Outcome.load(path) for path in run.input.source]),
        measures,
        {name: load_image_encoder(run.input[name], run.device) for name in names},
        set(run.params.queries),
    )
    save_table(run.output.table, table)
