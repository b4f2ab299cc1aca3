"""Refuses configurations whose values are fine alone and wrong together, in one sentence."""

from collections.abc import Callable, Mapping
from typing import Any

from leavekout.config.experiment import Experiment
from leavekout.errors import InputError

# The last configuration file that has a key, given step by step.
FileOf = Callable[..., str]
# Names that rules have taken, and that stand for no value in a CSV file.
RESERVED = ("random", "no_removal", "group", "oracle", "pixel", "null", "nan")


def check(experiment: Experiment, file_of: FileOf) -> None:
    """Refuses values that are fine alone and wrong together; raises InputError."""
    e = experiment
    _check_kind(e, file_of)
    strides = {
        "losses.timestep_stride": e.losses.timestep_stride,
        "sampling.steps": e.sampling.steps,
    }
    if e.evaluation:
        strides["evaluation.timestep_stride"] = e.evaluation.timestep_stride
    for key, value in strides.items():
        if value > e.model.noise_schedule.timesteps:
            raise InputError(
                f"{file_of(*key.split('.'))}: '{key}' is {value}, more than the "
                f"{e.model.noise_schedule.timesteps} timesteps of the noise schedule."
            )
    if e.losses.captions > e.dataset.captions:
        raise InputError(
            f"{file_of('losses', 'captions')}: 'losses.captions' is "
            f"{e.losses.captions}, but 'dataset.captions' keeps {e.dataset.captions} of each image."
        )
    if e.tuning and e.queries.tuning == 0:
        raise InputError(
            f"{file_of('queries', 'tuning')}: 'tuning' compares methods on tuning "
            "queries, but 'queries.tuning' is 0."
        )
    if e.dataset.source == "archives" and not e.dataset.archives:
        raise InputError(
            f"{file_of('dataset', 'archives')}: 'dataset.archives' names no archive to "
            "fetch; for files that are there already, set 'dataset.source' to 'folder'."
        )
    _check_removal(e, file_of)
    _check_methods(e, file_of)


def _check_kind(e: Experiment, file_of: FileOf) -> None:
    """Which sections an experiment needs: leave-K-out ones retrain, customized ones retrieve."""
    if e.customized is None:
        for key in ("training", "counterfactual", "evaluation"):
            if getattr(e, key) is None:
                raise InputError(f"{file_of(key)}: the key '{key}' is missing.")
        if e.dataset.prompt_annotations is None:
            raise InputError(
                f"{file_of('dataset')}: the key 'dataset.prompt_annotations' is missing."
            )
        for name, variant in e.unlearning.items():
            if variant.without_token:
                raise InputError(
                    f"{file_of('unlearning', name)}: 'unlearning.{name}.without_token' is for "
                    "customized models, whose prompts have a token of their own."
                )
        return
    for key in ("counterfactual", "oracle", "forgetting"):
        if getattr(e, key) is not None:
            raise InputError(
                f"{file_of(key)}: '{key}' trains leave-K-out models, which an experiment with "
                f"'customized' has none of; set '{key}' to null."
            )
    names = [*e.customized.objects, *e.customized.styles]
    if not names or len(set(names)) != len(names) or "source" in names:
        raise InputError(
            f"{file_of('customized')}: 'customized' needs at least one model under 'objects' or "
            "'styles', each with a name of its own, which is not 'source'."
        )
    if e.training is None and e.published.source_model is None:
        raise InputError(
            f"{file_of('published')}: the base model is missing; name it under "
            "'published.source_model', or say under 'training' how it is trained."
        )
    if e.published.latents or e.published.text:
        raise InputError(
            f"{file_of('published')}: 'published.latents' and 'published.text' hold no exemplars, "
            "so an experiment with 'customized' encodes its own; set them to null."
        )


