"""Refuses configurations whose values are fine alone and wrong together, in one sentence.

These checks hold for all kinds of experiment; each kind adds its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

from leavekout.config.experiment import Experiment
from leavekout.config.methods import Gradients, Influence
from leavekout.errors import InputError

# The last configuration file that has a key, given step by step.
FileOf = Callable[..., str]
_SHARED = "has to be {}, as many as the draws that its gradients share with it"
_PAIRS = "have to be even with 'antithetic', where every second is the negative of one before"
# Names that rules have taken, and that are no value in a CSV file.
RESERVED = ("random", "no_removal", "group", "union", "replica", "oracle", "pixel", "null", "nan")
_TAKEN = "has a name that is taken; choose another"


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
    _check_methods(e, file_of)


def _check_solver(
    name: str, influence: Influence, gradients: Gradients, refuse: Callable[..., None]
) -> None:
    """Refuses solvers whose gradients are of another kind."""
    if influence.solver == "datainf" and gradients.layout != "by_layer":
        refuse("influence", name, "solver", reason="needs gradients with the layout 'by_layer'")
    if (influence.solver == "das") != (gradients.objective == "mean_output"):
        refuse(
            "influence",
            name,
            "solver",
            reason="has to be 'das' for gradients of the objective 'mean_output', and only then",
        )
    if gradients.antithetic and influence.query_draws % 2:
        refuse("influence", name, "query_draws", reason=_PAIRS)
    if gradients.shared_draws and influence.query_draws != gradients.draws:
        refuse(
            "influence",
            name,
            "query_draws",
            reason=_SHARED.format(gradients.draws),
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


def _check_methods(e: Experiment, file_of: FileOf) -> None:
    """Refuses two methods of one name, and methods that refer to what is not there."""

    def refuse(*key: str, reason: str) -> None:
        raise InputError(f"{file_of(*key)}: '{'.'.join(key)}' {reason}.")

    sections: dict[str, Mapping[str, Any]] = {
        "unlearning": e.unlearning,
        "embeddings": e.embeddings,
        "influence": e.influence,
        "ekfac_influence": e.ekfac_influence,
        "patches": e.patches,
        "distilled": e.distilled,
        "external": e.external,
    }
    seen: dict[str, str] = {}
    for section, entries in sections.items():
        for name in entries:
            if name in RESERVED:
                refuse(section, name, reason=_TAKEN)
            if name in seen:
                refuse(section, name, reason=f"has a name that stands under '{seen[name]}', too")
            seen[name] = section
    for name in e.methods:  # of rule files, too; oracle and pixel are methods
        if name in {*RESERVED} - {"oracle", "pixel"} or name.startswith("again-"):
            raise InputError(f"{file_of('methods')}: '{name}' {_TAKEN}.")
    queries = set(e.query_names())
    used = {*e.methods, *(e.tuning.methods if e.tuning else [])}
    for name, variant in e.unlearning.items():
        if variant.step == "mirrored" and (variant.objective != "loss" or variant.boxes):
            refuse(
                "unlearning",
                name,
                "step",
                reason="is 'mirrored', which is for the loss of whole pictures: without 'boxes', "
                "and with the objective 'loss'",
            )
        if variant.curvature == "ekfac" and variant.weights != "cross_attention_kv":
            refuse(
                "unlearning",
                name,
                "weights",
                reason="has to be 'cross_attention_kv' for "
                "'ekfac', which is for linear layers without bias",
            )
        for query, (left, top, right, bottom) in variant.boxes.items():
            if query not in queries and name in used:
                refuse("unlearning", name, "boxes", query, reason="is no query")
            if left >= right or top >= bottom:
                refuse(
                    "unlearning",
                    name,
                    "boxes",
                    query,
                    reason="has no inside; a box is [left, top, right, bottom]",
                )
    for name, one in e.ekfac_influence.items():
        if one.objective != "loss":
            refuse("ekfac_influence", name, "objective", reason="has to be 'loss'")
        if one.weights not in ("matrices", "cross_attention_kv"):
            refuse(
                "ekfac_influence",
                name,
                "weights",
                reason="has to be 'matrices' or 'cross_attention_kv', of layers without bias",
            )
        if one.shared_draws and one.query_draws != one.draws:
            refuse("ekfac_influence", name, "query_draws", reason=_SHARED.format(one.draws))
        if one.antithetic and (one.draws % 2 or one.query_draws % 2):
            refuse("ekfac_influence", name, "draws", reason=_PAIRS)
    for name, gradients in e.gradients.items():
        if gradients.antithetic and gradients.draws % 2:
            refuse("gradients", name, "draws", reason=_PAIRS)
    for name, patches in e.patches.items():
        if patches.patch % 2 == 0:
            refuse("patches", name, "patch", reason="has to be odd, to have a middle")
        if max(patches.timesteps) >= e.model.process.timesteps:
            last = e.model.process.timesteps - 1
            refuse("patches", name, "timesteps", reason=f"go beyond the last one, {last}")
    encoders = e.encoders.names()
    if e.encoders.source == "fetch":
        for name in {"vae", "text_encoder", "tokenizer", "clip"} & set(e.encoders.more):
            refuse("encoders", "more", name, reason="has the name of another encoder")
    for name, embedding in e.embeddings.items():
        if embedding.encoder not in encoders:
            known = ", ".join(sorted(encoders))
            refuse("embeddings", name, "encoder", reason=f"is none of the encoders ({known})")
        if embedding.features == "text" and embedding.encoder != "clip":
            refuse("embeddings", name, "features", reason="can be 'text' for the encoder clip only")
    for name, student in e.distilled.items():
        if student.teacher not in e.unlearning:
            refuse("distilled", name, "teacher", reason="is no entry of 'unlearning'")
        if e.queries.teacher == 0 and name in used:
            refuse("distilled", name, reason="has no queries to learn from: 'queries.teacher' is 0")
        if student.encoder not in encoders or "clip" not in encoders:
            known = ", ".join(sorted(encoders))
            refuse("distilled", name, "encoder", reason=f"is none of the encoders ({known})")
        if student.candidates > e.dataset.images and name in used:
            images = f"{e.dataset.images:,}"
            refuse("distilled", name, "candidates", reason=f"are more than the {images} images")
    for name, influence in e.influence.items():
        found = e.gradients.get(influence.gradients)
        if found is None:
            refuse("influence", name, "gradients", reason="is no entry of 'gradients'")
        else:
            _check_solver(name, influence, found, refuse)
        if influence.solver == "datainf" and influence.damping == 0:
            refuse("influence", name, "damping", reason="has to be above 0 for 'datainf'")
        last = e.model.process.timesteps - 1
        if influence.query_timestep is not None and influence.query_timestep > last:
            refuse("influence", name, "query_timestep", reason=f"is beyond the last one, {last}")
