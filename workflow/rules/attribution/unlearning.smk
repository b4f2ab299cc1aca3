# Attribution by unlearning: every variant under `unlearning:` in the configuration.

UNLEARNING = config["unlearning"]


def unlearning_fisher(wildcards):
    """A Newton step needs the Fisher of the weights it moves; gradient ascent needs none."""
    variant = UNLEARNING[wildcards.method]
    newton = variant["step"] == "newton"
    return f"<results>/fisher/{variant['weights']}.safetensors" if newton else []


rule attribute_by_unlearning:
    input:
        **ENCODED,
        weights="<results>/source/model.safetensors",
        queries="<results>/queries/queries.parquet",
        query_latents="<results>/queries/latents.npy",
        query_text="<results>/queries/text.npy",
        source_losses="<results>/losses/source.npy",
        fisher=unlearning_fisher,
    output:
        scores="<results>/attribution/{method}/{query}.npy",
    log:
        "<logs>/attribution/{method}/{query}.log",
    benchmark:
        "<benchmarks>/attribution/{method}/{query}.tsv"
    wildcard_constraints:
        method="|".join(UNLEARNING),
    resources:
        gpu=HARDWARE["gpus"],
        batch=HARDWARE["forward_batch"],
        gradient_batch=HARDWARE["gradient_batch"],
        device_data_gb=HARDWARE["device_data_gb"],
    params:
        model=config["model"],
        losses=config["losses"],
        unlearning=lambda wildcards: UNLEARNING[wildcards.method],
        encoded_from=ENCODED_FROM,
        version=1,
    script:
        "../../scripts/attribute_by_unlearning.py"
