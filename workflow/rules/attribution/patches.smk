# Attribution by patches, without a model: every entry under `patches:` in the configuration.

PATCHES = config["patches"]


rule attribute_by_patches:
    input:
        **QUERY_FILES,
        images=ancient("<results>/data/images.parquet"),
        latents=ancient("<results>/data/latents.npy"),
        latents_checksum="<results>/data/latents.json",
    output:
        scores=scores_of("{method}", QUERIES),
        halves=halves_of("{method}", QUERIES),
    log:
        "<logs>/attribution/{method}.log",
    benchmark:
        "<benchmarks>/attribution/{method}.tsv"
    wildcard_constraints:
        method=one_of(PATCHES),
    group:
        batched("scores")
    resources:
        **resources_for(scoring_cost),
        **hardware(batch="encode_batch"),
    params:
        names=QUERIES,
        model=config["model"],
        patches=lambda wildcards: PATCHES[wildcards.method],
    script:
        "../../scripts/attribute_by_patches.py"
