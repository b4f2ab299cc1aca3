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
        scores=collect("<results>/attribution/{{method}}/{query}.npy", query=QUERIES),
        halves=collect("<results>/repeatability/{{method}}/{query}.npy", query=QUERIES),
    log:
        "<logs>/attribution/{method}.log",
    benchmark:
        "<benchmarks>/attribution/{method}.tsv"
    wildcard_constraints:
        method=one_of(EKFAC_METHODS),
    group:
        batched("scores")
    conda:
        CONDA
    resources:
        **resources_for(scoring_cost),
        # The queries' directions are on the GPU, too.
        device_data_gb=max(0, HARDWARE["device_data_gb"] - EKFAC_INFLUENCE.directions_gb(EXPECTED)),
        batch=HARDWARE["per_sample_batch"],
        gradient_batch=HARDWARE["gradient_batch"],
        checkpoint_seconds=HARDWARE["checkpoint_seconds"],
    params:
        names=QUERIES,
        model=config["model"],
        fisher=config["fisher"],
        influence=lambda wildcards: EKFAC_METHODS[wildcards.method],
    script:
        "../../scripts/attribute_by_ekfac_influence.py"
