# The first kind of experiment: images that methods name are left out, and models trained again.
# What shared rules ask of a kind comes first, and then the names that the rules beside use.

from functools import partial

from leavekout.leave_k_out import removals
from leavekout.leave_k_out.bundle.joining import bundle_of, joined_methods
from leavekout.leave_k_out.measures import registry as measure_registry

SCORED = ENCODED
TRAINED_ON = DATASET["images"]
# One job scores all queries, averaged over an ensemble of source models.
QUERIES_OF_A_JOB = QUERIES
NAME_OF_A_JOB = "{method}"


wildcard_constraints:
    model=r"source|seed\d+",
    query=r"[qt]\d\d\d+",


def model_of(query):
    """The name of the model that generated a query."""
    return "source"


def weights_of(model):
    """The files of the weights of a model that generates or explains queries.

    That is the source model θ0, or one of an ensemble's, trained with another seed (`seed3`).
    """
    if model in ("source", f"seed{config['training']['seed']}"):
        return ["<results>/source/model.safetensors"]
    return [f"<results>/retrained/no_removal/{model}/k0/weights.safetensors"]


def explaining_models(wildcards):
    """The models whose gradients explain the queries of a job: an ensemble of source models."""
    return [f"seed{seed}" for seed in registry.source_seeds(EXPERIMENT, wildcards.method)]


def losses_of(model):
    """The losses of all images under a model; the source model's are under its own name."""
    source = f"seed{config['training']['seed']}"
    return f"<results>/losses/{'source' if model == source else model}/loss.npy"


def trained_rows_of(wildcards):
    """Which images the models of a job were trained on: here all."""
    return []


def projection_seed(model):
    """The seed of a model's random projection: one for each model of an ensemble."""
    seeds = registry.source_seeds(EXPERIMENT)
    return {f"seed{seed}": seed for seed in seeds}.get(model, 0)


def methods_needed():
    """The methods that have to have scores."""
    further = [one.method for one in MODELS if "scores" in one.inputs]
    return list(dict.fromkeys([*METHODS, *TUNING["methods"], *further]))


# The published study that this one joins, read before any rule file that a configuration names.
BUNDLE = (
    or_say_why(partial(bundle_of, training_loop=TRAINING_LOOP), EXPERIMENT)
    if config["joins"]
    else None
)
METHODS_OF_BUNDLE = list(BUNDLE.about.methods) if BUNDLE else []
# Whether that is another's, from which this one may have drifted, and not an earlier part of this.
JOINS_ANOTHER = bool(BUNDLE) and not config["joins"]["continues"]
JOINED = joined_methods(EXPERIMENT, BUNDLE) if BUNDLE else []
# What made the parts of this study that come from its own bundle.
MADE_EARLIER = BUNDLE.about.versions if BUNDLE and not JOINS_ANOTHER else []
COUNTERFACTUAL = config["counterfactual"]
MEASURES = or_say_why(measure_registry.chosen, config["measures"], EXPERIMENT.encoders.names())
MODELS = removals.study_models(EXPERIMENT)
TUNING_MODELS = removals.tuning_models(EXPERIMENT)
ENSEMBLE = removals.ensemble_models(EXPERIMENT, registry.source_seeds(EXPERIMENT))
# Every model that may be trained, by its outcome's file.
REMOVALS = {one.outcome: one for one in [*MODELS, *TUNING_MODELS, *ENSEMBLE]}
FORGETTING = config["forgetting"] or {"methods": [], "k": [], "related": 0, "seed": 0}
RELATED = {
    query: removals.related_names(query, FORGETTING["related"])
    for query in (POOL if config["forgetting"] else [])
}
RELATED_FILES = {
    "related_table": "<results>/related/queries.parquet",
    "related_latents": "<results>/related/latents.npy",
    "related_text": "<results>/related/text.npy",
}


def by_arm(models):
    """The models of each arm: a method, a control, or all unions."""
    arms = {}
    for one in models:
        arms.setdefault(one.arm, []).append(one)
    return arms


