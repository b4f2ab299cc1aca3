# Attribution by projected gradients: every entry under `influence:` in the configuration, on the
# cached artifacts under `gradients:`.

GRADIENTS = config["gradients"]
INFLUENCE = config["influence"]


rule project_gradients:
    input:
        **SCORED,
        weights=lambda wildcards: weights_of(wildcards.model),
    output:
        gradients="<results>/gradients/{gradients}/{model}.npy",
    log:
        "<logs>/project_gradients/{gradients}/{model}.log",
    benchmark:
        "<benchmarks>/project_gradients/{gradients}/{model}.tsv"
    wildcard_constraints:
        gradients=one_of(GRADIENTS),
    group:
        batched("scores")
    conda:
        CONDA
    resources:
        **resources_for(lambda wildcards: EXPECTED.projection(wildcards.gradients)),
        device_data_gb=HARDWARE["device_data_gb"],
        batch=HARDWARE["per_sample_batch"],
        checkpoint_seconds=HARDWARE["checkpoint_seconds"],
    params:
        model=config["model"],
        model_seed=lambda wildcards: projection_seed(wildcards.model),
        gradients=lambda wildcards: GRADIENTS[wildcards.gradients],
        version=3,
    script:
        "../../scripts/project_gradients.py"


rule attribute_by_influence:
    input:
        **QUERY_FILES,
        weights=lambda wildcards: [
            weights_of(f"seed{seed}") for seed in INFLUENCE[wildcards.method]["source_seeds"]
        ],
        gradients=lambda wildcards: collect(
            "<results>/gradients/{gradients}/seed{seed}.npy",
            gradients=INFLUENCE[wildcards.method]["gradients"],
            seed=INFLUENCE[wildcards.method]["source_seeds"],
        ),
        losses=lambda wildcards: [
            losses_of(f"seed{seed}")
            for seed in INFLUENCE[wildcards.method]["source_seeds"]
            if INFLUENCE[wildcards.method]["solver"] == "das"
        ],
    output:
        scores=collect("<results>/attribution/{{method}}/{query}.npy", query=QUERIES),
        halves=collect("<results>/repeatability/{{method}}/{query}.npy", query=QUERIES),
    log:
        "<logs>/attribution/{method}.log",
    benchmark:
        "<benchmarks>/attribution/{method}.tsv"
    wildcard_constraints:
        method=one_of(INFLUENCE),
    group:
        batched("scores")
    conda:
        CONDA
    resources:
        **resources_for(lambda wildcards: EXPECTED.influence(wildcards.method)),
        batch=HARDWARE["gradient_batch"],
    params:
        names=QUERIES,
        model=config["model"],
        influence=lambda wildcards: INFLUENCE[wildcards.method],
        gradients=lambda wildcards: GRADIENTS[INFLUENCE[wildcards.method]["gradients"]],
        version=3,
    script:
        "../../scripts/attribute_by_influence.py"
