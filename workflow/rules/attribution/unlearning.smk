# Attribution by unlearning: every variant under `unlearning:` in the configuration.

UNLEARNING = config["unlearning"]


# A Newton step needs the curvature of the weights it moves; gradient ascent needs none.
CURVATURE_OF = {
    name: {
        ("newton", "diagonal"): f"<results>/fisher/{variant['weights']}.safetensors",
        ("newton", "ekfac"): f"<results>/ekfac/{variant['weights']}.safetensors",
    }.get((variant["step"], variant["curvature"]), [])
    for name, variant in UNLEARNING.items()
}


rule attribute_by_unlearning:
    input:
        **SCORED,
        **{name: path for name, path in QUERY_FILES.items() if name != "query_text"},
        weights=lambda wildcards: weights_of(model_of(wildcards.query)),
        query_text=lambda wildcards: query_text_of(wildcards.method),
        source_losses=lambda wildcards: (
            "<results>/losses/{model}/{objective}.npy".format(
                model=model_of(wildcards.query), **UNLEARNING[wildcards.method]
            )
        ),
        refined_losses=lambda wildcards: (
            "<results>/losses/{model}/refined/{objective}.npy".format(
                model=model_of(wildcards.query), **UNLEARNING[wildcards.method]
            )
            if config["losses"].get("refine")
            else []
        ),
        fisher=lambda wildcards: CURVATURE_OF[wildcards.method],
    output:
        scores="<results>/attribution/{method}/{query}.npy",
        halves="<results>/repeatability/{method}/{query}.npy",
    log:
        "<logs>/attribution/{method}/{query}.log",
    benchmark:
        "<benchmarks>/attribution/{method}/{query}.tsv"
    wildcard_constraints:
        method=one_of(UNLEARNING),
    group:
        batched("scores")
    conda:
        CONDA
    resources:
        **resources_for(lambda wildcards: EXPECTED.unlearning(wildcards.method)),
        device_data_gb=HARDWARE["device_data_gb"],
        batch=HARDWARE["forward_batch"],
        gradient_batch=HARDWARE["gradient_batch"],
        checkpoint_seconds=HARDWARE["checkpoint_seconds"],
    params:
        trained_on=TRAINED_ON,
        model=config["model"],
        losses=config["losses"],
        unlearning=lambda wildcards: unlearning_settings(wildcards.method),
        box=lambda wildcards: UNLEARNING[wildcards.method]["boxes"].get(wildcards.query),
        version=2,
    script:
        "../../scripts/attribute_by_unlearning.py"
