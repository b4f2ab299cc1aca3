# The pool and the folders of the customized models from the published benchmark.

from leavekout.customized.published import ARCHIVES, POOL

UNPACKED = f"{ROOT}/published"
TASKS = {"tasks": f"{UNPACKED}/tasks.json", "lists": f"{UNPACKED}/lists"}
# Where files come from changes no result.
HUB = {"endpoint": config["encoders"].get("endpoint") or ""}
DATA_OF_HUB = {key: BENCHMARK[key] for key in ("repo", "revision")}


rule fetch_tasks:
    output:
        tasks=TASKS["tasks"],
        lists=directory(TASKS["lists"]),
    log:
        "<logs>/fetch_tasks.log",
    benchmark:
        "<benchmarks>/fetch_tasks.tsv"
    resources:
        **HUB,
        address=BENCHMARK["tasks"]["url"],
    params:
        **DATA_OF_HUB,
        sha256=BENCHMARK["tasks"]["sha256"],
    script:
        "../../scripts/customized/fetch_tasks.py"


rule fetch_benchmark:
    input:
        **TASKS,
    output:
        folder=temp(directory(f"{UNPACKED}/{{archive}}")),
    log:
        "<logs>/fetch_benchmark/{archive}.log",
    benchmark:
        "<benchmarks>/fetch_benchmark/{archive}.tsv"
    wildcard_constraints:
        archive=one_of(ARCHIVES),
    resources:
        **resources_for(lambda wildcards: EXPECTED.published_archive(wildcards.archive), gpu=False),
        **HUB,
    params:
        **DATA_OF_HUB,
        images=lambda wildcards: DATASET["images"] if wildcards.archive == POOL else 0,
    script:
        "../../scripts/customized/fetch_benchmark.py"


rule write_pool:
    input:
        unpacked=f"{UNPACKED}/{POOL}",
    output:
        images=directory(IMAGES),
        annotations=ANNOTATIONS,
    log:
        "<logs>/write_pool.log",
    benchmark:
        "<benchmarks>/write_pool.tsv"
    resources:
        **resources_for(EXPECTED.written_pool(), gpu=False),
    script:
        "../../scripts/customized/write_pool.py"


rule write_models:
    input:
        **TASKS,
        unpacked=[f"{UNPACKED}/{archive}" for archive in ARCHIVES if archive != POOL],
    output:
        models=directory(CUSTOMIZED["root"]),
    log:
        "<logs>/write_models.log",
    benchmark:
        "<benchmarks>/write_models.tsv"
    script:
        "../../scripts/customized/write_models.py"
