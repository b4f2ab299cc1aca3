"""Removal: which rows a retrained model goes without, for which queries, and under which seed.

A policy is a class in a file of its own, and a line in `policies.py`. It says which models a study
trains under it (`models`), which files name the rows (`files`), and the rows themselves (`rows`).
What a model stands for is a `Removal`; it travels with the model's outcome as data, and its `path`
is only a place to put files.

The Snakefile imports this package, so torch is imported only where rows are drawn.
"""

from leavekout.removal.models import (
    ensemble_models,
    models_of,
    pictured,
    rows_to_remove,
    tuning_models,
)
from leavekout.removal.policies import POLICIES
from leavekout.removal.random_sets import random_removal, random_set
from leavekout.removal.related import looked_at_elsewhere, related_names
from leavekout.removal.removal import (
    CONTROLS,
    GROUP,
    NO_REMOVAL,
    OTHER,
    RANDOM,
    RELATED,
    REPLICA,
    TARGET,
    Policy,
    Removal,
    Study,
)

__all__ = [
    "CONTROLS",
    "GROUP",
    "NO_REMOVAL",
    "OTHER",
    "POLICIES",
    "RANDOM",
    "RELATED",
    "REPLICA",
    "TARGET",
    "Policy",
    "Removal",
    "Study",
    "ensemble_models",
    "looked_at_elsewhere",
    "models_of",
    "pictured",
    "random_removal",
    "random_set",
    "related_names",
    "rows_to_remove",
    "tuning_models",
]
