"""Scores every training image by its gradient along the queries' preconditioned gradients."""

import numpy as np

from leavekout.base.job import compute_job
from leavekout.base.rows import Rows, identity_of
from leavekout.base.tensors import load_tensors
from leavekout.config.experiment import Model
from leavekout.contract.scores import save_halves, save_scores
from leavekout.data.encoded import EncodedData
from leavekout.methods.ekfac_influence.products import Products, directions_of, product_scores
from leavekout.methods.ekfac_influence.settings import EkfacInfluence
from leavekout.models.denoiser import load_denoiser
from leavekout.models.process import build_process
from leavekout.queries.loading import Queries
from leavekout.sweeps.gradients import gradient_rows

with compute_job(snakemake) as run:
    model, config = Model(**run.params.model), EkfacInfluence(**run.params.influence)
    denoiser = load_denoiser(model, run.input.weights, device=run.device)
    process = build_process(model)
    data = EncodedData.load(run.input, run.device, run.resources)
    queries = Queries.load(run.input, run.params.names, run.device)
    factors, _ = load_tensors(run.input.curvature)
    groups = list(queries.split(run.resources.queries_at_once))
    of_groups: list[Rows] = []
    for group in groups:
        place = queries.names.index(group.names[0])
        directions = directions_of(
            denoiser, process, group, factors, config, batch=run.resources.gradient_batch
        )
        rows = gradient_rows(
            run.output.scores[place],  # the group's rows are saved beside its first query's scores
            denoiser,
            process,
            data,
            Products(denoiser, config, directions),
            batch=run.resources.batch,
            identity=identity_of(
                dict(run.params),
                data.fingerprint,
                denoiser,
                [row.double().sum().item() for row in directions],
            ),
            save_seconds=run.resources.checkpoint_seconds,
            more=len(of_groups) < len(groups) - 1,
        )
        del directions  # before the next group's are made
        of_groups.append(rows)
    scores, halves = product_scores(
        np.concatenate([rows.array for rows in of_groups], -1), len(queries.names)
    )
    save_halves(run.output.halves, halves)
    save_scores(run.output.scores, scores, run.wildcards.method)
    for rows in of_groups:
        rows.discard()
