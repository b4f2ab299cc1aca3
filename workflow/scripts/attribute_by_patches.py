"""Scores every training image by the patches that it shares with the noised queries."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from leavekout.base.artifacts import load_npy
from leavekout.base.job import compute_job, progress
from leavekout.config.experiment import Model
from leavekout.contract.scores import save_halves, save_scores, split_half_scores
from leavekout.methods.patches.settings import Patches
from leavekout.methods.patches.weights import patch_scores
from leavekout.models.process import build_process
from leavekout.queries.loading import Queries

with compute_job(snakemake) as run:
    config, process = Patches(**run.params.patches), build_process(Model(**run.params.model))
    latents = load_npy(run.input.latents, mmap=True)  # [N, F, C, h, w]
    queries = Queries.load(run.input, run.params.names, run.device)

    def batches() -> Iterator[tuple[slice, Tensor]]:
        """Some training images at a time."""
        for start in range(0, len(latents), run.resources.batch):
            here = slice(start, start + run.resources.batch)
            yield here, torch.from_numpy(np.array(latents[here])).to(run.device).float()

    scores, halves = [], []
    for query in progress(queries, run.wildcards.method, len(queries.names)):
        by_timestep = [
            patch_scores(query, batches, latents.shape[:2], process, config, timestep=t).numpy()
            for t in config.timesteps
        ]
        # Halves differ in timesteps, too, so they agree less than two draws of the noise would.
        whole, two = split_half_scores(np.stack(by_timestep))
        scores.append(whole)
        halves.append(two)
    save_halves(run.output.halves, np.stack(halves))
    save_scores(run.output.scores, np.stack(scores), run.wildcards.method)
