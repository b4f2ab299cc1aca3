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
        **ENCODED,
        weights="<results>/source/model.safetensors",
        queries="<results>/queries/queries.parquet",
        query_latents="<results>/queries/latents.npy",
        query_text="<results>/queries/text.npy",
        source_losses=lambda wildcards: (
            f"<results>/losses/source/{UNLEARNING[wildcards.method]['objective']}.npy"
        ),
        fisher=lambda wildcards: CURVATURE_OF[wildcards.method],
    output:
        scores="<results>/attribution/{method}/{query}.npy",
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
        **ask(lambda wildcards: COSTS.unlearning(wildcards.method)),
        batch=HARDWARE["forward_batch"],
        gradient_batch=HARDWARE["gradient_batch"],
        device_data_gb=HARDWARE["device_data_gb"],
        checkpoint_seconds=HARDWARE["checkpoint_seconds"],
    params:
        model=config["model"],
        losses=config["losses"],
        # A box belongs to one query, so another query's box reruns nothing.
        unlearning=lambda wildcards: {**UNLEARNING[wildcards.method], "boxes": {}},
        box=lambda wildcards: UNLEARNING[wildcards.method]["boxes"].get(wildcards.query),
        version=1,
    script:
        "../../scripts/attribute_by_unlearning.py"
