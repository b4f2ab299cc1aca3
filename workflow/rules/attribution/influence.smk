# Attribution by projected gradients: every entry under `influence:` in the configuration, on the
# cached artifacts under `gradients:`.

from leavekout.methods.influence.family import INFLUENCE as INFLUENCE_FAMILY

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
    resources:
        **resources_for(
            lambda wildcards: INFLUENCE_FAMILY.projection_cost(EXPECTED, wildcards.gradients)
        ),
        **hardware("device_data_gb", "checkpoint_seconds", batch="per_sample_batch"),
    params:
        model=config["model"],
        model_seed=lambda wildcards: projection_seed(wildcards.model),
        gradients=lambda wildcards: GRADIENTS[wildcards.gradients],
        version=3,
    script:
        "../../scripts/project_gradients.py"


# The same queries again, and not an output of the rule that generates them, which all models follow.
rule trace_queries:
    input:
        **QUERY_FILES,
        weights=lambda wildcards: weights_of(wildcards.model),
        null_text=SCORED["null_text"],
    output:
        predicted="<results>/queries/predicted/{model}/{timestep}.npy",
    log:
        "<logs>/trace_queries/{model}/{timestep}.log",
    benchmark:
        "<benchmarks>/trace_queries/{model}/{timestep}.tsv"
    wildcard_constraints:
        timestep=r"\d+",
    group:
        batched("scores")
    resources:
        **resources_for(EXPECTED.sampling(len(QUERIES_OF_A_JOB))),
        **hardware(batch="encode_batch"),
    params:
        **sections("model", "sampling"),
        names=lambda wildcards: [query.format(**wildcards) for query in QUERIES_OF_A_JOB],
    script:
        "../../scripts/trace_queries.py"


rule attribute_by_influence:
    input:
        **QUERY_FILES,
        # What the sampler predicted of the job's queries, for methods that begin from there.
        predicted=lambda wildcards: (
            "<results>/queries/predicted/{}/{}.npy".format(
                model_of(QUERIES_OF_A_JOB[0].format(**wildcards)),
                INFLUENCE[wildcards.method]["query_timestep"],
            )
            if INFLUENCE[wildcards.method]["query_timestep"] is not None
            else []
        ),
        trained=trained_rows_of,
        weights=lambda wildcards: [
            path for model in explaining_models(wildcards) for path in weights_of(model)
        ],
        gradients=lambda wildcards: collect(
            "<results>/gradients/{gradients}/{model}.npy",
            gradients=INFLUENCE[wildcards.method]["gradients"],
            model=explaining_models(wildcards),
        ),
        losses=lambda wildcards: [
            losses_of(model)
            for model in explaining_models(wildcards)
            if INFLUENCE[wildcards.method]["solver"] == "das"
        ],
    output:
        scores=[f"<results>/attribution/{{method}}/{query}.npy" for query in QUERIES_OF_A_JOB],
        halves=[f"<results>/repeatability/{{method}}/{query}.npy" for query in QUERIES_OF_A_JOB],
    log:
        f"<logs>/attribution/{NAME_OF_A_JOB}.log",
    benchmark:
        f"<benchmarks>/attribution/{NAME_OF_A_JOB}.tsv"
    wildcard_constraints:
        method=one_of(INFLUENCE),
    group:
        batched("scores")
    resources:
        **resources_for(scoring_cost),
        **hardware(batch="gradient_batch"),
    params:
        names=lambda wildcards: [query.format(**wildcards) for query in QUERIES_OF_A_JOB],
        model=config["model"],
        influence=lambda wildcards: INFLUENCE[wildcards.method],
        gradients=lambda wildcards: GRADIENTS[INFLUENCE[wildcards.method]["gradients"]],
        version=3,
    script:
        "../../scripts/attribute_by_influence.py"
