# Scores that were computed elsewhere: every entry under `external:` names a folder that holds, for
# each query, <query>.npy in the order of data/images.parquet, or <query>.parquet with the columns
# image_id and score.

EXTERNAL = config["external"]


rule import_scores:
    input:
        images=ancient("<results>/data/images.parquet"),
        pixels_checksum="<results>/data/pixels.json",
        scores=external_scores,
    output:
        scores="<results>/attribution/{method}/{query}.npy",
    log:
        "<logs>/attribution/{method}/{query}.log",
    benchmark:
        "<benchmarks>/attribution/{method}/{query}.tsv"
    wildcard_constraints:
        method=one_of(EXTERNAL),
    localrule: True
    conda:
        CONDA
    script:
        "../../scripts/import_scores.py"
