# The experiment's configuration, and the names that every stage uses. Each kind of experiment adds
# its own in <kind>/common.smk. Shared rules need these from it:
#   QUERIES, TEACHER_QUERIES        names of the queries that are scored, and that teach methods
#   SCORED, TRAINED_ON              what methods score, and the N of eq. 5
#   DATASET_CHECKSUM                the small file that represents the raw data
#   QUERIES_OF_A_JOB, NAME_OF_A_JOB queries that one job scores by gradients of their model
#   model_of, weights_of, explaining_models, losses_of, trained_rows_of, projection_seed
#   methods_needed                  methods that need scores
#   METHODS_OF_BUNDLE               methods whose scores are published, and not made here

import atexit
import difflib
import hashlib
import json
import math
import os
import re
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

from leavekout.base.errors import InputError
from leavekout.config.download import Download
from leavekout.config.experiment import numbered
from leavekout.config.reading import merged, offer_package, require_all_files, require_unchanged
from leavekout.kinds import costs_of, read_experiment
from leavekout.methods import registry
from leavekout.training import TRAINING_LOOP

# A cluster sends SIGUSR1 to jobs before their time limit, and a training then saves its state. The
# signal also reaches the Snakemake that runs the job on the node, and would end it without this
# line (see tests/cluster).
signal.signal(signal.SIGUSR1, signal.SIG_IGN)

# Snakemake counts a refused submission as a failed attempt: slurm/sbatch waits and submits again.
if workflow.is_main_process and (SBATCH := shutil.which("sbatch")):
    os.environ.setdefault("LEAVEKOUT_SBATCH", SBATCH)
    os.environ.update(PATH=os.pathsep.join([f"{workflow.basedir}/slurm", *os.get_exec_path()]))


# Blanks, quotes and brackets work.
for folder in (os.getcwd(), str(workflow.basedir), sys.executable):
    if "{" in folder or "}" in folder:
        raise WorkflowError(
            f"{folder}: Snakemake takes braces in a path for wildcards; move or rename the folder."
        )


def or_say_why(read, *arguments):
    """What a function returns; an error in the configuration ends the run with one sentence."""
    try:
        return read(*arguments)
    except InputError as error:
        raise WorkflowError(str(error)) from None


# The Snakefile's own configuration file comes before those of the command line.
GIVEN = [Path(file) for file in workflow.config_settings.configfiles]
FILES = [file for file in map(Path, workflow.configfiles) if file not in GIVEN] + GIVEN
or_say_why(require_all_files, sys.argv[1:], GIVEN)
EXPERIMENT = or_say_why(read_experiment, workflow.config_settings.config, FILES)
or_say_why(require_unchanged, EXPERIMENT)
# What the configuration's files say, before defaults are filled in.
WRITTEN = merged(workflow.config_settings.config, FILES).tree
EXPECTED = or_say_why(costs_of, EXPERIMENT)
offer_package()
config.update(EXPERIMENT.model_dump(mode="json"))


pathvars:
    results=f"results/{config['experiment']}",
    logs=f"results/{config['experiment']}/logs",
    benchmarks=f"results/{config['experiment']}/benchmarks",


# The environment of every rule that names no other; see the end of the Snakefile.
CONDA = str(Path(workflow.basedir) / "environment.yml")
# Where trainings take minutes, jobs share cluster jobs, and those without a GPU run locally.
STUDY_IS_SMALL = EXPECTED.small()
HARDWARE = config["hardware"]
DATASET = config["dataset"]
METHODS = config["methods"]
TUNING = config["tuning"] or {"methods": [], "k": []}
# Test queries that are generated, and those of them that the results are about.
POOL = list(EXPERIMENT.pool())
TEST_QUERIES = list(EXPERIMENT.test_queries())
TUNING_QUERIES = list(EXPERIMENT.tuning_queries())
QUERIES = POOL + TUNING_QUERIES
# Queries that methods may learn from, and that no number is reported of.
TEACHER_QUERIES = list(numbered("d", config["queries"].get("teacher", 0)))

