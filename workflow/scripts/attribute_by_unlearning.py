"""Unlearns one query and scores every training image by its loss change."""

import numpy as np
from torch import Tensor

from leavekout.base.job import compute_job
from leavekout.base.rows import Rows
from leavekout.config.experiment import LossSweep, Model
from leavekout.contract.scores import save_halves, save_scores, save_some_scores
from leavekout.data.encoded import EncodedData
from leavekout.methods.distilled.neighbours import rows_near
from leavekout.methods.unlearning.readout import best_share, halves_of, reader, scores_of
from leavekout.methods.unlearning.settings import Unlearning
from leavekout.methods.unlearning.steps import unlearned_denoiser
from leavekout.models.process import build_process
from leavekout.queries.loading import Queries
from leavekout.sweeps.losses import sweep_rows
from leavekout.sweeps.passes import passes_of

with compute_job(snakemake) as run:
    model = Model(**run.params.model)
    config, losses = Unlearning(**run.params.unlearning), LossSweep(**run.params.losses)
    method, output = run.wildcards.method, run.output.scores
    data, process = EncodedData.load(run.input, run.device, run.resources), build_process(model)
    denoiser = unlearned_denoiser(
        run.input,
        model,
        config,
        Queries.load(run.input, [run.wildcards.query], run.device),
        box=run.params.box,
        images=run.params.get("trained_on") or data.images,
        batch=run.resources.gradient_batch,
        data=data,
    )

    def swept(images: Tensor | None, *, refined: bool = False) -> Rows:
        """What each half of the passes contributes to the scores of all or of some images."""
        passes = passes_of(losses, process, refined=refined)
        source = run.input.refined_losses if refined else run.input.source_losses
        return sweep_rows(
            output.with_name(f"{output.stem}.refined.npy") if refined else output,
            denoiser,
            process,
            data,
            passes,
            batch=run.resources.batch,
            objective=config.objective,
            settings=dict(run.params),
            save_seconds=run.resources.checkpoint_seconds,
            images=images,
            reduce=reader(source, passes, config.readout),
            more=bool(losses.refine) and not refined,
        )

    near = run.input.get("neighbours")
    some = rows_near(near, run.params.place) if near else None
    first = swept(some)
    filled, parts = [first], np.array(first.array)
    if some is not None:
        parts = np.full((data.images, *parts.shape[1:]), np.nan)
        parts[some] = first.array
    if losses.refine:
        images = best_share(parts, losses.refine.share)
        refined_rows = swept(images, refined=True)
        filled.append(refined_rows)
        parts[images] = refined_rows.array
    save_halves([run.output.halves], halves_of(parts)[None])
    if some is None:
        save_scores([output], scores_of(parts)[None], method)
    else:
        save_some_scores(output, scores_of(parts), some.numpy(), method)
    for rows in filled:
        rows.discard()
