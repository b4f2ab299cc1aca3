# Which models a study retrains, what each of them is, and where its outcome is.

from leavekout import removal
from leavekout.measures import registry

COUNTERFACTUAL = config["counterfactual"]
STUDY = removal.Study(EXPERIMENT, TEST_QUERIES, TUNING_QUERIES)
MODELS = removal.models_of(STUDY)
TUNING_MODELS = removal.tuning_models(STUDY)
# Every model that may be trained, by the path of its files; what it is says its `Removal`.
# Methods that need scores, beside `methods` and `tuning.methods`.
FURTHER_METHODS = dict.fromkeys(one.method for one in MODELS if "scores" in one.files)
REMOVALS = {r.path: r for r in [*MODELS, *TUNING_MODELS, *removal.ensemble_models(STUDY)]}
MEASURES = or_say_why(registry.chosen, config["measures"], EXPERIMENT.encoders.names())


def removal_of(wildcards):
    """What the model behind a path lacks, and on which queries it is evaluated."""
    if wildcards.removal not in REMOVALS:
        raise WorkflowError(
            f"retrained/{wildcards.removal} is no model of this study; methods and values of K are "
            "set in the configuration ('methods', 'counterfactual')."
        )
    return REMOVALS[wildcards.removal]


def files_of_removal(wildcards):
    """The files that name the rows to leave out, by name."""
    files = removal_of(wildcards).files
    return {name: [f"<results>/{path}" for path in paths] for name, paths in files.items()}


def related_files(wildcards):
    """The related prompts' files, if the model is evaluated on any."""
    return RELATED_FILES if removal_of(wildcards).related else {}


RELATED_FILES = {
    "related_table": "<results>/related/queries.parquet",
    "related_latents": "<results>/related/latents.npy",
    "related_text": "<results>/related/text.npy",
}


def retraining_batch(wildcards):
    """Controls are batched apart from methods, since the oracle's scores depend on controls."""
    return batched("methods" if "scores" in removal_of(wildcards).files else "controls")


def retraining_cost(wildcards):
    """Of training and evaluating one model."""
    one = removal_of(wildcards)
    return EXPECTED.retraining(one.k, len(one.roles))


def unlearned(method, query):
    """What the unlearned model of the forgetting check is, and on which queries it is evaluated."""
    one = removal.Removal("unlearned", method, 0, STUDY.seed, targets=(query,))
    return removal.looked_at_elsewhere(one, STUDY)


def outcomes_of(models):
    """The outcomes of models that were retrained or unlearned."""
    return [
        (
            f"<results>/unlearned/{one.method}/{one.targets[0]}.safetensors"
            if one.policy == "unlearned"
            else f"<results>/retrained/{one.path}/outcome.safetensors"
        )
        for one in models
    ]


def by_arm(models):
    """The models of each arm: a method, a control, or all unions."""
    arms = {}
    for one in models:
        arms.setdefault(one.arm, []).append(one)
    return arms


def arm_of(wildcards):
    """The models of an arm that are measured for a purpose."""
    return ARMS[wildcards.purpose].get(wildcards.arm, [])


def measuring_cost(wildcards):
    """Of measuring all pictures of an arm."""
    pictures = sum(len(one.roles) for one in arm_of(wildcards))
    encoders = {measure.encoder for measure in MEASURES if measure.encoder}
    return EXPECTED.measuring(pictures, len(encoders))


def measurements(purpose, table):
    """The measurements of those arms of a purpose that are reported in one table."""
    return collect(
        "<results>/measurements/{purpose}/{arm}.parquet",
        purpose=purpose,
        arm=[arm for arm, models in ARMS[purpose].items() if models[0].table == table],
    )


def tuning_measurements(wildcards):
    """The measurements by which settings are chosen."""
    if not TUNING["methods"]:
        raise WorkflowError("There is no section 'tuning', which names what is compared.")
    return measurements("tuning", "measurements")


def likeness(queries):
    """What says which of these queries resemble each other."""
    if not queries:
        return {}
    return {
        "pictures": collect("<results>/queries/images/{query}.png", query=queries),
        "encoder": "<results>/encoders/clip",
        "features": "<results>/features/clip/image.npy",
    }


FORGETTING = config["forgetting"] or {"methods": [], "k": [], "related": 0, "seed": 0}
RELATED = {
    query: removal.related_names(query, FORGETTING["related"])
    for query in (TEST_QUERIES if config["forgetting"] else [])
}
RELATED_NAMES = [name for names in RELATED.values() for name in names]
# For each purpose the models of every arm, and the queries that are measured.
ARMS = {
    "test": by_arm(MODELS),
    "tuning": by_arm(TUNING_MODELS),
    "forgetting": {
        method: [
            *(unlearned(method, query) for query in TEST_QUERIES),
            *(one for one in MODELS if one.related and one.method == method),
        ]
        for method in FORGETTING["methods"]
    },
}
MEASURED_QUERIES = {
    "test": TEST_QUERIES,
    "tuning": TUNING_QUERIES,
    "forgetting": TEST_QUERIES + RELATED_NAMES,
}
