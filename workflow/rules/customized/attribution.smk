# Influence of customized models: each has gradients of its own, and scores its own queries.


rule mark_trained:
    input:
        images=ancient("<results>/data/images.parquet"),
        pixels_checksum="<results>/data/pixels.json",
    output:
        trained="<results>/models/{model}/trained.npy",
    log:
        "<logs>/mark_trained/{model}.log",
    benchmark:
        "<benchmarks>/mark_trained/{model}.tsv"
    localrule: True
    conda:
        CONDA
    script:
        "../../scripts/customized/mark_trained.py"


use rule attribute_by_influence as attribute_customized_by_influence with:
    input:
        **QUERY_FILES,
        trained="<results>/models/{model}/trained.npy",
        weights=lambda wildcards: weights_of(wildcards.model),
        gradients=lambda wildcards: [
            "<results>/gradients/{gradients}/{model}.npy".format(
                model=wildcards.model, **INFLUENCE[wildcards.method]
            )
        ],
        losses=lambda wildcards: [f"<results>/losses/{wildcards.model}/loss.npy"]
        * (INFLUENCE[wildcards.method]["solver"] == "das"),
    output:
        scores=collect(
            "<results>/attribution/{{method}}/{{model}}-{number}.npy",
            number=TEST_NUMBERS + TUNING_NUMBERS,
        ),
        halves=collect(
            "<results>/repeatability/{{method}}/{{model}}-{number}.npy",
            number=TEST_NUMBERS + TUNING_NUMBERS,
        ),
    log:
        "<logs>/attribution/{method}/{model}.log",
    benchmark:
        "<benchmarks>/attribution/{method}/{model}.tsv"
    params:
        names=lambda wildcards: [
            f"{wildcards.model}-{number}" for number in TEST_NUMBERS + TUNING_NUMBERS
        ],
        model=config["model"],
        influence=lambda wildcards: INFLUENCE[wildcards.method],
        gradients=lambda wildcards: GRADIENTS[INFLUENCE[wildcards.method]["gradients"]],
        version=3,


ruleorder: attribute_customized_by_influence > attribute_by_influence
