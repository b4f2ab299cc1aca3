# The experiment's configuration, and the names that every stage shares.

import hashlib
import json
import math
import os
import re
import signal
from functools import partial

from leavekout.errors import InputError
from leavekout.config.reading import merged, offer_package, require_unchanged
from leavekout.kinds import costs_of, read_experiment
from leavekout.training import TRAINING_LOOP

# A cluster's warning before the time limit is for the training, which saves its state; Snakemake, on
# the node around it, would die of it.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def or_say_why(read, *arguments):
    """What a function returns; what is wrong with the configuration ends the run in a sentence."""
    try:
        return read(*arguments)
    except InputError as error:
        raise WorkflowError(str(error)) from None


# All that its files say, before defaults are filled in.
SAID = or_say_why(merged, config, [Path(file) for file in workflow.configfiles]).tree
EXPERIMENT = or_say_why(read_experiment, config, [Path(file) for file in workflow.configfiles])
or_say_why(require_unchanged, EXPERIMENT)
EXPECTED = or_say_why(costs_of, EXPERIMENT)
offer_package()
config.update(EXPERIMENT.model_dump(mode="json"))


pathvars:
    results=f"results/{config['experiment']}",
    logs=f"results/{config['experiment']}/logs",
    benchmarks=f"results/{config['experiment']}/benchmarks",


# Used with `--software-deployment-method conda`; otherwise jobs run where Snakemake runs.
CONDA = str(Path(workflow.basedir) / "environment.yml")
# Where trainings take minutes, jobs share cluster jobs, and those without a GPU run locally.
STUDY_IS_SMALL = EXPECTED.small()
HARDWARE = config["hardware"]
DATASET = config["dataset"]
METHODS = config["methods"]
TUNING = config["tuning"] or {"methods": [], "k": []}
# Each entry of these sections is a method that needs no rule of its own.
METHOD_SECTIONS = (
    "unlearning",
    "embeddings",
    "influence",
    "ekfac_influence",
    "patches",
    "distilled",
    "external",
)

# Big static files are ancient(): a touched 93 GB file must not restart a study. Beside each is a
# small file with its checksum, an ordinary input, through which new content does restart what
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
# For scripts that read them, of which this process is the parent, here or on a node. (Jobs of one
# group would have to agree on a resource that is text.)
os.environ.update(LEAVEKOUT_STAGE_TO=HARDWARE["stage_to"])
# What trainings compile is compiled once for all jobs, on all nodes of a kind.
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", f"{os.getcwd()}/.snakemake/compiled")
# What `queries.loading` reads.
QUERY_FILES = {
    "query_table": "<results>/queries/queries.parquet",
    "query_latents": "<results>/queries/latents.npy",
    "query_text": "<results>/queries/text.npy",
}


# The same of the queries that distilled features learn from.
TEACHER_FILES = {
    "query_table": "<results>/teacher/queries.parquet",
    "query_latents": "<results>/teacher/latents.npy",
    "query_text": "<results>/teacher/text.npy",
}


# With `--resources batch_slot=1`, as in slurm/config.yaml, the jobs of a batch run one by one.
resource_scopes:
    batch_slot="local",


def one_of(names):
    """A wildcard constraint to these names; where there are none, nothing matches."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    method="[a-z][a-z0-9_-]*",
    number=r"\d+",
    weights="[a-z_]+",
    objective="loss|squared_output",


def resources_for(cost, *, gpu=True):
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
        "on_gpu": int(on_gpu and not HARDWARE["pretend"]),
        "mem_mb": lambda wildcards, attempt: round(attempt * of(wildcards).memory_mb),
        "runtime": lambda wildcards, attempt: min(longest, of(wildcards).minutes(attempt)),
        "disk_mb": lambda wildcards: math.ceil(of(wildcards).disk_mb),
        "expected_seconds": lambda wildcards: round(of(wildcards).seconds),
        "batch_slot": 1,
    }


def batched(stage):
    """The group of a stage's jobs, some of which share one cluster job in a small study."""
    return stage if STUDY_IS_SMALL else None


def query_names(letter, count):
    """The names of a number of queries: `q000`, `q001`, …"""
    return [f"{letter}{i:03d}" for i in range(count)]


def unlearning_settings(method):
    """A variant's settings without its boxes, and without keys that its inputs imply.

    A box belongs to one query, so another query's box reruns nothing.
    """
    settings = {**config["unlearning"][method], "boxes": {}}
    return {key: value for key, value in settings.items() if key not in IMPLIED_BY_INPUTS}


def losses_of(model):
    """The losses of all images under a model, which the source model's have under its own name."""
    source = f"seed{(config['training'] or {}).get('seed')}"
    return f"<results>/losses/{'source' if model == source else model}/loss.npy"


def distilled_entries(**asked):
    """The entries of `distilled` that have an encoder, or learn from a teacher."""
    entries = config["distilled"].values()
    return [e for e in entries if all(e[key] == value for key, value in asked.items())]


def one_student(method):
    """The settings of each student of a distilled method, whatever their number."""
    return {key: value for key, value in config["distilled"][method].items() if key != "students"}


def student_files(method):
    """The students of a distilled method, of which the first has its name."""
    further = range(1, config["distilled"][method].get("students", 1))
    return [
        f"<results>/distilled/{method}.safetensors",
        *(f"<results>/distilled/{method}/{number}.safetensors" for number in further),
    ]


def content_of(path):
    """The digest of a user's own file, so that new content reruns what reads it; None without one.

    As an input, the file would have to be there before anything can be planned.
    """
    if isinstance(path, str) and Path(path).is_file():
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return None


def external_scores(wildcards):
    """The score file of a method that was computed elsewhere."""
    table = Path(config["external"][wildcards.method]) / f"{wildcards.query}.parquet"
    array = table.with_suffix(".npy")
    if not table.exists() and not array.exists():
        raise WorkflowError(
            f"external: method '{wildcards.method}' has no scores of query {wildcards.query}; "
            f"neither {array} nor {table.name} is there."
        )
    return str(table if table.exists() else array)


def is_made(kind, method):
    """Whether some rule writes files of a kind, such as `attribution`, for a method's queries."""
    path = f"results/{config['experiment']}/{kind}/{method}/{TEST_QUERIES[0]}.npy"
    return any(producer.is_producer(path) for producer in workflow.rules)


def drawing_methods():
    """The study's methods that draw noise, and say how well their scores repeat."""
    return [method for method in METHODS if is_made("repeatability", method)]


def rules_of(*files):
    """The names of the rules in rule files, by which logs call the stages."""
    return sorted(rule.name for rule in workflow.rules if Path(rule.snakefile).name in files)


def require_known_methods():
    """Stops with one sentence if a method is named that nothing makes."""
    for method in [*METHODS, *TUNING["methods"], *FURTHER_METHODS]:
        if not is_made("attribution", method):
            raise WorkflowError(
                f"methods: nothing in workflow/rules/attribution/ writes the scores of '{method}'; "
                f"methods that exist: {', '.join(existing_methods())}."
            )


def existing_methods():
    """Entries of the configuration, and what rules write whose path names a method."""
    configured = [name for section in METHOD_SECTIONS for name in config[section]]
    outputs = [str(path) for rule in workflow.rules for path in rule.output]
    ruled = re.findall(r"^results/[^/]+/attribution/([a-z0-9_-]+)/", "\n".join(outputs), re.M)
    return dict.fromkeys([*configured, *ruled])