# Big static files are ancient(): a touched 93 GB file must not restart a study. The small file with
# its checksum is an ordinary input, so new content does rerun what depends on it. (With ancient()
# alone, Snakemake would plan nothing downstream.)
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
QUERY_FILES = {
    "query_table": "<results>/queries/queries.parquet",
    "query_latents": "<results>/queries/latents.npy",
    "query_text": "<results>/queries/text.npy",
}
# Two settings reach scripts through the environment, since rules cannot pass them. A text among
# the resources must be the same in all jobs of a group, and a new parameter would rerun them.
os.environ.update(LEAVEKOUT_STAGE_TO=HARDWARE["stage_to"])
# What trainings compile is compiled once for all jobs, on all nodes of a kind.
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", f"{os.getcwd()}/.snakemake/compiled")


# With `--resources batch_slot=1`, as in slurm/config.yaml, the jobs of a batch run one by one.
resource_scopes:
    batch_slot="local",


def one_of(names):
    """A wildcard constraint to these names; where there are none, nothing matches."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    method="[a-z][a-z0-9_-]*",
    weights="[a-z_]+",
    objective="loss|squared_output",


def resources_for(cost, *, gpu=True):
    """The resources of a rule whose jobs cost `cost`, or cost(wildcards)."""
    of = cost if callable(cost) else lambda wildcards: cost
    on_gpu = int(gpu and HARDWARE["gpus"] > 0)
    defaults = workflow.resource_settings.default_resources or {}
    if not on_gpu:
        device = {"gpu": 0, "gres": "", "gpu_model": ""}  # whatever the profile's defaults are
    elif "gpu" in str(defaults["gres"].raw if "gres" in defaults else ""):
        device = {"gpu": 0}  # a cluster that knows GPUs as gres alone
    else:
        device = {"gpu": 1}
    most_mb = 1000 * (HARDWARE["most_memory_gb"] or math.inf)
    longest = HARDWARE["longest_minutes"]
    return {
        **device,
        "on_gpu": int(on_gpu and not HARDWARE["pretend"]),
        "jobs_per_gpu": HARDWARE["jobs_per_gpu"],
        "mem_mb": lambda wildcards, attempt: of(wildcards).megabytes(attempt, most_mb),
        "runtime": lambda wildcards, attempt: of(wildcards).minutes(attempt, longest),
        "disk_mb": lambda wildcards: math.ceil(of(wildcards).disk_mb),
        "expected_seconds": lambda wildcards: round(of(wildcards).seconds),
        "batch_slot": 1,
    }


def hardware(*names, **renamed):
    """Settings of the section `hardware` that scripts read as resources, some by another name."""
    return {name: HARDWARE[key] for name, key in {**dict(zip(names, names)), **renamed}.items()}


def sections(*names):
    """Whole sections of the configuration, as parameters."""
    return {name: config[name] for name in names}


def pictures_of(queries):
    """The pictures of queries."""
    return collect("<results>/queries/images/{query}.png", query=queries)


def scores_of(methods, queries):
    """The scores of queries by methods."""
    return collect("<results>/attribution/{method}/{query}.npy", method=methods, query=queries)


def halves_of(methods, queries):
    """The scores of queries by each half of the draws that methods make."""
    return collect("<results>/repeatability/{method}/{query}.npy", method=methods, query=queries)


def scoring_cost(wildcards):
    """Of the job that scores queries by the method of its wildcards."""
    return registry.scoring_cost(EXPECTED, wildcards.method)


def batched(stage):
    """The group of a stage's jobs, some of which share one cluster job in a small study."""
    return stage if STUDY_IS_SMALL else None


def fetched(*files):
    """The folders of those published files that are fetched, as an input."""
    folders = [file.folder for file in files if isinstance(file, Download)]
    return [f"<results>/published/{folder}" for folder in dict.fromkeys(folders)]


def path_of(file):
    """The path of a published file, as a parameter."""
    if isinstance(file, Download):
        return f"results/{config['experiment']}/published/{file.folder}/{file.content}"
    return file


def content_of(path):
    """The digest of a user's own file, so that new content reruns what reads it; None without one.

    As an input, the file would have to be there before anything can be planned.
    """
    if isinstance(path, str) and Path(path).is_file():
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return None


