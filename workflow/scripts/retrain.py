"""Trains a model without the rows of a removal, and writes its outcome on queries."""

from leavekout.base.artifacts import load_npy
from leavekout.base.job import compute_job, label
from leavekout.base.tensors import save_tensors
from leavekout.config.experiment import Model, Sampling, Training
from leavekout.contract.removal import Removal
from leavekout.data.encoded import EncodedData
from leavekout.encoders.vae import load_vae
from leavekout.leave_k_out.config import Evaluation
from leavekout.leave_k_out.evaluation import evaluate
from leavekout.leave_k_out.removals import removed_rows
from leavekout.queries.loading import load_sets
from leavekout.training.state import Checkpoint
from leavekout.training.training import train_from_scratch

with compute_job(snakemake) as run:
    params, output = run.params, run.output.outcome
    checkpoint = Checkpoint.beside(output, run.resources)
    removal, model = Removal.from_dict(params.removal), Model(**params.model)
    data = EncodedData.load(run.input, run.device, run.resources)
    files = {name: path for name in ("scores", "groups", "topic") if (path := run.input.get(name))}
    removed = removed_rows(removal, files, images=data.images)
    denoiser, notes = train_from_scratch(
        data,
        model,
        Training(**params.training),
        removed=removed,
        checkpoint=checkpoint,
        compiled=bool(run.resources.compile),
        what=label(output.parent),
    )
    outcome = evaluate(
        denoiser,
        load_vae(run.input.vae, run.device),
        load_sets(run.input, removal.targets, removal.others, removal.related, run.device),
        load_npy(run.input.null_text),
        model,
        Evaluation(**params.evaluation),
        Sampling(**params.sampling),
        about=removal.as_dict(),
        removed=removed,
        batch=run.resources.batch,
    )
    if run.output.get("weights"):
        save_tensors(run.output.weights, denoiser.state_dict(), notes)
    outcome.save(output)
    checkpoint.delete()
