# Inner products of compressed gradients: every method of the section `dmin`.


rule attribute_by_dmin:
    input:
        **SCORED,
        **QUERY_FILES,
        weights=weights_of("source"),
    output:
        scores=collect("<results>/attribution/{{method}}/{query}.npy", query=QUERIES),
        halves=collect("<results>/repeatability/{{method}}/{query}.npy", query=QUERIES),
    log:
        "<logs>/attribution/{method}.log",
    benchmark:
        "<benchmarks>/attribution/{method}.tsv"
    wildcard_constraints:
        method=one_of(config["dmin"]),
    group:
        batched("scores")
    conda:
        CONDA
    resources:
        **resources_for(scoring_cost),
        device_data_gb=HARDWARE["device_data_gb"],
        batch=HARDWARE["per_sample_batch"],
        checkpoint_seconds=HARDWARE["checkpoint_seconds"],
    params:
        names=QUERIES,
        model=config["model"],
        dmin=lambda wildcards: config["dmin"][wildcards.method],
    script:
        "../../scripts/attribute_by_dmin.py"
