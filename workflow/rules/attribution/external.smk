# Scores that were computed elsewhere: every entry under `external:` names a folder that holds, for
# each query, <query>.npy in the order of data/images.parquet, or <query>.parquet with the columns
# image_id and score.

from functools import partial

from leavekout.methods.external.family import EXTERNAL

# For each method what returns a query's file.
SCORES_FROM_ELSEWHERE = {
    method: partial(or_say_why, EXTERNAL.score_file, EXPERIMENT, method)
    for method in config["external"]
}

# Snakemake takes scores that were imported before as they are if what they came from is gone, and
# would then train models again: so a folder that is gone is said here. Those of a bundle need none.
if workflow.is_main_process:
    for method in {*config["external"]} & {*methods_needed()} - {*METHODS_OF_BUNDLE}:
        for query in QUERIES:
            if Path(f"results/{config['experiment']}/attribution/{method}/{query}.npy").exists():
                or_say_why(EXTERNAL.score_file, EXPERIMENT, method, query)


rule attribute_by_external:
    input:
        images=ancient("<results>/data/images.parquet"),
        pixels_checksum="<results>/data/pixels.json",
        scores=lambda wildcards: SCORES_FROM_ELSEWHERE[wildcards.method](wildcards.query),
    output:
        scores="<results>/attribution/{method}/{query}.npy",
    log:
        "<logs>/attribution/{method}/{query}.log",
    benchmark:
        "<benchmarks>/attribution/{method}/{query}.tsv"
    wildcard_constraints:
        method=one_of(config["external"]),
    script:
        "../../scripts/attribute_by_external.py"
