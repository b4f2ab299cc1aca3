"""What a study will cost here: its own architecture's rates, measured, and its plan with them."""

from pathlib import Path
from typing import Any

import torch
from gpu_steps import Setting, calls_per_second, compiled_steps_per_second

from leavekout.base.precision import arithmetic
from leavekout.models.loss import denoising_loss
from leavekout.planning.bill import bill
from plan_study import plan_of


def measured_rates(setting: Setting, experiment: Any, seconds: float) -> dict[str, float]:
    """Estimates of a study on this device: training and sweeps are measured.

    Per-sample gradients are taken to be faster than was assumed by as much as trainings are.
    """
    assumed = experiment.hardware.estimates
    steps, _ = compiled_steps_per_second(setting, seconds)
    training = steps * setting.training.batch_size
    denoiser, process = setting.denoiser(), setting.process
    x0, t, noise, text = setting.batch(1)
    copies = max(1, experiment.hardware.forward_batch // len(x0))
    x0, t, noise, text = (x.repeat(copies, *[1] * (x.dim() - 1)) for x in (x0, t, noise, text))

    def sweep() -> None:
        with torch.no_grad(), arithmetic(experiment.losses.precision, setting.device):
            denoising_loss(denoiser, process, x0, t, noise, text)

    sweep()
    forward = calls_per_second(sweep, setting.device, seconds) * len(x0)
    return {
        "training_per_second": training,
        "forward_per_second": forward,
        "gradients_per_second": assumed.gradients_per_second
        * training
        / assumed.training_per_second,
    }


def cost_here(file: Path, rates: dict[str, float]) -> str:
    """A sentence: what a study takes at these rates, and what takes most of it."""
    plan = plan_of([file], {"hardware": {"estimates": rates}})
    table = bill(plan.jobs)
    hours = table["gpu_h"] if table["gpu_h"].sum() else table["cpu_h"]
    where = "this GPU" if table["gpu_h"].sum() else "one core"
    slowest = str(hours.idxmax())
    told = ", ".join(f"{name} {value:,.0f}" for name, value in rates.items())
    return (
        f"{file.stem} takes {hours.sum():.2g} h on {where}; the slowest part is {slowest} "
        f"({hours[slowest]:.2g} h of it, {table['to_do'][slowest]:,} jobs). {told}"
    )
