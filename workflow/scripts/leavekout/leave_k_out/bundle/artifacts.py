"""The artifacts of a study that go into its bundle: those that are expensive to make."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from leavekout.contract.removal import Removal
from leavekout.methods import registry

# Tables whose models go into a bundle; models of groups and replicas do not.
_TABLES = ("measurements", "removals", "seeds")
MEASUREMENTS = "measurements"
# Folders of a study's results: what its models and scores start from, and results of methods.
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
    """The artifacts of a bundle by archive, as paths below the study's results.

    Each method and control has its own archives, so another method leaves the others unchanged.

    Args:
        queries: all of them; test: those with scores and models.
        encoders: those that the study trained; others are fetched again.
        drawing: methods whose repeatability is known; costed: methods whose cost is known.
        arms: the models of each arm.
    """
    arrays = ("queries.parquet", "latents.npy", "text.npy")
    archives = {
        "source.zip": ["source/model.safetensors", "source/outcome.safetensors"],
        "queries.zip": [
            f"queries/{name}" for name in (*arrays, *(f"images/{q}.png" for q in queries))
        ],
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
                *(model.outcome for model in models),
            ]
    return {archive: paths for archive, paths in archives.items() if paths}


def own_configuration(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A study's configuration without keys that name files, folders or servers of its author.

    Scores that were read from files are in the bundle.

    Args:
        configuration: the merged content of the study's files.
    """
    plain = dict(configuration)
    for key in ("extra_rules", "joins", *registry.sections_of_files()):
        plain.pop(key, None)
    for section, own in (("hardware", "stage_to"), ("encoders", "endpoint")):
        if isinstance(plain.get(section), Mapping):
            plain[section] = {k: v for k, v in plain[section].items() if k != own}
    return plain
