"""Rejects combinations of values that do not fit each other.

These checks are for all kinds of experiment; each kind adds its own.
"""

from collections.abc import Callable, Iterable, Iterator

from leavekout.base.errors import InputError
from leavekout.config.experiment import Experiment

# Given the parts of a key, the configuration file that an error names: see `Merged.file_of`.
FileOf = Callable[..., str]
# A key with dots, and the rest of the sentence that begins with it and says what is wrong.
Problem = tuple[str, str]


def check(e: Experiment, file_of: FileOf) -> None:
    """Rejects combinations of values that do not fit each other; raises InputError."""
    reject(_problems(e), file_of)


def reject(problems: Iterable[Problem], file_of: FileOf) -> None:
    """Raises InputError for the first problem, if there is one."""
    for key, reason in problems:
        raise InputError(f"{file_of(*key.split('.'))}: '{key}' {reason}.")


def require_within_schedule(e: Experiment, file_of: FileOf, key: str, value: int) -> None:
    """Rejects a count or a stride of timesteps that exceeds the noise schedule."""
    reject(_problems_with_schedule(e, key, value), file_of)


def _problems_with_schedule(e: Experiment, key: str, value: int) -> Iterator[Problem]:
    if value > (timesteps := e.model.process.timesteps):
        yield key, f"is {value}, more than the {timesteps} timesteps of the noise schedule"


def _problems(e: Experiment) -> Iterator[Problem]:
    yield from _problems_with_schedule(e, "losses.timestep_stride", e.losses.timestep_stride)
    yield from _problems_with_schedule(e, "sampling.steps", e.sampling.steps)
    flow, sampler = e.model.flow_matching is not None, e.sampling.sampler
    if flow != (sampler == "euler"):
        fitting = "'euler' for flow matching" if flow else "'ddpm' or 'ddim' for a noise schedule"
        yield "sampling.sampler", f"is '{sampler}', but has to be {fitting}"
    if flow and e.sampling.clip_x0 is not None:
        yield "sampling.clip_x0", "has to be null for flow matching"
    draws = {"losses.draws": e.losses.draws}
    if e.losses.refine:
        draws["losses.refine.draws"] = e.losses.refine.draws
    for key, value in draws.items():
        if e.losses.antithetic and value % 2:
            yield (
                key,
                f"is {value}, but has to be even with 'losses.antithetic', where every second draw "
                "is the negative of one before",
            )
    if e.losses.captions > (kept := e.dataset.captions):
        yield (
            "losses.captions",
            f"is {e.losses.captions}, but 'dataset.captions' keeps {kept} of each image",
        )
    if e.encoders.source == "fetch":
        for name in {"vae", "text_encoder", "tokenizer", "clip"} & set(e.encoders.more):
            yield f"encoders.more.{name}", "has the name of another encoder"
    if e.tuning and not e.tuning.methods:
        yield "tuning.methods", "is empty, and 'tuning.settings' names no methods to compare"
    if e.tuning and e.queries.tuning == 0:
        yield "queries.tuning", "is 0, but 'tuning' compares methods on tuning queries"
