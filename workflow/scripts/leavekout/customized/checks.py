"""Refuses experiments on customized models without what they need, in one sentence."""

from leavekout.base.errors import InputError
from leavekout.config.checks import FileOf
from leavekout.customized.config import CustomizedExperiment
from leavekout.methods import registry


def check(e: CustomizedExperiment, file_of: FileOf) -> None:
    """Refuses values that are valid alone and wrong together; raises InputError."""
    names = [*e.customized.objects, *e.customized.styles]
    if not names or len(set(names)) != len(names) or "source" in names:
        raise InputError(
            f"{file_of('customized')}: 'customized' needs at least one model under 'objects' or "
            "'styles', each with a name of its own, which is not 'source'."
        )
    if (e.dataset.source == "published") != bool(e.customized.published):
        raise InputError(
            f"{file_of('dataset', 'source')}: 'dataset.source: published' and the section "
            "'customized.published' need each other; add the missing one or remove the other."
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
    if e.published.queries:
        raise InputError(
            f"{file_of('published', 'queries')}: 'published.queries' is not for experiments with "
            "'customized', whose models have queries of their own; set it to null."
        )
    for name in registry.scored_methods(e):
        family = registry.family_of(e, name)
        if family is None:
            continue
        if family.for_one_model:
            raise InputError(
                f"{file_of('methods')}: '{name}' is a method for one source model, and customized "
                "models are many."
            )
        if {*family.source_seeds(e, name)} - {0}:
            raise InputError(
                f"{file_of(family.section, name)}: '{family.section}.{name}.source_seeds' has to "
                "be [0]: a customized model has no ensemble."
            )
