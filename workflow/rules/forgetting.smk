# The forgetting check: after unlearning a query, and in its leave-K-out models, how far do the query
# itself, related prompts and the other queries deviate from the source model's pictures?

FORGETTING = config["forgetting"] or {"methods": [], "k": [], "related": 0, "seed": 0}
RELATED = [f"{query}-r{i:02d}" for query in TEST_QUERIES for i in range(FORGETTING["related"])]


rule sample_related:
    input:
        prompts=ancient(f"{ROOT}/{DATASET['prompt_annotations']}"),
        dataset_checksum=f"{ROOT}/dataset.json",
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
        **ask(COSTS.sampling(len(RELATED))),
        batch=HARDWARE["encode_batch"],
    params:
        queries=TEST_QUERIES,
        related=FORGETTING["related"],
        seed=FORGETTING["seed"],
        model=config["model"],
        sampling=config["sampling"],
        version=1,
    script:
        "../scripts/sample_related.py"


use rule source_query_losses as source_related_losses with:
    input:
        weights="<results>/source/model.safetensors",
        queries="<results>/related/queries.parquet",
        latents="<results>/related/latents.npy",
        text="<results>/related/text.npy",
    output:
        losses="<results>/losses/related.npy",
    log:
        "<logs>/source_related_losses.log",
    benchmark:
        "<benchmarks>/source_related_losses.tsv"
    resources:
        **ask(COSTS.query_losses(len(RELATED))),
        batch=HARDWARE["forward_batch"],
    params:
        names=RELATED,
        model=config["model"],
        evaluation=config["evaluation"],
        version=1,


rule unlearn_query:
    input:
        weights="<results>/source/model.safetensors",
        queries="<results>/queries/queries.parquet",
        query_latents="<results>/queries/latents.npy",
        query_text="<results>/queries/text.npy",
        fisher=lambda wildcards: CURVATURE_OF[wildcards.method],
    output:
        weights=weights_file("<results>/retrained/{method}/{query}/unlearned/model.safetensors"),
    log:
        "<logs>/unlearn_query/{method}/{query}.log",
    benchmark:
        "<benchmarks>/unlearn_query/{method}/{query}.tsv"
    wildcard_constraints:
        method=one_of(UNLEARNING),
    group:
        batched("cells")
    conda:
        CONDA
    resources:
        **ask(lambda wildcards: COSTS.unlearning(wildcards.method, sweep=False)),
        gradient_batch=HARDWARE["gradient_batch"],
    params:
        images=DATASET["images"],
        model=config["model"],
        unlearning=lambda wildcards: unlearning_settings(wildcards.method),
        box=lambda wildcards: UNLEARNING[wildcards.method]["boxes"].get(wildcards.query),
        version=1,
    script:
        "../scripts/unlearn_query.py"


# A model that forgot a query, looked at through the queries and through its related prompts.
rule check_queries:
    input:
        **EVALUATED_WITH,
        weights="<results>/retrained/{method}/{query}/{model}/model.safetensors",
    output:
        measures="<results>/forgetting/{method}/{query}/{model}/queries.json",
        regenerated="<results>/forgetting/{method}/{query}/{model}/queries.png",
    log:
        "<logs>/forgetting/{method}/{query}/{model}/queries.log",
    benchmark:
        "<benchmarks>/forgetting/{method}/{query}/{model}/queries.tsv"
    wildcard_constraints:
        model=r"unlearned|k\d+",
    priority: 1
    group:
        batched("cells")
    conda:
        CONDA
    resources:
        **ask(COSTS.evaluation(len(TEST_QUERIES))),
        batch=HARDWARE["forward_batch"],
    params:
        names=TEST_QUERIES,
        seed=config["training"]["seed"],
        model=config["model"],
        sampling=config["sampling"],
        evaluation=config["evaluation"],
        version=1,
    script:
        "../scripts/evaluate.py"


use rule check_queries as check_related with:
    input:
        queries="<results>/related/queries.parquet",
        latents="<results>/related/latents.npy",
        text="<results>/related/text.npy",
        losses="<results>/losses/related.npy",
        pictures="<results>/related/images",
        null_text="<results>/data/null_text.npy",
        vae="<results>/encoders/vae",
        clip="<results>/encoders/clip",
        weights="<results>/retrained/{method}/{query}/{model}/model.safetensors",
    output:
        measures="<results>/forgetting/{method}/{query}/{model}/related.json",
        regenerated="<results>/forgetting/{method}/{query}/{model}/related.png",
    log:
        "<logs>/forgetting/{method}/{query}/{model}/related.log",
    benchmark:
        "<benchmarks>/forgetting/{method}/{query}/{model}/related.tsv"
    resources:
        **ask(COSTS.evaluation(FORGETTING["related"])),
        batch=HARDWARE["forward_batch"],
    params:
        names=lambda wildcards: [name for name in RELATED if name.startswith(f"{wildcards.query}-")],
        seed=config["training"]["seed"],
        model=config["model"],
        sampling=config["sampling"],
        evaluation=config["evaluation"],
        version=1,


FORGOTTEN = {
    "method": FORGETTING["methods"],
    "query": TEST_QUERIES,
    "model": ["unlearned", *(f"k{k}" for k in FORGETTING["k"])],
}


rule tabulate_forgetting:
    input:
        queries=collect("<results>/forgetting/{method}/{query}/{model}/queries.json", **FORGOTTEN),
        related=collect("<results>/forgetting/{method}/{query}/{model}/related.json", **FORGOTTEN),
    output:
        table="<results>/tables/forgetting.csv",
    log:
        "<logs>/tabulate_forgetting.log",
    benchmark:
        "<benchmarks>/tabulate_forgetting.tsv"
    localrule: True
    conda:
        CONDA
    params:
        cases=collect("{method}/{query}/{model}", **FORGOTTEN),
        version=1,
    script:
        "../scripts/tabulate_forgetting.py"


# What a leave-K-out experiment is run for.
RESULTS = [
    # The evaluations are named, too, so that a deleted one is made again.
    TEST_EVALUATIONS,
    CONTROLS,
    "<results>/tables/headline.tex",
    "<results>/tables/forgetting.csv" if FORGETTING["methods"] else [],
    "<results>/report.html",
    collect("<results>/figures/attributed/{query}.png", query=TEST_QUERIES),
    collect("<results>/figures/regenerated/{query}.png", query=TEST_QUERIES),
]
