"""Trains the source model θ0 on all training images."""

import numpy as np

from leavekout.base.job import compute_job, label
from leavekout.base.tensors import save_tensors
from leavekout.config.experiment import Model, Training
from leavekout.data.encoded import EncodedData
from leavekout.training.state import Checkpoint
from leavekout.training.training import train_from_scratch

with compute_job(snakemake) as run:
    output = run.output.weights
    checkpoint = Checkpoint.beside(output, run.resources)
    denoiser, notes = train_from_scratch(
        EncodedData.load(run.input, run.device, run.resources),
        Model(**run.params.model),
        Training(**run.params.training),
        removed=np.empty(0, np.int64),
        checkpoint=checkpoint,
        compiled=bool(run.resources.compile),
        what=label(output.parent),
    )
    save_tensors(output, denoiser.state_dict(), notes)
    checkpoint.delete()
