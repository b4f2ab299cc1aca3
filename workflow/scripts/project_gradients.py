"""Computes the projected per-sample gradients of the training set for one source model."""

from leavekout.base.job import compute_job
from leavekout.base.rows import identity_of
from leavekout.config.experiment import Model
from leavekout.data.encoded import EncodedData
from leavekout.methods.influence.projector import GradientProjector
from leavekout.methods.influence.settings import Gradients
from leavekout.models.denoiser import load_denoiser
from leavekout.models.process import build_process
from leavekout.sweeps.gradients import gradient_rows

with compute_job(snakemake) as run:
    model = Model(**run.params.model)
    denoiser = load_denoiser(model, run.input.weights, device=run.device)
    seed = run.params.model_seed  # a further source model has a projection of its own
    projector = GradientProjector(
        denoiser, Gradients(**run.params.gradients), model_seed=seed, device=run.device
    )
    data = EncodedData.load(run.input, run.device, run.resources)
    gradient_rows(
        run.output.gradients,
        denoiser,
        build_process(model),
        data,
        projector,
        batch=run.resources.batch,
        identity=identity_of(dict(run.params), seed, data.fingerprint, denoiser),
        save_seconds=run.resources.checkpoint_seconds,
    ).finish()