def require_times_in_the_past():
    """Stops before any job if an input has a time in the future.

    All that is made from it would seem older, and Snakemake would delete it.
    """
    now = time.time() + 60  # clocks of two machines are never quite the same
    files = {
        str(file)
        for job in workflow.dag.needrun_jobs()
        for file in job.input
        if not file.is_ancient
    }
    for file in sorted(files):
        if os.path.exists(file) and os.path.getmtime(file) > now:
            raise WorkflowError(
                f"{file}: its time is in the future ({time.ctime(os.path.getmtime(file))}), so all "
                f"that is made from it would seem older; set it with: touch {shlex.quote(file)}"
            )


def was_copied(file):
    """Whether a file that a job made has a later time than Snakemake recorded, or no record."""
    if not os.path.exists(file):
        return False
    stamp = Path(file, ".snakemake_timestamp")  # of a folder
    record = workflow.persistence.metadata(file)
    made = record.endtime if record and record.endtime else 0
    return os.path.getmtime(stamp if stamp.exists() else file) > made + 1


def advice_on_copy(arguments):
    """What to say if a study would run again since it was copied without times, or None.

    Where a rule made an input again, or a person edited it, other files have the times recorded.
    """
    jobs, needed = list(workflow.dag.jobs), list(workflow.dag.needrun_jobs(False))
    made = {file for job in jobs for file in job.output}
    newer = {file for job in needed for file in workflow.dag.reason(job).updated_input}
    copied = sum(any(map(was_copied, job.output)) for job in needed)
    if not any(map(was_copied, newer & made)) or copied <= len(needed) / 2:
        return None
    touch = ["snakemake", "--touch", "--cores", "1", *arguments]
    command = shlex.join(word for word in touch if word not in ("-n", "--dry-run", "--dryrun"))
    return (
        f"{len(needed)} of the study's {len(jobs)} jobs would run again, because their files have "
        "other times than when they were made, as after a copy without times (cp -r; cp -a keeps "
        f"them). If the files are whole, say so:\n\n    {command}\n\nTo make all of them again, "
        "add --forceall to the command of the study."
    )


def require_times_in_order():
    """Stops before any job if a study was copied without times."""
    advice = None if workflow.touch else advice_on_copy(sys.argv[1:])
    if advice:
        raise WorkflowError(advice)


@atexit.register
def say_in_a_dry_run():
    """The same after a plan, for which `onstart` is not called."""
    if workflow.is_main_process and workflow.dryrun and workflow.dag:
        if advice := advice_on_copy(sys.argv[1:]):
            print(advice, file=sys.stderr)


# What reads a file of the user where that takes seconds, by the name of the rule that imports it.
TRIED = {}


def require_own_files():
    """Stops before any job if a file of the configuration will be read and is not there or broken."""
    files = {
        (job.params.file, job.rule.name)
        for job in workflow.dag.needrun_jobs()
        if job.rule.name.startswith("import_")
        and isinstance(job.params.get("file"), str)
        and not job.input.get("fetched")
    }
    for file, rule_name in sorted(files):
        if not Path(file).is_file():
            raise WorkflowError(
                f"{file}: there is no such file, and the configuration names it (under 'published' "
                "or as a 'mapper')."
            )
        if rule_name in TRIED:
            or_say_why(TRIED[rule_name], file)


def is_made(folder, method):
    """Whether some rule writes files in a folder, such as `attribution`, for a method's queries."""
    path = f"results/{config['experiment']}/{folder}/{method}/{TEST_QUERIES[0]}.npy"
    return any(producer.is_producer(path) for producer in workflow.rules)


def drawing_methods():
    """The study's methods that draw noise, and report how well their scores repeat."""
    return [method for method in METHODS if is_made("repeatability", method)]


def require_known_methods():
    """Stops with one sentence if no rule makes the scores of a method."""
    for method in methods_needed():
        if not is_made("attribution", method):
            known = existing_methods()
            near = difflib.get_close_matches(method, known, n=1, cutoff=0)[0]
            raise WorkflowError(
                f"methods: there is no method '{method}'; the nearest is '{near}'. Methods that "
                f"exist: {', '.join(known)}."
            )


def existing_methods():
    """What families know by name, entries of the configuration, and methods with rules."""
    entries = [name for section in registry.SECTIONS for name in config[section]]
    outputs = "\n".join(str(path) for rule in workflow.rules for path in rule.output)
    ruled = re.findall(r"^results/[^/]+/attribution/([a-z0-9_-]+)/", outputs, re.M)
    return list(dict.fromkeys([*registry.built_in_names(), *entries, *ruled]))
