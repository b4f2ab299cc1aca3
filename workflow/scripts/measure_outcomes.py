"""Takes all measures of the models of one method or control, from their outcomes."""

from leavekout.base.artifacts import save_table
from leavekout.base.job import compute_job
from leavekout.contract.outcome import Outcome, combined
from leavekout.encoders.features import load_image_encoder
from leavekout.leave_k_out.measures.measuring import measure_outcomes
from leavekout.leave_k_out.measures.registry import measure

with compute_job(snakemake) as run:
    measures = [measure(name) for name in run.params.measures]
    names = {one.encoder for one in measures if one.encoder}
    table = measure_outcomes(
        run.input.outcomes,
        combined([Outcome.load(path) for path in run.input.source]),
        measures,
        {name: load_image_encoder(run.input[name], run.device) for name in names},
        set(run.params.queries),
    )
    save_table(run.output.table, table)
