"""Generates the queries again, and keeps what the sampler predicted of them at one timestep."""

from leavekout.base.artifacts import load_npy, save_npy
from leavekout.base.job import compute_job
from leavekout.config.experiment import Model, Sampling
from leavekout.models.denoiser import load_denoiser
from leavekout.models.process import build_process
from leavekout.queries.generation import predicted_latents
from leavekout.queries.loading import Queries

with compute_job(snakemake) as run:
    model = Model(**run.params.model)
    predicted = predicted_latents(
        load_denoiser(model, run.input.weights, device=run.device),
        Queries.load(run.input, run.params.names, run.device),
        load_npy(run.input.null_text),
        Sampling(**run.params.sampling),
        build_process(model),
        timestep=int(run.wildcards.timestep),
        batch=run.resources.batch,
    )
    save_npy(run.output.predicted, predicted.cpu().numpy())
