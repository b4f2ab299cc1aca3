# The Customized Model benchmark: models customized on a few exemplars generate queries, and methods
# have to find the exemplars again among the images of a pool. Fisher information, unlearning, sweeps,
# features and gradients are those of all experiments.

KINDS = EXPERIMENT.customized.kinds()
CUSTOMIZATION = CUSTOMIZED["training"]
BASE = "<results>/source/model.safetensors"


if CUSTOMIZATION:

    rule customize:
        input:
            **ENCODED,
            weights=BASE,
            tokenizer="<results>/encoders/tokenizer",
            text_encoder="<results>/encoders/text_encoder",
        output:
            folder=directory("<results>/models/{model}/custom_diffusion"),
        log:
            "<logs>/customize/{model}.log",
        benchmark:
            "<benchmarks>/customize/{model}.tsv"
        group:
            batched("models")
        conda:
            CONDA
        resources:
            **ask(COSTS.customization()),
            device_data_gb=HARDWARE["device_data_gb"],
        params:
            model=config["model"],
            training=CUSTOMIZATION,
            version=1,
        script:
            "../scripts/customize.py"


rule import_customization:
    input:
        folder="<results>/models/{model}/custom_diffusion" if CUSTOMIZATION else [],
        weights=[] if CUSTOMIZATION else given_weights,
    output:
        weights="<results>/models/{model}/weights.safetensors",
        token="<results>/models/{model}/token.safetensors",
    log:
        "<logs>/import_customization/{model}.log",
    benchmark:
        "<benchmarks>/import_customization/{model}.tsv"
    localrule: True
    conda:
        CONDA
    params:
        **({} if CUSTOMIZATION else {"token": given_token}),
        folder=lambda wildcards, input: input.folder or f"{CUSTOMIZED['root']}/{wildcards.model}",
        model=config["model"],
        version=1,
    script:
        "../scripts/import_customization.py"


rule add_tokens:
    input:
        tokens=collect("<results>/models/{model}/token.safetensors", model=MODELS),
        tokenizer="<results>/encoders/tokenizer",
        text_encoder="<results>/encoders/text_encoder",
    output:
        tokenizer=directory("<results>/customized/tokenizer"),
        text_encoder=directory("<results>/customized/text_encoder"),
    log:
        "<logs>/add_tokens.log",
    benchmark:
        "<benchmarks>/add_tokens.tsv"
    localrule: True
    conda:
        CONDA
    params:
        models=MODELS,
        version=1,
    script:
        "../scripts/add_tokens.py"


# The base model's text states know no token; these do, and are the same for the pool.
use rule encode_text as encode_customized_text with:
    input:
        **PIXELS,
        tokenizer="<results>/customized/tokenizer",
        text_encoder="<results>/customized/text_encoder",
    output:
        text="<results>/customized/text.npy",
        null_text="<results>/customized/null_text.npy",
        checksum="<results>/customized/text.json",
    log:
        "<logs>/encode_customized_text.log",
    benchmark:
        "<benchmarks>/encode_customized_text.tsv"
    group:
        batched("queries")


rule sample_customized:
    input:
        **(
            {}
            if CUSTOMIZED["queries"] == "given"
            else {
                "weights": BASE,
                "changes": collect("<results>/models/{model}/weights.safetensors", model=MODELS),
                "null_text": "<results>/customized/null_text.npy",
            }
        ),
        # The digits' prompts are written with their exemplars.
        dataset_checksum=[] if GIVEN else DATASET_CHECKSUM,
        prompts=[present(f"{CUSTOMIZED['root']}/{m}/queries.json") for m in MODELS if GIVEN],
        pictures=[
            str(path)
            for m in MODELS
            if CUSTOMIZED["queries"] == "given"
            for path in sorted(Path(CUSTOMIZED["root"], m, "queries").glob("*"))
        ],
        vae="<results>/encoders/vae",
        tokenizer="<results>/customized/tokenizer",
        text_encoder="<results>/customized/text_encoder",
    output:
        table="<results>/queries/queries.parquet",
        latents="<results>/queries/latents.npy",
        text="<results>/queries/text.npy",
        text_without_token="<results>/queries/text_without_token.npy",
        images=collect("<results>/queries/images/{query}.png", query=QUERIES),
    log:
        "<logs>/sample_customized.log",
    benchmark:
        "<benchmarks>/sample_customized.tsv"
    group:
        batched("queries")
    conda:
        CONDA
    resources:
        **ask(COSTS.sampling(len(QUERIES))),
        batch=HARDWARE["encode_batch"],
    params:
        root=CUSTOMIZED["root"],
        given=CUSTOMIZED["queries"] == "given",
        # The test and the tuning queries of each model.
        queries={
            model: [
                [f"{model}-{n}" for n in numbers] for numbers in (TEST_NUMBERS, TUNING_NUMBERS)
            ]
            for model in MODELS
        },
        size=DATASET["image_size"],
        model=config["model"],
        sampling=config["sampling"],
        seed=config["queries"]["seed"],
        version=1,
    script:
        "../scripts/sample_customized.py"


