# The source model θ0, the queries it generates, its Fisher information and its losses.


SOURCE_MODEL = config["published"]["source_model"]

if SOURCE_MODEL:

    rule import_source:
        input:
            fetched="<results>/encoders/unet" if isinstance(SOURCE_MODEL, dict) else [],
        output:
            weights="<results>/source/model.safetensors",
        log:
            "<logs>/import_source.log",
        benchmark:
            "<benchmarks>/import_source.tsv"
        localrule: True
        conda:
            CONDA
        params:
            file=SOURCE_MODEL,
            model=config["model"],
            version=1,
        script:
            "../scripts/import_source.py"

else:

    rule train_source:
        input:
            **ENCODED,
        output:
            weights="<results>/source/model.safetensors",
        log:
            "<logs>/train_source.log",
        benchmark:
            "<benchmarks>/train_source.tsv"
        group:
            batched("source")
        conda:
            CONDA
        threads: HARDWARE["training_threads"]
        resources:
            **ask(COSTS.training()),
            device_data_gb=HARDWARE["device_data_gb"],
            checkpoint_seconds=HARDWARE["checkpoint_seconds"],
            compile=int(HARDWARE["compile"]),
        params:
            model=config["model"],
            training=config["training"],
            version=1,
        script:
            "../scripts/train_source.py"


if not MODELS:  # of customized models see customized.smk

    rule sample_queries:
        input:
            prompts=ancient(f"{ROOT}/{DATASET['prompt_annotations']}"),
            dataset_checksum=f"{ROOT}/dataset.json",
            images=ancient("<results>/data/images.parquet"),
            weights="<results>/source/model.safetensors",
            vae="<results>/encoders/vae",
            tokenizer="<results>/encoders/tokenizer",
            text_encoder="<results>/encoders/text_encoder",
            null_text="<results>/data/null_text.npy",
        output:
            table="<results>/queries/queries.parquet",
            latents="<results>/queries/latents.npy",
            text="<results>/queries/text.npy",
            images=collect("<results>/queries/images/{query}.png", query=QUERIES),
        log:
            "<logs>/sample_queries.log",
        benchmark:
            "<benchmarks>/sample_queries.tsv"
        group:
            batched("source")
        conda:
            CONDA
        resources:
            **ask(COSTS.sampling(len(QUERIES))),
            batch=HARDWARE["encode_batch"],
        params:
            test=TEST_QUERIES,
            tuning=TUNING_QUERIES,
            model=config["model"],
            sampling=config["sampling"],
            seed=config["queries"]["seed"],
            version=1,
        script:
            "../scripts/sample_queries.py"

    rule source_query_losses:
        input:
            weights="<results>/source/model.safetensors",
            queries="<results>/queries/queries.parquet",
            latents="<results>/queries/latents.npy",
            text="<results>/queries/text.npy",
        output:
            losses="<results>/losses/queries.npy",
        log:
            "<logs>/source_query_losses.log",
        benchmark:
            "<benchmarks>/source_query_losses.tsv"
        group:
            batched("source")
        conda:
            CONDA
        resources:
            **ask(COSTS.query_losses(len(QUERIES))),
            batch=HARDWARE["forward_batch"],
        params:
            names=QUERIES,
            model=config["model"],
            evaluation=config["evaluation"],
            version=1,
        script:
            "../scripts/source_query_losses.py"


rule estimate_fisher:
    input:
        **ENCODED,
        weights="<results>/source/model.safetensors",
    output:
        fisher="<results>/fisher/{weights}.safetensors",
    log:
        "<logs>/estimate_fisher/{weights}.log",
    benchmark:
        "<benchmarks>/estimate_fisher/{weights}.tsv"
    group:
        batched("source")
    conda:
        CONDA
    resources:
        **ask(COSTS.fisher()),
        batch=HARDWARE["per_sample_batch"],
        device_data_gb=HARDWARE["device_data_gb"],
    params:
        model=config["model"],
        fisher=config["fisher"],
        curvature="diagonal",
        version=1,
    script:
        "../scripts/estimate_fisher.py"


use rule estimate_fisher as estimate_ekfac with:
    output:
        fisher="<results>/ekfac/{weights}.safetensors",
    log:
        "<logs>/estimate_ekfac/{weights}.log",
    benchmark:
        "<benchmarks>/estimate_ekfac/{weights}.tsv"
    resources:
        **ask(COSTS.ekfac()),
        batch=HARDWARE["per_sample_batch"],
        device_data_gb=HARDWARE["device_data_gb"],
    params:
        model=config["model"],
        fisher=config["fisher"],
        curvature="ekfac",
        version=1,


rule source_losses:
    input:
        **SCORED,
        weights=lambda wildcards: weights_of(wildcards.model),
    output:
        losses="<results>/losses/{model}/{objective}.npy",
    log:
        "<logs>/source_losses/{model}/{objective}.log",
    benchmark:
        "<benchmarks>/source_losses/{model}/{objective}.tsv"
    group:
        batched("scores" if MODELS else "source")  # not amid customization
    conda:
        CONDA
    resources:
        **ask(COSTS.sweep()),
        batch=HARDWARE["forward_batch"],
        device_data_gb=HARDWARE["device_data_gb"],
        checkpoint_seconds=HARDWARE["checkpoint_seconds"],
    params:
        model=config["model"],
        losses=config["losses"],
        version=1,
    script:
        "../scripts/source_losses.py"
