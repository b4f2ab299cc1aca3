# Attribution by unlearning: every variant under `unlearning:` in the configuration.

from leavekout.methods.unlearning.family import UNLEARNING as FAMILY

UNLEARNING = config["unlearning"]
# The curvature of the weights that a Newton step moves; gradient ascent needs none.
CURVATURE_OF = {
    name: f"<results>/{curvature}.safetensors" if curvature else []
    for name in UNLEARNING
    for curvature in [FAMILY.curvature(EXPERIMENT, name)]
}


rule attribute_by_unlearning:
    input:
        **SCORED,
        **{name: path for name, path in QUERY_FILES.items() if name != "query_text"},
        query_text=lambda wildcards: (
            "<results>/queries/text_without_token.npy"
            if UNLEARNING[wildcards.method].get("without_token")
            else "<results>/queries/text.npy"
        ),
        weights=lambda wildcards: weights_of(model_of(wildcards.query)),
        source_losses=lambda wildcards: collect(
            "<results>/losses/{model}/{objective}.npy",
            model=model_of(wildcards.query),
            objective=UNLEARNING[wildcards.method]["objective"],
        )[0],
        refined_losses=lambda wildcards: collect(
            "<results>/losses/{model}/refined/{objective}.npy",
            model=model_of(wildcards.query) if config["losses"].get("refine") else [],
            objective=UNLEARNING[wildcards.method]["objective"],
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
    resources:
        **resources_for(scoring_cost),
        **hardware("device_data_gb", "gradient_batch", "checkpoint_seconds", batch="forward_batch"),
    params:
        **sections("model", "losses"),
        trained_on=TRAINED_ON,
        unlearning=lambda wildcards: FAMILY.parameters(EXPERIMENT, wildcards.method),
        box=lambda wildcards: UNLEARNING[wildcards.method]["boxes"].get(wildcards.query),
        version=2,
    script:
        "../../scripts/attribute_by_unlearning.py"


# Where a study checks what else is forgotten: the unlearned model's outcome on a query and others.
if config.get("forgetting"):

    rule unlearn_query:
        input:
            **QUERY_FILES,
            **RELATED_FILES,
            null_text="<results>/data/null_text.npy",
            vae="<results>/encoders/vae",
            weights="<results>/source/model.safetensors",
            fisher=lambda wildcards: CURVATURE_OF[wildcards.method],
        output:
            outcome="<results>/unlearned/{method}/{query}.safetensors",
        log:
            "<logs>/unlearn_query/{method}/{query}.log",
        benchmark:
            "<benchmarks>/unlearn_query/{method}/{query}.tsv"
        wildcard_constraints:
            method=one_of(UNLEARNING),
        group:
            batched("methods")
        resources:
            **resources_for(
                lambda wildcards: EXPECTED.evaluated(
                    FAMILY.step_cost(EXPECTED, wildcards.method),
                    len(POOL) + FORGETTING["related"],
                )
            ),
            **hardware("gradient_batch", batch="forward_batch"),
        params:
            **sections("model", "sampling", "evaluation"),
            images=DATASET["images"],
            about=lambda wildcards: removals.unlearned(
                EXPERIMENT, wildcards.method, wildcards.query
            ).as_dict(),
            unlearning=lambda wildcards: FAMILY.parameters(EXPERIMENT, wildcards.method),
            box=lambda wildcards: UNLEARNING[wildcards.method]["boxes"].get(wildcards.query),
        script:
            "../../scripts/unlearn_query.py"
