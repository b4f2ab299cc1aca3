"""Refuses configurations whose values are fine alone and wrong together, in one sentence.

These checks hold for all kinds of experiment; each kind adds its own.
"""

from collections.abc import Callable

from leavekout.base.errors import InputError
from leavekout.config.experiment import Experiment

# The last configuration file that has a key, given step by step.
FileOf = Callable[..., str]


def check(e: Experiment, file_of: FileOf) -> None:
    """Refuses values that are fine alone and wrong together; raises InputError."""
    require_within_schedule(e, file_of, "losses.timestep_stride", e.losses.timestep_stride)
    require_within_schedule(e, file_of, "sampling.steps", e.sampling.steps)
    _check_sampler(e, file_of)
    _check_draws(e, file_of)
    if e.losses.captions > e.dataset.captions:
        raise InputError(
            f"{file_of('losses', 'captions')}: 'losses.captions' is "
            f"{e.losses.captions}, but 'dataset.captions' keeps {e.dataset.captions} of each image."
        )
    if e.encoders.source == "fetch":
        for name in {"vae", "text_encoder", "tokenizer", "clip"} & set(e.encoders.more):
            raise InputError(
                f"{file_of('encoders', 'more', name)}: 'encoders.more.{name}' has the name of "
                "another encoder."
            )
    if e.tuning and not e.tuning.methods:
        raise InputError(
            f"{file_of('tuning', 'methods')}: 'tuning' names neither 'methods' nor 'settings' to "
            "compare."
        )
    if e.tuning and e.queries.tuning == 0:
        raise InputError(
            f"{file_of('queries', 'tuning')}: 'tuning' compares methods on tuning "
            "queries, but 'queries.tuning' is 0."
        )


def require_within_schedule(e: Experiment, file_of: FileOf, key: str, value: int) -> None:
    """Refuses a number of timesteps, or between them, beyond the noise schedule's."""
    if value > e.model.process.timesteps:
        raise InputError(
            f"{file_of(*key.split('.'))}: '{key}' is {value}, more than the "
            f"{e.model.process.timesteps} timesteps of the noise schedule."
        )


def _check_draws(e: Experiment, file_of: FileOf) -> None:
    """Refuses pairs of a noise and its negative that are not whole."""
    refine = e.losses.refine
    draws = {"losses.draws": e.losses.draws, "losses.refine.draws": refine.draws if refine else 2}
    for key, value in draws.items():
        if e.losses.antithetic and value % 2:
            raise InputError(
                f"{file_of(*key.split('.'))}: '{key}' is {value}, but has to be even with "
                "'losses.antithetic', where every second draw is the negative of one before."
            )


def _check_sampler(e: Experiment, file_of: FileOf) -> None:
    """Refuses a sampler that is for another process."""
    flow, sampler = e.model.flow_matching is not None, e.sampling.sampler
    if flow != (sampler == "euler"):
        fitting = "'euler' for flow matching" if flow else "'ddpm' or 'ddim' for a noise schedule"
        raise InputError(
            f"{file_of('sampling', 'sampler')}: 'sampling.sampler' is '{sampler}', but has to be "
            f"{fitting}."
        )
    if flow and e.sampling.clip_x0 is not None:
        raise InputError(
            f"{file_of('sampling', 'clip_x0')}: 'sampling.clip_x0' has to be null for flow "
            "matching."
        )