rule measure_retrieval:
    input:
        images=ancient("<results>/data/images.parquet"),
        pixels_checksum="<results>/data/pixels.json",
        scores=collect(
            "<results>/attribution/{method}/{query}.npy", method=METHODS, query=TEST_QUERIES
        ),
    output:
        retrievals="<results>/tables/retrievals.csv",
        summary="<results>/tables/summary.csv",
        comparisons="<results>/tables/comparisons.csv",
        dictionary="<results>/tables/dictionary.csv",
    log:
        "<logs>/measure_retrieval.log",
    benchmark:
        "<benchmarks>/measure_retrieval.tsv"
    localrule: True
    conda:
        CONDA
    params:
        kinds=KINDS,
        version=1,
    script:
        "../scripts/measure_retrieval.py"


use rule measure_retrieval as measure_tuning with:
    input:
        images=ancient("<results>/data/images.parquet"),
        pixels_checksum="<results>/data/pixels.json",
        scores=collect(
            "<results>/attribution/{method}/{query}.npy",
            method=TUNING["methods"],
            query=TUNING_QUERIES,
        ),
    output:
        retrievals="<results>/tables/tuning_retrievals.csv",
        summary="<results>/tables/tuning.csv",
        comparisons="<results>/tables/tuning_comparisons.csv",
        dictionary="<results>/tables/tuning_dictionary.csv",
    log:
        "<logs>/measure_tuning.log",
    benchmark:
        "<benchmarks>/measure_tuning.tsv"
    localrule: True


rule plot_retrieval:
    input:
        summary="<results>/tables/summary.csv",
    output:
        png="<results>/figures/retrieval.png",
        pdf="<results>/figures/retrieval.pdf",
        svg="<results>/figures/retrieval.svg",
    log:
        "<logs>/plot_retrieval.log",
    benchmark:
        "<benchmarks>/plot_retrieval.tsv"
    localrule: True
    conda:
        CONDA
    params:
        figure="retrieval",
        methods=METHODS,
        version=1,
    script:
        "../scripts/plot.py"


# The first queries of each model, so that the report shows all models.
GALLERY = [
    f"{model}-{number}"
    for model in MODELS
    for number in TEST_NUMBERS[: max(1, config["report"]["gallery_queries"] // len(MODELS))]
]


rule write_custom_report:
    input:
        retrievals="<results>/tables/retrievals.csv",
        summary="<results>/tables/summary.csv",
        comparisons="<results>/tables/comparisons.csv",
        dictionary="<results>/tables/dictionary.csv",
        figures=["<results>/figures/retrieval.svg"],
        queries="<results>/queries/queries.parquet",
        pictures=collect("<results>/queries/images/{query}.png", query=GALLERY),
        pixels=ancient("<results>/data/pixels.npy"),
        images=ancient("<results>/data/images.parquet"),
        pixels_checksum="<results>/data/pixels.json",
        scores=collect("<results>/attribution/{method}/{query}.npy", method=METHODS, query=GALLERY),
        template=f"{workflow.basedir}/workflow/report/custom.html.jinja",
    output:
        "<results>/report.html",
    log:
        "<logs>/write_custom_report.log",
    benchmark:
        "<benchmarks>/write_custom_report.tsv"
    localrule: True
    conda:
        CONDA
    params:
        config={key: value for key, value in config.items() if key != "hardware"},
        gallery=GALLERY,
        top=config["report"]["top_images"],
        # Folders are no inputs, and path variables do not stand in params.
        benchmarks=f"results/{config['experiment']}/benchmarks",
        logs=f"results/{config['experiment']}/logs",
        version=1,
    script:
        "../scripts/write_custom_report.py"


# What an experiment on customized models is run for.
RESULTS = [
    "<results>/tables/summary.csv",
    "<results>/figures/retrieval.png",
    "<results>/report.html",
    collect("<results>/figures/attributed/{query}.png", query=TEST_QUERIES),
]