# For each purpose the models of every arm.
ARMS = {
    "test": by_arm(MODELS),
    "tuning": by_arm(TUNING_MODELS),
    "forgetting": {
        method: [
            *(removals.unlearned(EXPERIMENT, method, query) for query in TEST_QUERIES),
            *(one for one in MODELS if one.related and one.method == method),
        ]
        for method in FORGETTING["methods"]
    },
}


def outcomes_of(models):
    """The files of the models' outcomes."""
    return [f"<results>/{one.outcome}" for one in models]


def dataset_checksum(root, annotations):
    """The file whose content stands for the raw data: beside them if they are made here.

    Nothing is written into a user's folder. But a file that an older version wrote there is taken
    while it is up to date, so that studies of that version stay finished.
    """
    beside, own = f"{root}/dataset.json", "<results>/data/dataset.json"
    if DATASET["source"] != "folder":
        return beside
    try:
        newest = max(map(os.path.getmtime, annotations))
        return beside if os.path.getmtime(beside) >= newest else own
    except OSError:
        return own


def measurements(purpose, table):
    """The measurements of those arms of a purpose that are reported in one table."""
    return collect(
        "<results>/measurements/{purpose}/{arm}.parquet",
        purpose=purpose,
        arm=[arm for arm, models in ARMS[purpose].items() if models[0].table == table],
    )


# Methods whose scores are computed here. What the oracle costs is what the benchmark costs.
COSTED = [m for m in METHODS if registry.scored_here(EXPERIMENT, m) and m != "oracle"]


def made_afterwards():
    """The rules that come after everything is scored, trained and measured."""
    files = ("statistics.smk", "report.smk")
    rules = [rule.name for rule in workflow.rules if Path(rule.snakefile).name in files]
    others = (
        "tabulate_forgetting",
        "tabulate_drift",
        "preview",
        "write_bundle",
        "write_contribution",
    )
    return [*sorted(rule for rule in rules if rule != "record_cost"), *others]


def removal_of(wildcards):
    """What the model behind a path lacks, and on which queries it is evaluated."""
    return REMOVALS[f"retrained/{wildcards.removal}/outcome.safetensors"]


# A target that is no model is refused here, since Snakemake would print a traceback of removal_of.
for target in sys.argv[1:]:
    model = re.fullmatch(rf"results/{config['experiment']}/(retrained/.*)/[^/]*", target)
    if model and f"{model[1]}/outcome.safetensors" not in REMOVALS:
        raise WorkflowError(
            f"{model[1]} is no model of this study; methods and values of K are set in the "
            "configuration ('methods', 'counterfactual')."
        )


def files_of_removal(wildcards):
    """The files that name the rows to leave out, and those of related prompts to evaluate on."""
    removal = removal_of(wildcards)
    files = {
        name: [f"<results>/{path}" for path in paths] for name, paths in removal.inputs.items()
    }
    return {**files, **(RELATED_FILES if removal.related else {})}


def retraining_batch(wildcards):
    """Controls are batched apart from methods, since the oracle's scores depend on controls."""
    return batched("methods" if "scores" in removal_of(wildcards).inputs else "controls")


def retraining_cost(wildcards):
    """Of training and evaluating one model."""
    removal = removal_of(wildcards)
    return EXPECTED.retraining(removal.k, len(removal.roles))


def arm_of(wildcards):
    """The models of an arm that are measured for a purpose."""
    return ARMS[wildcards.purpose].get(wildcards.arm, [])


def measuring_cost(wildcards):
    """Of measuring all pictures of an arm."""
    pictures = sum(len(one.roles) for one in arm_of(wildcards))
    encoders = {measure.encoder for measure in MEASURES if measure.encoder}
    return EXPECTED.measuring(pictures, len(encoders))


def queries_for(wildcards):
    """The queries that a table is about."""
    return TUNING_QUERIES if wildcards.tuning else TEST_QUERIES


def measured_for(wildcards):
    """The measurements that methods, or settings, are compared by."""
    if wildcards.tuning and not TUNING["methods"]:
        raise WorkflowError("There is no section 'tuning', which names what is compared.")
    return measurements("tuning" if wildcards.tuning else "test", "measurements")
