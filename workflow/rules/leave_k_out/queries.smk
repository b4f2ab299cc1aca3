# The queries that the source model generates, and its own outcome on them.


rule sample_queries:
    input:
        prompts=ancient(PROMPTS),
        dataset_checksum=DATASET_CHECKSUM,
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
        **resources_for(EXPECTED.sampling(len(QUERIES))),
        batch=HARDWARE["encode_batch"],
    params:
        test=TEST_QUERIES,
        tuning=TUNING_QUERIES,
        model=config["model"],
        sampling=config["sampling"],
        seed=config["queries"]["seed"],
    script:
        "../../scripts/sample_queries.py"


# It depends on the study's queries only in that they must not have its prompts.
use rule sample_queries as sample_teacher_queries with:
    input:
        drawn=ancient("<results>/queries/queries.parquet"),
        prompts=ancient(PROMPTS),
        dataset_checksum=DATASET_CHECKSUM,
        images=ancient("<results>/data/images.parquet"),
        weights="<results>/source/model.safetensors",
        vae="<results>/encoders/vae",
        tokenizer="<results>/encoders/tokenizer",
        text_encoder="<results>/encoders/text_encoder",
        null_text="<results>/data/null_text.npy",
    output:
        table="<results>/teacher/queries.parquet",
        latents="<results>/teacher/latents.npy",
        text="<results>/teacher/text.npy",
        images=directory("<results>/teacher/images"),
    log:
        "<logs>/sample_teacher_queries.log",
    benchmark:
        "<benchmarks>/sample_teacher_queries.tsv"
    resources:
        **resources_for(EXPECTED.sampling(len(TEACHER_QUERIES))),
        batch=HARDWARE["encode_batch"],
    params:
        test=[],
        tuning=TUNING_QUERIES,
        teacher=TEACHER_QUERIES,
        model=config["model"],
        sampling=config["sampling"],
        seed=config["queries"]["seed"],


rule evaluate_source:
    input:
        **QUERY_FILES,
        weights="<results>/source/model.safetensors",
        # One picture stands for its folder: thousands of inputs would slow the planning.
        pictures=f"<results>/queries/images/{QUERIES[0]}.png",
    output:
        outcome="<results>/source/outcome.safetensors",
    log:
        "<logs>/evaluate_source.log",
    benchmark:
        "<benchmarks>/evaluate_source.tsv"
    group:
        batched("source")
    conda:
        CONDA
    resources:
        **resources_for(EXPECTED.query_losses(len(QUERIES))),
        batch=HARDWARE["forward_batch"],
    params:
        of="query",
        names=QUERIES,
        model=config["model"],
        evaluation=config["evaluation"],
    script:
        "../../scripts/evaluate_source.py"
