# The experiment's configuration, and the names that every stage shares.

import json
import math
import signal

from leavekout.cost import Costs
from leavekout.errors import InputError
from leavekout.experiment import offer_package, require_unchanged, resolve

# A cluster's warning before the time limit is for the training, which saves its state; Snakemake, on
# the node around it, would die of it.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)


report: "../report/workflow.rst"


try:
    EXPERIMENT = resolve(config, [Path(file) for file in workflow.configfiles])
    require_unchanged(EXPERIMENT)
    COSTS = Costs(EXPERIMENT)
except InputError as error:
    raise WorkflowError(str(error)) from None
offer_package()
config.update(EXPERIMENT.model_dump(mode="json"))


pathvars:
    results=f"results/{config['experiment']}",
    logs=f"results/{config['experiment']}/logs",
    benchmarks=f"results/{config['experiment']}/benchmarks",


# Used with `--software-deployment-method conda`; otherwise jobs run where Snakemake runs.
CONDA = str(Path(workflow.basedir) / "environment.yml")
# Where trainings take minutes, jobs share cluster jobs, and those without a GPU run locally.
SMALL = COSTS.training().short
HARDWARE = config["hardware"]
COUNTERFACTUAL = config["counterfactual"]
TEST_QUERIES = [f"q{i:03d}" for i in range(config["queries"]["test"])]
TUNING_QUERIES = [f"t{i:03d}" for i in range(config["queries"]["tuning"])]
QUERIES = TEST_QUERIES + TUNING_QUERIES
METHODS = config["methods"]
# Each entry of these sections is a method that needs no rule of its own.
METHOD_SECTIONS = ("unlearning", "embeddings", "influence", "external")
FORGETTING = config["forgetting"] or {"methods": [], "k": [], "related": 0, "seed": 0}
TUNING = config["tuning"] or {"methods": [], "k": []}

# The cases of the controls: random sets, and trainings of other seeds that remove nothing.
RANDOM_SETS = [f"s{i}" for i in range(COUNTERFACTUAL["random"]["sets"])]
RANDOM_KS = sorted({*COUNTERFACTUAL["k"], *EXPERIMENT.counterfactual.random.sizes()})
RETRAIN_SEEDS = [f"seed{seed}" for seed in COUNTERFACTUAL["retrain_seeds"]]

# Big static files are ancient(): a touched 93 GB file must not restart a study. Beside each stands a
# small file with its checksum, an ordinary input, through which a new content does restart what
# depends on it. (ancient() alone would not: Snakemake then plans nothing downstream.)
PIXELS = {
    "pixels": ancient("<results>/data/pixels.npy"),
    "images": ancient("<results>/data/images.parquet"),
    "pixels_checksum": "<results>/data/pixels.json",
}
ENCODED = {
    "images": ancient("<results>/data/images.parquet"),
    "latents": ancient("<results>/data/latents.npy"),
    "text": ancient("<results>/data/text.npy"),
    "null_text": "<results>/data/null_text.npy",
    "latents_checksum": "<results>/data/latents.json",
    "text_checksum": "<results>/data/text.json",
}


# With `resources: [batch_slot=1]`, as in slurm/config.yaml, the jobs of a batch run one by one.
resource_scopes:
    batch_slot="local",


wildcard_constraints:
    method="[a-z][a-z0-9_-]*",
    query=r"[qt]\d\d\d+",
    case=r"(s|seed|g)\d+",
    number=r"\d+",
    seed=r"\d+",
    k=r"\d+",
    weights="[a-z_]+",
    objective="loss|squared_output",


def evaluations(methods, queries, ks):
    """The evaluations of leave-K-out models that belong to one method and one query."""
    return collect(
        "<results>/evaluation/{method}/{query}/k{k}.json",
        method=methods,
        query=queries,
        k=ks,
    )


def ask(cost, *, gpu=True):
    """What a job asks for: resources of a rule whose jobs cost `cost`, or cost(wildcards)."""
    of = cost if callable(cost) else lambda wildcards: cost
    on_gpu = int(gpu and HARDWARE["gpus"] > 0)
    defaults = workflow.resource_settings.default_resources or {}
    if not on_gpu:
        device = {"gpu": 0, "gres": "", "gpu_model": ""}  # whatever the profile's defaults are
    elif "gpu" in str(defaults["gres"].raw if "gres" in defaults else ""):
        device = {"gpu": 0}  # a cluster that knows GPUs as gres alone
    else:
        device = {"gpu": 1}
    longest = HARDWARE["longest_minutes"] or math.inf
    return {
        **device,
        "on_gpu": on_gpu,
        "mem_mb": lambda wildcards, attempt: round(attempt * of(wildcards).memory_mb),
        "runtime": lambda wildcards, attempt: min(longest, of(wildcards).minutes(attempt)),
        "disk_mb": lambda wildcards: math.ceil(of(wildcards).disk_mb),
        "expected_seconds": lambda wildcards: round(of(wildcards).seconds),
        "batch_slot": 1,
    }


def batched(stage):
    """The group of a stage's jobs, some of which share one cluster job in a small study."""
    return stage if SMALL else None


def one_of(names):
    """A wildcard constraint to these names; where there are none, nothing matches."""
    return "|".join(names) or "(?!)"


def related_of(query):
    """The names of the related prompts of a query."""
    return [f"{query}-r{i:02d}" for i in range(FORGETTING["related"])]


def source_model(seed):
    """The weights of a source model: θ0, or one of an ensemble's, trained with another seed.

    The latter are the models that nothing was removed from; see `retrain_without_removal`.
    """
    if int(seed) == config["training"]["seed"]:
        return "<results>/source/model.safetensors"
    return f"<results>/retrained/no_removal/seed{seed}/k0/model.safetensors"


def external_scores(wildcards):
    """The score file of a method that was computed elsewhere."""
    table = Path(config["external"][wildcards.method]) / f"{wildcards.query}.parquet"
    return str(table if table.exists() else table.with_suffix(".npy"))


def weights_file(path):
    """Leave-K-out weights are large: kept only where the configuration says so."""
    return path if COUNTERFACTUAL["keep_models"] else temp(path)


def require_known_methods():
    """Stops with one sentence if a method is named that nothing makes."""
    named = [name for section in METHOD_SECTIONS for name in config[section]]
    for method in [*METHODS, *TUNING["methods"]]:
        path = f"results/{config['experiment']}/attribution/{method}/q000.npy"
        if not any(producer.is_producer(path) for producer in workflow.rules):
            raise WorkflowError(
                f"methods: nothing in workflow/rules/attribution/ writes the scores of '{method}'; "
                f"methods of this configuration: {', '.join(named)}."
            )
