"""Trains a leave-K-out model: without a query's top K, a random set, a group, or nothing."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leavekout.attribution.scores import random_set, read_scores, top_k
from leavekout.config.experiment import Model, Training
from leavekout.data.encoded import EncodedData
from leavekout.runtime.artifacts import load_npy, save_npy
from leavekout.runtime.job import compute_job
from leavekout.training.training import train_from_scratch

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    data = EncodedData.load(
        snakemake.input, device=device, room_gb=snakemake.resources.device_data_gb
    )
    k = int(snakemake.wildcards.k)
    match snakemake.params.removal:
        case "top":
            path = Path(snakemake.input.scores)
            method = snakemake.wildcards.method
            removed = top_k(read_scores(path, images=data.images, method=method), k)
        case "random":
            number, seed = int(snakemake.wildcards.number), snakemake.params.set_seed
            removed = random_set(data.images, k, number=number, seed=seed)
        case "group":
            groups = load_npy(Path(snakemake.input.groups))
            removed = np.flatnonzero(groups == int(snakemake.wildcards.number))
        case "none":
            removed = np.empty(0, np.int64)
    save_npy(Path(snakemake.output.removed), removed)
    train_from_scratch(
        data,
        Model(**snakemake.params.model),
        Training(**snakemake.params.training),
        removed=removed,
        output=Path(snakemake.output.weights),
        save_state_seconds=snakemake.resources.checkpoint_seconds,
        compiled=bool(snakemake.resources.compile),
    )
