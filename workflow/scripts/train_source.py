"""Trains the source model θ0 on all training images."""

from typing import TYPE_CHECKING

import numpy as np

from leavekout.config.experiment import Model, Training
from leavekout.data.encoded import EncodedData
from leavekout.runtime.job import compute_job, label
from leavekout.runtime.tensors import save_tensors
from leavekout.training.training import state_beside, train_from_scratch

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as run:
    output = run.output.weights
    denoiser, notes = train_from_scratch(
        EncodedData.load(run.input, run.device, run.resources),
        Model(**run.params.model),
        Training(**run.params.training),
        removed=np.empty(0, np.int64),
        state=state_beside(output),
        save_state_seconds=run.resources.checkpoint_seconds,
        compiled=bool(run.resources.compile),
        what=label(output.parent),
    )
    save_tensors(output, denoiser.state_dict(), notes)
    state_beside(output).unlink(missing_ok=True)
