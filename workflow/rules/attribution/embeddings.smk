# Attribution by similarity of features: every entry under `embeddings:` in the configuration.

from leavekout.methods.embeddings.family import EMBEDDINGS as EMBEDDINGS_FAMILY

EMBEDDINGS = config["embeddings"]
# Learned layers: files of the user's, and published ones that are fetched.
MAPPERS = {name: entry["mapper"] for name, entry in EMBEDDINGS.items() if entry["mapper"]}
MAPPERS.update(registry.downloads(EXPERIMENT))


TRIED["import_mapper"] = EMBEDDINGS_FAMILY.try_mapper


rule encode_features:
    input:
        **PIXELS,
        encoder="<results>/encoders/{encoder}",
    output:
        features="<results>/features/{encoder}/{of}.npy",
    log:
        "<logs>/encode_features/{encoder}/{of}.log",
    benchmark:
        "<benchmarks>/encode_features/{encoder}/{of}.tsv"
    wildcard_constraints:
        of="image|text",
    group:
        batched("scores")
    resources:
        **resources_for(EXPECTED.features()),
        **hardware("checkpoint_seconds", batch="encode_batch"),
    params:
        flips=2 if DATASET["flips"] else 1,
    script:
        "../../scripts/encode_features.py"


rule import_mapper:
    input:
        fetched=lambda wildcards: fetched(MAPPERS[wildcards.method]),
    output:
        mapper="<results>/mappers/{method}.safetensors",
    log:
        "<logs>/import_mapper/{method}.log",
    benchmark:
        "<benchmarks>/import_mapper/{method}.tsv"
    wildcard_constraints:
        method=one_of(MAPPERS),
    params:
        file=lambda wildcards: path_of(MAPPERS[wildcards.method]),
        content=lambda wildcards: content_of(MAPPERS[wildcards.method]),
        version=2,
    script:
        "../../scripts/import_mapper.py"


rule attribute_by_embeddings:
    input:
        queries="<results>/queries/queries.parquet",
        pictures=pictures_of(QUERIES),
        encoder=lambda wildcards: f"<results>/encoders/{EMBEDDINGS[wildcards.method]['encoder']}",
        features=lambda wildcards: (
            "<results>/features/{encoder}/{features}.npy".format(**EMBEDDINGS[wildcards.method])
        ),
        mapper=lambda wildcards: (
            f"<results>/mappers/{wildcards.method}.safetensors"
            if wildcards.method in MAPPERS
            else []
        ),
    output:
        scores=scores_of("{method}", QUERIES),
    log:
        "<logs>/attribution/{method}.log",
    benchmark:
        "<benchmarks>/attribution/{method}.tsv"
    wildcard_constraints:
        method=one_of(EMBEDDINGS),
    group:
        batched("scores")
    resources:
        **resources_for(EXPECTED.similarity(len(QUERIES))),
    params:
        features=lambda wildcards: EMBEDDINGS[wildcards.method]["features"],
    script:
        "../../scripts/attribute_by_embeddings.py"