def _check_removal(e: Experiment, file_of: FileOf) -> None:
    """Values of K, random sets and seeds that leave something to train and to compare."""
    n = e.dataset.images
    ks = {
        "tuning.k": e.tuning.k if e.tuning else [],
        "forgetting.k": e.forgetting.k if e.forgetting else [],
    }
    if e.counterfactual:
        ks["counterfactual.k"] = e.counterfactual.k
        ks["counterfactual.random.k"] = e.counterfactual.random.sizes()
    for key, values in ks.items():
        for k in values:
            if k >= n:
                raise InputError(
                    f"{file_of(*key.split('.'))}: K = {k:,} leaves nothing of the {n:,} "
                    f"training images of experiment '{e.experiment}' ({key})."
                )
    if e.counterfactual is None or e.training is None:
        return
    sets, halves = e.counterfactual.random.sets, e.counterfactual.random.half_size_sets
    if halves == 1 or (halves and abs(halves - sets) == 1):
        raise InputError(
            f"{file_of('counterfactual', 'random', 'half_size_sets')}: "
            f"'counterfactual.random.half_size_sets' is {halves} beside {sets} sets, which leaves "
            "one model alone, whose noise cannot be seen; choose 0, as many as 'sets', or at least "
            "two more or fewer."
        )
    if e.training.seed in e.counterfactual.retrain_seeds:
        raise InputError(
            f"{file_of('counterfactual', 'retrain_seeds')}: "
            f"'counterfactual.retrain_seeds' holds {e.training.seed}, the source model's own seed "
            "('training.seed'): that retraining gives the source model again, not the noise floor."
        )


def _check_methods(e: Experiment, file_of: FileOf) -> None:
    """Refuses two methods of one name, and methods that refer to what is not there."""

    def refuse(*key: str, reason: str) -> None:
        raise InputError(f"{file_of(*key)}: '{'.'.join(key)}' {reason}.")

    sections: dict[str, Mapping[str, Any]] = {
        "unlearning": e.unlearning,
        "embeddings": e.embeddings,
        "influence": e.influence,
        "external": e.external,
    }
    seen: dict[str, str] = {}
    for section, entries in sections.items():
        for name in entries:
            if name in RESERVED:
                refuse(section, name, reason="has a name that is taken; choose another")
            if name in seen:
                refuse(section, name, reason=f"has a name that stands under '{seen[name]}', too")
            seen[name] = section
    models = [f"{model}-" for model in e.customized.kinds()] if e.customized else [""]
    numbers = [f"q{i:03d}" for i in range(e.queries.test)]
    numbers += [f"t{i:03d}" for i in range(e.queries.tuning)]
    queries = {model + number for model in models for number in numbers}
    used = {*e.methods, *(e.tuning.methods if e.tuning else [])}
    for name, variant in e.unlearning.items():
        if variant.curvature == "ekfac" and variant.weights != "cross_attention_kv":
            refuse("unlearning", name, "weights", reason="has to be 'cross_attention_kv' for "
                   "'ekfac', which is for linear layers without bias")  # fmt: skip
        for query, (left, top, right, bottom) in variant.boxes.items():
            if query not in queries and name in used:
                refuse("unlearning", name, "boxes", query, reason="is no query")
            if left >= right or top >= bottom:
                refuse("unlearning", name, "boxes", query, reason="has no inside; a box is [left, "
                       "top, right, bottom]")  # fmt: skip
    for method in e.forgetting.methods if e.forgetting else []:
        if method not in e.unlearning:
            refuse("forgetting", "methods", reason=f"names '{method}', no entry of 'unlearning'")
    encoders = {"clip", "dino"}
    if e.encoders.source == "fetch":
        encoders = {"clip", *e.encoders.more}
        for name in {"vae", "text_encoder", "tokenizer", "clip"} & set(e.encoders.more):
            refuse("encoders", "more", name, reason="has the name of another encoder")
    for name, embedding in e.embeddings.items():
        if embedding.encoder not in encoders:
            known = ", ".join(sorted(encoders))
            refuse("embeddings", name, "encoder", reason=f"is none of the encoders ({known})")
        if embedding.features == "text" and embedding.encoder != "clip":
            refuse("embeddings", name, "features", reason="can be 'text' for the encoder clip only")
    for name, influence in e.influence.items():
        gradients = e.gradients.get(influence.gradients)
        if gradients is None:
            refuse("influence", name, "gradients", reason="is no entry of 'gradients'")
        elif influence.solver == "datainf" and gradients.layout != "by_layer":
            refuse("influence", name, "solver", reason="needs gradients with the layout 'by_layer'")
        if influence.solver == "datainf" and influence.damping == 0:
            refuse("influence", name, "damping", reason="has to be above 0 for 'datainf'")
        last = e.model.noise_schedule.timesteps - 1
        if influence.query_timestep is not None and influence.query_timestep > last:
            refuse("influence", name, "query_timestep", reason=f"is beyond the last one, {last}")
        if e.customized and influence.source_seeds != [0]:
            refuse("influence", name, "source_seeds", reason="has to be [0]: a customized model "
                   "has no ensemble")  # fmt: skip
