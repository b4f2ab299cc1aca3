"""Scores every training image by its projected gradients, averaged over source models."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leavekout.attribution.gradients import GradientProjector, query_gradients
from leavekout.attribution.influence import datainf_scores, ensemble_scores, ridge_scores
from leavekout.attribution.scores import save_scores
from leavekout.config.experiment import Model
from leavekout.config.methods import Gradients, Influence
from leavekout.customized.exemplars import exemplar_rows, pool_rows
from leavekout.models.unet import build_scheduler, load_unet
from leavekout.queries.queries import Queries
from leavekout.runtime.artifacts import load_npy, load_table
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    model = Model(**snakemake.params.model)
    method = Influence(**snakemake.params.influence)
    of_queries = {
        "queries": snakemake.input.queries,
        "latents": snakemake.input.query_latents,
        "text": snakemake.input.query_text,
    }
    queries = Queries.load(of_queries, snakemake.params.names, device)

    # A customized model has seen the pool and its own exemplars.
    trained = None
    if "images" in snakemake.input.keys():  # noqa: SIM118
        table = load_table(Path(snakemake.input.images))
        trained = pool_rows(table) | exemplar_rows(table, snakemake.wildcards.model)

    def scores_of_models() -> Iterator[np.ndarray]:  # noqa: D103
        files = list(snakemake.input.weights)  # of the first model, then of the second, …
        each = len(files) // len(method.source_seeds)
        for number, (seed, gradients) in enumerate(
            zip(method.source_seeds, snakemake.input.gradients, strict=True)
        ):
            weights = files[number * each : (number + 1) * each]
            unet = load_unet(model.unet, weights, device=device)
            projector = GradientProjector(
                unet, Gradients(**snakemake.params.gradients), model_seed=seed, device=device
            )
            features_of_queries = query_gradients(
                unet,
                build_scheduler(model.noise_schedule),
                queries,
                projector,
                draws=method.query_draws,
                timestep=method.query_timestep,
                batch=snakemake.resources.batch,
            )
            features = load_npy(Path(gradients), mmap=True)
            options: Any = {"damping": method.damping, "device": device, "trained": trained}
            if method.solver == "datainf":
                yield datainf_scores(features, features_of_queries, projector.entries, **options)
            else:
                yield ridge_scores(features, features_of_queries, **options)

    scores = ensemble_scores(scores_of_models())
    save_scores(snakemake.output.scores, scores, snakemake.wildcards.method)
