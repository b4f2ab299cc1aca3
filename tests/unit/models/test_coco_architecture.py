"""The package at COCO's true sizes: nothing in it is fitted to digits."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from configured import coco, coco_denoiser
from leavekout.base.tensors import load_tensors, save_tensors
from leavekout.curvature.fisher import diagonal_fisher
from leavekout.data.encoded import EncodedData
from leavekout.leave_k_out.evaluation import losses_on_queries
from leavekout.methods.influence.family import INFLUENCE
from leavekout.methods.influence.projector import GradientProjector
from leavekout.methods.unlearning.family import UNLEARNING
from leavekout.methods.unlearning.steps import unlearn
from leavekout.models.denoiser import load_denoiser, select_weights
from leavekout.models.process import build_process
from leavekout.models.sampling import sample_latents
from leavekout.queries.loading import Queries
from leavekout.sweeps.gradients import training_gradients
from leavekout.sweeps.losses import training_losses
from leavekout.training.state import Checkpoint
from leavekout.training.training import train_from_scratch
from world import CPU


def coco_data(images: int) -> EncodedData:
    drawn = np.random.default_rng(0)
    return EncodedData(
        drawn.standard_normal((images, 2, 4, 16, 16)).astype(np.float16),
        drawn.standard_normal((images, 5, 77, 1024)).astype(np.float16),
        drawn.standard_normal((77, 1024)).astype(np.float16),
        np.array([9, 25, 30, 581929])[:images],
        device=CPU,
    )


def test_gradients_of_all_weights_are_projected_at_cocos_architecture() -> None:
    experiment, data, denoiser = coco(), coco_data(1), coco_denoiser()
    process = build_process(experiment.model)
    layers = [w.numel() for w in select_weights(denoiser, "cross_attention_kv").values()]
    for name, entries, shape in (
        ("output", [57_373_316], (1, 32768)),
        ("layers", layers, (32, 256)),
    ):
        config = INFLUENCE.gradients(experiment)[name].model_copy(update={"draws": 2})
        projector = GradientProjector(denoiser, config, model_seed=0, device=CPU)
        assert projector.entries == entries
        found = list(training_gradients(denoiser, process, data, projector, batch=2))
        assert [part.shape for part in found] == [(1, 2, 2, *shape)]  # image and flip, by halves
        assert all(part.isfinite().all() and part.std() > 0 for part in found)


def test_every_stage_runs_at_cocos_architecture(tmp_path: Path) -> None:
    experiment, images = coco(), 4
    data = coco_data(images)
    model, process = experiment.model, build_process(experiment.model)

    # Two training steps, in bfloat16 as on the GPU; the weights stay float32.
    output = tmp_path / "model.safetensors"
    training = experiment.training.model_copy(update={"epochs": 1, "batch_size": 2})
    options: Any = {"removed": np.empty(0, np.int64), "checkpoint": Checkpoint(tmp_path / "state")}
    trained, notes = train_from_scratch(data, model, training, **options)
    save_tensors(output, trained.state_dict(), notes)
    tensors, notes = load_tensors(output)
    assert notes["steps"] == 2
    assert all(t.dtype == torch.float32 and t.isfinite().all() for t in tensors.values())

    denoiser = load_denoiser(model, output, device=CPU)
    assert denoiser.latent_shape == (4, 16, 16)
    variant = UNLEARNING.entries(experiment)["unlearning"].model_copy(
        update={"gradient_samples": 2}
    )
    weights = select_weights(denoiser, variant.weights)
    fisher = diagonal_fisher(denoiser, process, data, weights, samples=3, seed=0, batch=2)
    assert sum(f.numel() for f in fisher.values()) == 7_077_888

    sweep = experiment.losses.model_copy(update={"timestep_stride": 500, "captions": 1})
    source = training_losses(denoiser, process, data, sweep, batch=8)
    sampling = experiment.sampling.model_copy(update={"steps": 2})
    text = data.text[torch.tensor([0]), torch.tensor([0])]
    null = data.null_text.numpy()
    generated = sample_latents(denoiser, process, sampling, text, null, [5])
    assert generated.abs().max() <= 1  # the last predicted x0 is clamped, without noise after it

    evaluation = experiment.evaluation.model_copy(update={"timestep_stride": 500})

    query = Queries(["q000"], [5], generated, text, [0])

    def losses() -> np.ndarray:
        return losses_on_queries(denoiser, model, evaluation, query, batch=2)

    before = losses()
    start = {name: p.detach().clone() for name, p in weights.items()}
    unlearn(denoiser, process, query, variant, fisher, images=images, batch=2)
    assert all((p != start[name]).any() for name, p in weights.items())
    scores = (training_losses(denoiser, process, data, sweep, batch=8) - source).max(axis=1)
    assert scores.shape == (images,)
    assert np.isfinite(scores).all()

    again = sample_latents(denoiser, process, sampling, text, null, [5])
    assert np.isfinite(losses() - before).all()
    assert again.isfinite().all()
