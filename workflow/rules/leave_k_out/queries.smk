# The queries that the source model generates, or that others published, and its own outcome on them.

GIVEN_QUERIES = PUBLISHED.queries
# Whether their pictures are published, too, and nothing is generated.
PICTURES_GIVEN = bool(GIVEN_QUERIES and (GIVEN_QUERIES.latents or GIVEN_QUERIES.pictures))
# The queries' prompts, if they are not sampled.
CHOSEN = {"chosen": "<results>/queries/prompts.parquet"} if GIVEN_QUERIES else {}
# What generates the pictures of prompts, and the file with the prompts.
SAMPLER = {
    "prompts": ancient(PROMPTS),
    "dataset_checksum": DATASET_CHECKSUM,
    "weights": "<results>/source/model.safetensors",
    "vae": "<results>/encoders/vae",
    "tokenizer": "<results>/encoders/tokenizer",
    "text_encoder": "<results>/encoders/text_encoder",
    "null_text": "<results>/data/null_text.npy",
}


if GIVEN_QUERIES:

    rule import_prompts:
        input:
            fetched=fetched(GIVEN_QUERIES.prompts),
        output:
            table="<results>/queries/prompts.parquet",
        log:
            "<logs>/import_prompts.log",
        benchmark:
            "<benchmarks>/import_prompts.tsv"
        params:
            file=path_of(GIVEN_QUERIES.prompts),
            content=lambda wildcards: content_of(GIVEN_QUERIES.prompts),
            test=POOL,
            tuning=TUNING_QUERIES,
            teacher=TEACHER_QUERIES,
            seed=config["queries"]["seed"],
        script:
            "../../scripts/import_prompts.py"


if PICTURES_GIVEN:

    rule import_queries:
        input:
            **CHOSEN,
            fetched=fetched(GIVEN_QUERIES.latents, GIVEN_QUERIES.pictures),
            vae="<results>/encoders/vae",
            tokenizer="<results>/encoders/tokenizer",
            text_encoder="<results>/encoders/text_encoder",
        output:
            table="<results>/queries/queries.parquet",
            latents="<results>/queries/latents.npy",
            text="<results>/queries/text.npy",
            images=pictures_of(QUERIES),
        log:
            "<logs>/import_queries.log",
        benchmark:
            "<benchmarks>/import_queries.tsv"
        group:
            batched("source")
        resources:
            **resources_for(EXPECTED.decoding(len(QUERIES))),
            **hardware(batch="encode_batch"),
        params:
            model=config["model"],
            image_size=DATASET["image_size"],
            latents=path_of(GIVEN_QUERIES.latents),
            pictures=path_of(GIVEN_QUERIES.pictures),
            names=QUERIES,
        script:
            "../../scripts/import_queries.py"

    use rule import_queries as import_teacher_queries with:
        output:
            table="<results>/teacher/queries.parquet",
            latents="<results>/teacher/latents.npy",
            text="<results>/teacher/text.npy",
            images=directory("<results>/teacher/images"),
        log:
            "<logs>/import_teacher_queries.log",
        benchmark:
            "<benchmarks>/import_teacher_queries.tsv"
        resources:
            **resources_for(EXPECTED.decoding(len(TEACHER_QUERIES))),
            **hardware(batch="encode_batch"),
        params:
            names=TEACHER_QUERIES,

else:

    rule sample_queries:
        input:
            **SAMPLER,
            **CHOSEN,
            images=ancient("<results>/data/images.parquet"),
        output:
            table="<results>/queries/queries.parquet",
            latents="<results>/queries/latents.npy",
            text="<results>/queries/text.npy",
            images=pictures_of(QUERIES),
        log:
            "<logs>/sample_queries.log",
        benchmark:
            "<benchmarks>/sample_queries.tsv"
        group:
            batched("source")
        resources:
            **resources_for(EXPECTED.sampling(len(QUERIES))),
            **hardware(batch="encode_batch"),
        params:
            **sections("model", "sampling"),
            **{
                key: config["queries"][key]
                for key in ("seed", "subjects")
                if key in config["queries"]
            },
            test=POOL,
            tuning=TUNING_QUERIES,
        script:
            "../../scripts/sample_queries.py"

    # They depend on the study's queries only because no prompt may belong to both.
    use rule sample_queries as sample_teacher_queries with:
        input:
            **SAMPLER,
            **CHOSEN,
            drawn=ancient("<results>/queries/queries.parquet"),
            images=ancient("<results>/data/images.parquet"),
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
            **hardware(batch="encode_batch"),
        params:
            test=[],
            teacher=TEACHER_QUERIES,


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
    resources:
        **resources_for(EXPECTED.query_losses(len(QUERIES))),
        **hardware(batch="forward_batch"),
    params:
        **sections("model", "evaluation"),
        of="query",
        names=QUERIES,
    script:
        "../../scripts/evaluate_source.py"
