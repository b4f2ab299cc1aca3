# The forgetting check: after unlearning a query, and in its leave-K-out models, how far do the query
# itself, related prompts and the other queries deviate from the source model's pictures? Leave-K-out
# models are evaluated on all of them when they are trained; see `removal.TopK`.


rule sample_related:
    input:
        prompts=ancient(PROMPTS),
        dataset_checksum=DATASET_CHECKSUM,
        train_images=ancient("<results>/data/images.parquet"),
        queries="<results>/queries/queries.parquet",
        weights="<results>/source/model.safetensors",
        vae="<results>/encoders/vae",
        clip="<results>/encoders/clip",
        tokenizer="<results>/encoders/tokenizer",
        text_encoder="<results>/encoders/text_encoder",
        null_text="<results>/data/null_text.npy",
    output:
        table="<results>/related/queries.parquet",
        latents="<results>/related/latents.npy",
        text="<results>/related/text.npy",
        images=directory("<results>/related/images"),
    log:
        "<logs>/sample_related.log",
    benchmark:
        "<benchmarks>/sample_related.tsv"
    group:
        batched("source")
    conda:
        CONDA
    resources:
        **resources_for(EXPECTED.sampling(len(RELATED_NAMES))),
        batch=HARDWARE["encode_batch"],
    params:
        names=RELATED,
        seed=FORGETTING["seed"],
        model=config["model"],
        sampling=config["sampling"],
    script:
        "../../scripts/sample_related.py"


use rule evaluate_source as evaluate_source_on_related with:
    input:
        **RELATED_FILES,
        weights="<results>/source/model.safetensors",
        pictures="<results>/related/images",
    output:
        outcome="<results>/source/related.safetensors",
    log:
        "<logs>/evaluate_source_on_related.log",
    benchmark:
        "<benchmarks>/evaluate_source_on_related.tsv"
    resources:
        **resources_for(EXPECTED.query_losses(len(RELATED_NAMES))),
        batch=HARDWARE["forward_batch"],
    params:
        of="related",
        names=RELATED_NAMES,
        model=config["model"],
        evaluation=config["evaluation"],


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
    conda:
        CONDA
    resources:
        **resources_for(
            lambda wildcards: EXPECTED.unlearned(
                wildcards.method, len(TEST_QUERIES) + FORGETTING["related"]
            )
        ),
        batch=HARDWARE["forward_batch"],
        gradient_batch=HARDWARE["gradient_batch"],
    params:
        images=DATASET["images"],
        about=lambda wildcards: unlearned(wildcards.method, wildcards.query).as_dict(),
        model=config["model"],
        sampling=config["sampling"],
        evaluation=config["evaluation"],
        unlearning=lambda wildcards: unlearning_settings(wildcards.method),
        box=lambda wildcards: UNLEARNING[wildcards.method]["boxes"].get(wildcards.query),
    script:
        "../../scripts/unlearn_query.py"


rule tabulate_forgetting:
    input:
        collect("<results>/measurements/forgetting/{method}.parquet", method=FORGETTING["methods"]),
    output:
        table="<results>/tables/forgetting.csv",
    log:
        "<logs>/tabulate_forgetting.log",
    benchmark:
        "<benchmarks>/tabulate_forgetting.tsv"
    localrule: True
    conda:
        CONDA
    script:
        "../../scripts/tabulate_forgetting.py"
