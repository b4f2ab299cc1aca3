"""Computes the losses of every training image and flip under θ0, once for all queries."""

from leavekout.base.job import compute_job
from leavekout.config.experiment import LossSweep, Model
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import load_denoiser
from leavekout.models.process import build_process
from leavekout.sweeps.losses import sweep_rows
from leavekout.sweeps.passes import passes_of

with compute_job(snakemake) as run:
    model = Model(**run.params.model)
    denoiser = load_denoiser(model, run.input.weights, device=run.device)
    data = EncodedData.load(run.input, run.device, run.resources)
    process = build_process(model)
    rows = sweep_rows(
        run.output.losses,
        denoiser,
        process,
        data,
        passes_of(LossSweep(**run.params.losses), process, refined=run.params.refined),
        batch=run.resources.batch,
        objective=run.wildcards.objective,
        settings=dict(run.params),
        save_seconds=run.resources.checkpoint_seconds,
    )
    rows.finish()
