"""Refuses experiments on customized models that lack what they need, in one sentence."""

from leavekout.config.checks import FileOf
from leavekout.customized.config import CustomizedExperiment
from leavekout.errors import InputError


def check(e: CustomizedExperiment, file_of: FileOf) -> None:
    """Refuses values that are fine alone and wrong together; raises InputError."""
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
    of_one_model = {*e.ekfac_influence, *e.distilled}
    for name in [*e.methods, *(e.tuning.methods if e.tuning else [])]:
        if name in of_one_model:
            raise InputError(
                f"{file_of('methods')}: '{name}' is a method for one source model, and customized "
                "models are many."
            )
    for name, influence in e.influence.items():
        if influence.source_seeds != [0]:
            raise InputError(
                f"{file_of('influence', name, 'source_seeds')}: 'influence.{name}.source_seeds' "
                "has to be [0]: a customized model has no ensemble."
            )
