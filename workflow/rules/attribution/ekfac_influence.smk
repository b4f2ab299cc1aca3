# Influence by EK-FAC: every entry under `ekfac_influence:` in the configuration.

from leavekout.methods.ekfac_influence.family import EKFAC_INFLUENCE

EKFAC_METHODS = config["ekfac_influence"]


rule attribute_by_ekfac_influence:
    input:
        **SCORED,
        **QUERY_FILES,
        weights=weights_of("source"),
        curvature=lambda wildcards: (
            "<results>/gauss_newton/{weights}.safetensors".format(
                **EKFAC_METHODS[wildcards.method]
            )
        ),
    output:
        scores=scores_of("{method}", QUERIES),
        halves=halves_of("{method}", QUERIES),
    log:
        "<logs>/attribution/{method}.log",
    benchmark:
        "<benchmarks>/attribution/{method}.tsv"
    wildcard_constraints:
        method=one_of(EKFAC_METHODS),
    group:
        batched("scores")
    resources:
        **resources_for(scoring_cost),
        **hardware(
            "device_data_gb",
            "gradient_batch",
            "checkpoint_seconds",
            batch="per_sample_batch",
        ),
        queries_at_once=EKFAC_INFLUENCE.queries_at_once(EXPECTED),
    params:
        **sections("model", "fisher"),
        names=QUERIES,
        influence=lambda wildcards: EKFAC_METHODS[wildcards.method],
    script:
        "../../scripts/attribute_by_ekfac_influence.py"
