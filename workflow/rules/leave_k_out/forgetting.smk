# The forgetting check: after unlearning a query, and in its leave-K-out models, how far do the query
# itself, related prompts and the other queries deviate from the source model's pictures? Leave-K-out
# models are evaluated on all of them when they are trained; see `removals.top_k`.


RELATED_NAMES = [name for names in RELATED.values() for name in names]


rule sample_related:
    input:
        **SAMPLER,
        train_images=ancient("<results>/data/images.parquet"),
        queries="<results>/queries/queries.parquet",
        clip="<results>/encoders/clip",
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
    resources:
        **resources_for(EXPECTED.sampling(len(RELATED_NAMES))),
        **hardware(batch="encode_batch"),
    params:
        **sections("model", "sampling"),
        names=RELATED,
        seed=FORGETTING["seed"],
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
        **hardware(batch="forward_batch"),
    params:
        of="related",
        names=RELATED_NAMES,


rule tabulate_forgetting:
    input:
        collect("<results>/measurements/forgetting/{method}.parquet", method=FORGETTING["methods"]),
    output:
        table="<results>/tables/forgetting.csv",
    log:
        "<logs>/tabulate_forgetting.log",
    benchmark:
        "<benchmarks>/tabulate_forgetting.tsv"
    script:
        "../../scripts/write_table.py"
