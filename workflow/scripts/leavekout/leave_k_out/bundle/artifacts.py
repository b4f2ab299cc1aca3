"""What of a study goes into its bundle: what cannot be made again cheaply."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from leavekout.contract.removal import Removal
from leavekout.methods import registry

# Where models are reported that others compare with; groups and replicas are not.
_TABLES = ("measurements", "removals", "seeds")
MEASUREMENTS = "measurements"
# Folders of a study's results: what its models and scores start from, and what methods gave.
SHARED = ("source", "queries", "encoders")
OF_METHODS = ("attribution", "repeatability", "costs", MEASUREMENTS, "retrained")


def bundled(
    *,
    queries: Sequence[str],
    test: Sequence[str],
    encoders: Sequence[str],
    methods: Sequence[str],
    drawing: Collection[str],
    costed: Collection[str],
    arms: Mapping[str, Sequence[Removal]],
) -> dict[str, list[str]]:
    """The artifacts of a bundle by archive, below the study's results.

    An archive for each method and control, so that a method more leaves the others' as they are.

    Args:
        queries: all of them; test: those of which scores and models are.
        encoders: those that the study trained; others are fetched again.
        drawing: of the methods, those that say how well their scores repeat.
        costed: of the methods, those whose cost is known.
        arms: the models of each arm.
    """
    of_queries = [
        "queries.parquet",
        "latents.npy",
        "text.npy",
        *(f"images/{q}.png" for q in queries),
    ]
    archives = {
        "source.zip": ["source/model.safetensors", "source/outcome.safetensors"],
        "queries.zip": [f"queries/{name}" for name in of_queries],
        "encoders.zip": [f"encoders/{name}" for name in encoders],
    }
    for method in methods:
        kinds = ["attribution", *(["repeatability"] if method in drawing else [])]
        archives[f"scores/{method}.zip"] = [
            *(f"{kind}/{method}/{query}.npy" for kind in kinds for query in test),
            *([f"costs/{method}.json"] if method in costed else []),
        ]
    for arm, models in arms.items():
        if models[0].table in _TABLES:
            archives[f"models/{arm}.zip"] = [
                f"{MEASUREMENTS}/test/{arm}.parquet",
                *(one.outcome for one in models),
            ]
    return {archive: paths for archive, paths in archives.items() if paths}


def own_configuration(said: Mapping[str, Any]) -> dict[str, Any]:
    """A study's configuration without what names files, folders or servers of whoever ran it.

    Of methods by scores from elsewhere, the scores are in the bundle.

    Args:
        said: what the configuration's files say, merged.
    """
    own = {"hardware": "stage_to", "encoders": "endpoint"}
    return {
        key: (
            {k: v for k, v in value.items() if k != own.get(key)}
            if isinstance(value, Mapping)
            else value
        )
        for key, value in said.items()
        if key not in ("extra_rules", "joins", *registry.sections_of_files())
    }
