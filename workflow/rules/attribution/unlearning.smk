# Attribution by unlearning: every variant under `unlearning:` in the configuration.

UNLEARNING = config["unlearning"]


# A Newton step needs the Fisher of the weights it moves; gradient ascent needs none.
FISHER_OF = {
    name: (
        f"<results>/fisher/{variant['weights']}.safetensors" if variant["step"] == "newton" else []
    )
    for name, variant in UNLEARNING.items()
}


rule attribute_by_unlearning:
    input:
        **ENCODED,
        weights="<results>/source/model.safetensors",
        queries="<results>/queries/queries.parquet",
        query_latents="<results>/queries/latents.npy",
        query_text="<results>/queries/text.npy",
        source_losses="<results>/losses/source.npy",
        fisher=lambda wildcards: FISHER_OF[wildcards.method],
    output:
        scores="<results>/attribution/{method}/{query}.npy",
    log:
        "<logs>/attribution/{method}/{query}.log",
    benchmark:
        "<benchmarks>/attribution/{method}/{query}.tsv"
    wildcard_constraints:
        method="|".join(UNLEARNING),
    conda:
        CONDA
    resources:
        gpu=HARDWARE["gpus"],
        batch=HARDWARE["forward_batch"],
        gradient_batch=HARDWARE["gradient_batch"],
        device_data_gb=HARDWARE["device_data_gb"],
    params:
        model=config["model"],
        losses=config["losses"],
        unlearning=lambda wildcards: UNLEARNING[wildcards.method],
        version=1,
    script:
        "../../scripts/attribute_by_unlearning.py"
