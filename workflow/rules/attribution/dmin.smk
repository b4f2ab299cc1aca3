# Inner products of compressed gradients: every method of the section `dmin`.


rule attribute_by_dmin:
    input:
        **SCORED,
        **QUERY_FILES,
        weights=weights_of("source"),
    output:
        scores=scores_of("{method}", QUERIES),
        halves=halves_of("{method}", QUERIES),
    log:
        "<logs>/attribution/{method}.log",
    benchmark:
        "<benchmarks>/attribution/{method}.tsv"
    wildcard_constraints:
        method=one_of(config["dmin"]),
    group:
        batched("scores")
    resources:
        **resources_for(scoring_cost),
        **hardware("device_data_gb", "checkpoint_seconds", batch="per_sample_batch"),
    params:
        names=QUERIES,
        model=config["model"],
        dmin=lambda wildcards: config["dmin"][wildcards.method],
    script:
        "../../scripts/attribute_by_dmin.py"
