"""Which models a study retrains, and the rows that each goes without."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from leavekout.removal.nothing import Nothing
from leavekout.removal.policies import POLICIES
from leavekout.removal.random_sets import random_removal
from leavekout.removal.removal import Removal, Study
from leavekout.removal.together import Together


def models_of(study: Study) -> list[Removal]:
    """Every model that a study retrains, those of its tuning left out."""
    return [removal for policy in POLICIES.values() for removal in policy.models(study)]


def pictured(study: Study) -> list[Removal]:
    """The models whose pictures galleries show."""
    return [one for one in models_of(study) if POLICIES[one.policy].is_pictured(one, study)]


def tuning_models(study: Study) -> list[Removal]:
    """The models by which methods are compared on tuning queries, with their controls."""
    e = study.experiment
    if e.tuning is None:
        return []
    nothing = POLICIES["nothing"].models(study)
    if e.tuning.together:
        return [*Together().tuning_models(study), *nothing]
    return [
        *(
            Removal("top", method, k, study.seed, targets=(query,))
            for method in e.tuning.methods
            for query in study.tuning
            for k in e.tuning.k
        ),
        *(
            random_removal(study, number, k)
            for number in range(e.counterfactual.random.sets)
            for k in e.tuning.k
        ),
        *nothing,
    ]


def ensemble_models(study: Study) -> list[Removal]:
    """The further source models that influence methods average over."""
    seeds = {s for method in study.experiment.influence.values() for s in method.source_seeds}
    return [Nothing().model(study, seed) for seed in sorted(seeds - {study.seed})]


def rows_to_remove(removal: Removal, files: Mapping[str, list[Path]], *, images: int) -> np.ndarray:
    """The rows that a model goes without: int64, each once."""
    return POLICIES[removal.policy].rows(removal, files, images)
