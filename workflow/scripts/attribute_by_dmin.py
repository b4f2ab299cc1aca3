"""Scores every training image by its compressed gradients' inner products with each query's."""

import numpy as np

from leavekout.base.job import compute_job
from leavekout.base.rows import identity_of
from leavekout.config.experiment import Model
from leavekout.contract.scores import save_halves, save_scores
from leavekout.data.encoded import EncodedData
from leavekout.methods.dmin.compression import Compressor, inner_products
from leavekout.methods.dmin.settings import Dmin
from leavekout.models.denoiser import load_denoiser
from leavekout.models.process import build_process
from leavekout.queries.loading import Queries
from leavekout.sweeps.gradients import gradient_rows, halves_of_draws, query_gradients

with compute_job(snakemake) as run:
    model, config = Model(**run.params.model), Dmin(**run.params.dmin)
    denoiser = load_denoiser(model, run.input.weights, device=run.device)
    process = build_process(model)
    data = EncodedData.load(run.input, run.device, run.resources)
    halves, _ = halves_of_draws(config.draws, antithetic=config.antithetic)
    compressor = Compressor(denoiser, config, draws=config.draws // halves, device=run.device)
    queries = query_gradients(
        denoiser,
        process,
        Queries.load(run.input, run.params.names, run.device),
        compressor,
        draws=config.draws,
        timestep=None,
        batch=config.draws,  # draws of a half are kept apart, so they are computed together
    )
    rows = gradient_rows(
        run.output.scores[0],
        denoiser,
        process,
        data,
        compressor,
        batch=run.resources.batch,
        identity=identity_of(dict(run.params), data.fingerprint, denoiser),
        save_seconds=run.resources.checkpoint_seconds,
    )
    scores, by_half = inner_products(np.asarray(rows.array), queries)
    save_halves(run.output.halves, by_half)
    save_scores(run.output.scores, scores, run.wildcards.method)
    rows.discard()
