# The experiment's configuration, and the names that every stage shares.

import hashlib
import json
import math
import signal

from leavekout.planning.costs import Costs
from leavekout.errors import InputError
from leavekout.config.reading import offer_package, require_unchanged, resolve

# A cluster's warning before the time limit is for the training, which saves its state; Snakemake, on
# the node around it, would die of it.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)


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
SMALL = COSTS.small()
HARDWARE = config["hardware"]
# Customized models, if the experiment is theirs: each has queries of its own.
CUSTOMIZED = config["customized"]
MODELS = list(EXPERIMENT.customized.kinds()) if CUSTOMIZED else []
TEST_NUMBERS = [f"q{i:03d}" for i in range(config["queries"]["test"])]
TUNING_NUMBERS = [f"t{i:03d}" for i in range(config["queries"]["tuning"])]
TEST_QUERIES = [f"{model}-{n}" for model in MODELS for n in TEST_NUMBERS] or TEST_NUMBERS
TUNING_QUERIES = [f"{model}-{n}" for model in MODELS for n in TUNING_NUMBERS] or TUNING_NUMBERS
QUERIES = TEST_QUERIES + TUNING_QUERIES
METHODS = config["methods"]
# Each entry of these sections is a method that needs no rule of its own.
METHOD_SECTIONS = ("unlearning", "embeddings", "influence", "external")
TUNING = config["tuning"] or {"methods": [], "k": []}
# Customized models' files may be given in folders, which need not be there when a study is planned.
GIVEN = bool(MODELS) and config["dataset"]["source"] == "folder"
BEGUN = Path(f"results/{config['experiment']}/data/images.parquet").exists()

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
# What methods score: the training set; of customized models pool and exemplars, whose captions hold
# the models' tokens.
SCORED = ENCODED
if MODELS:
    SCORED = {
        **ENCODED,
        "text": ancient("<results>/customized/text.npy"),
        "null_text": "<results>/customized/null_text.npy",
        "text_checksum": "<results>/customized/text.json",
    }


# With `resources: [batch_slot=1]`, as in slurm/config.yaml, the jobs of a batch run one by one.
resource_scopes:
    batch_slot="local",


def one_of(names):
    """A wildcard constraint to these names; where there are none, nothing matches."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    method="[a-z][a-z0-9_-]*",
    model=one_of(MODELS) if MODELS else r"source|seed\d+",
    query=f"({one_of(MODELS)})-[qt]\\d\\d\\d+" if MODELS else r"[qt]\d\d\d+",
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


def weights_of(model):
    """The weights of a model that generates or explains queries.

    That is the source model θ0; one of an ensemble's, trained with another seed (`seed3`, a model
    that nothing was removed from; see `retrain_without_removal`); or θ0 and what a customized model
    has in place of some of its weights.
    """
    source = "<results>/source/model.safetensors"
    if model in MODELS:
        return [source, f"<results>/models/{model}/weights.safetensors"]
    if model in ("source", f"seed{(config['training'] or {}).get('seed')}"):
        return source
    return f"<results>/retrained/no_removal/{model}/k0/model.safetensors"


def model_of(query):
    """The name of the model that generated a query."""
    return query.rsplit("-", 1)[0] if MODELS else "source"


def present(file):
    """The file; nothing, if it is of given customized models and is not there yet.

    So a study can be planned before its files are there; then the job says which is missing.
    """
    return [] if GIVEN and not BEGUN and not Path(file).exists() else file


def given_weights(wildcards):
    """The files of a given customized model's weights, as far as they are there."""
    folder = Path(CUSTOMIZED["root"], wildcards.model)
    return sorted(str(path) for path in folder.glob("pytorch_custom_diffusion_weights.*"))


def given_token(wildcards):
    """Checksums of a given customized model's token: `<new1>.bin` would be a path variable."""
    files = sorted(Path(CUSTOMIZED["root"], wildcards.model).glob("<*>.*"))
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def weights_file(path):
    """Leave-K-out weights are large: kept only where the configuration says so."""
    return path if config["counterfactual"]["keep_models"] else temp(path)


def unlearning_settings(method):
    """A variant's settings, but those that its inputs tell of, or its box.

    A box belongs to one query, so another query's box reruns nothing.
    """
    settings = {**config["unlearning"][method], "boxes": {}}
    del settings["without_token"]
    return settings


def query_text_of(method):
    """The prompts' states from which a variant of unlearning starts: with V* or without it."""
    without = config["unlearning"][method]["without_token"]
    return "<results>/queries/" + ("text_without_token.npy" if without else "text.npy")


def external_scores(wildcards):
    """The score file of a method that was computed elsewhere."""
    table = Path(config["external"][wildcards.method]) / f"{wildcards.query}.parquet"
    return str(table if table.exists() else table.with_suffix(".npy"))


def require_known_methods():
    """Stops with one sentence if a method is named that nothing makes."""
    named = [name for section in METHOD_SECTIONS for name in config[section]]
    for method in [*METHODS, *TUNING["methods"]]:
        path = f"results/{config['experiment']}/attribution/{method}/{TEST_QUERIES[0]}.npy"
        if not any(producer.is_producer(path) for producer in workflow.rules):
            raise WorkflowError(
                f"methods: nothing in workflow/rules/attribution/ writes the scores of '{method}'; "
                f"methods of this configuration: {', '.join(named)}."
            )
