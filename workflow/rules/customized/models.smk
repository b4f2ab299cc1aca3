# The customized models: made here or taken from folders, and the queries that they generate.

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
        resources:
            **resources_for(EXPECTED.customization()),
            **hardware("device_data_gb"),
        params:
            model=config["model"],
            training=CUSTOMIZATION,
        script:
            "../../scripts/customized/customize.py"


rule import_customization:
    input:
        folder="<results>/models/{model}/custom_diffusion" if CUSTOMIZATION else [],
        weights=given_weights if GIVEN and not CUSTOMIZATION else [],
        models=[] if CUSTOMIZATION else WRITTEN_MODELS,
    output:
        weights="<results>/models/{model}/weights.safetensors",
        token="<results>/models/{model}/token.safetensors",
    log:
        "<logs>/import_customization/{model}.log",
    benchmark:
        "<benchmarks>/import_customization/{model}.tsv"
    params:
        **({"token": token_checksums} if GIVEN and not CUSTOMIZATION else {}),
        folder=lambda wildcards, input: input.folder or f"{CUSTOMIZED['root']}/{wildcards.model}",
        model=config["model"],
    script:
        "../../scripts/customized/import_customization.py"


rule add_tokens:
    input:
        tokens=collect("<results>/models/{model}/token.safetensors", model=CUSTOM_MODELS),
        tokenizer="<results>/encoders/tokenizer",
        text_encoder="<results>/encoders/text_encoder",
    output:
        tokenizer=directory("<results>/customized/tokenizer"),
        text_encoder=directory("<results>/customized/text_encoder"),
    log:
        "<logs>/add_tokens.log",
    benchmark:
        "<benchmarks>/add_tokens.tsv"
    params:
        models=CUSTOM_MODELS,
    script:
        "../../scripts/customized/add_tokens.py"


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


rule sample_queries:
    input:
        **(
            {}
            if CUSTOMIZED["queries"] == "given"
            else {
                "weights": BASE,
                "changes": collect(
                    "<results>/models/{model}/weights.safetensors", model=CUSTOM_MODELS
                ),
                "null_text": "<results>/customized/null_text.npy",
            }
        ),
        # The digits' prompts are written with their exemplars.
        dataset_checksum=[] if GIVEN else DATASET_CHECKSUM,
        prompts=[if_there(f"{CUSTOMIZED['root']}/{m}/queries.json") for m in CUSTOM_MODELS if GIVEN],
        pictures=[
            str(path)
            for m in CUSTOM_MODELS
            if GIVEN and CUSTOMIZED["queries"] == "given"
            for path in sorted(Path(CUSTOMIZED["root"], m, "queries").glob("*"))
        ],
        models=WRITTEN_MODELS,
        vae="<results>/encoders/vae",
        tokenizer="<results>/customized/tokenizer",
        text_encoder="<results>/customized/text_encoder",
    output:
        table="<results>/queries/queries.parquet",
        latents="<results>/queries/latents.npy",
        text="<results>/queries/text.npy",
        text_without_token="<results>/queries/text_without_token.npy",
        images=pictures_of(QUERIES),
    log:
        "<logs>/sample_queries.log",
    benchmark:
        "<benchmarks>/sample_queries.tsv"
    group:
        batched("queries")
    resources:
        **resources_for(EXPECTED.sampling(len(QUERIES))),
        **hardware(batch="encode_batch"),
    params:
        **sections("model", "sampling"),
        root=CUSTOMIZED["root"],
        given=CUSTOMIZED["queries"] == "given",
        # The test and the tuning queries of each model.
        queries={
            model: [
                [f"{model}-{n}" for n in numbers] for numbers in (TEST_NUMBERS, TUNING_NUMBERS)
            ]
            for model in CUSTOM_MODELS
        },
        size=DATASET["image_size"],
        background=DATASET["background"],
        seed=config["queries"]["seed"],
    script:
        "../../scripts/customized/sample_queries.py"


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
    script:
        "../../scripts/customized/mark_trained.py"
