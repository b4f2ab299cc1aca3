# The frozen encoders, trained here or fetched, and the training set encoded with them.

ENCODERS = config["encoders"]
FETCHED = (
    {
        **{name: ENCODERS[name] for name in ("vae", "text_encoder", "tokenizer", "clip")},
        **ENCODERS["more"],
    }
    if ENCODERS["source"] == "fetch"
    else {}
)
if isinstance(config["published"]["source_model"], dict):
    FETCHED["denoiser"] = config["published"]["source_model"]

if ENCODERS["source"] == "train":

    rule train_vae:
        input:
            **PIXELS,
        output:
            vae=directory("<results>/encoders/vae"),
        log:
            "<logs>/train_vae.log",
        benchmark:
            "<benchmarks>/train_vae.tsv"
        group:
            batched("data")
        conda:
            CONDA
        resources:
            **resources_for(EXPECTED.encoder_training(ENCODERS["vae"]["epochs"])),
        params:
            encoder="vae",
            training=ENCODERS["vae"],
        script:
            "../../scripts/train_encoder.py"

    rule train_clip:
        input:
            **PIXELS,
        output:
            clip=directory("<results>/encoders/clip"),
            text_encoder=directory("<results>/encoders/text_encoder"),
            tokenizer=directory("<results>/encoders/tokenizer"),
        log:
            "<logs>/train_clip.log",
        benchmark:
            "<benchmarks>/train_clip.tsv"
        group:
            batched("data")
        conda:
            CONDA
        resources:
            **resources_for(EXPECTED.encoder_training(ENCODERS["clip"]["epochs"])),
        params:
            encoder="clip",
            training=ENCODERS["clip"],
        script:
            "../../scripts/train_encoder.py"

    rule train_dino:
        input:
            **PIXELS,
        output:
            dino=directory("<results>/encoders/dino"),
        log:
            "<logs>/train_dino.log",
        benchmark:
            "<benchmarks>/train_dino.tsv"
        group:
            batched("data")
        conda:
            CONDA
        resources:
            **resources_for(EXPECTED.encoder_training(ENCODERS["dino"]["epochs"])),
        params:
            encoder="dino",
            training=ENCODERS["dino"],
        script:
            "../../scripts/train_encoder.py"

else:

    rule fetch_encoder:
        output:
            folder=directory("<results>/encoders/{encoder}"),
        log:
            "<logs>/fetch_encoder/{encoder}.log",
        benchmark:
            "<benchmarks>/fetch_encoder/{encoder}.tsv"
        wildcard_constraints:
            encoder=one_of(FETCHED),
        conda:
            CONDA
        resources:
            **resources_for(EXPECTED.fetched_encoder(), gpu=False),
            endpoint=ENCODERS["endpoint"] or "",
        params:
            model=lambda wildcards: FETCHED[wildcards.encoder],
        script:
            "../../scripts/fetch_encoder.py"


if config["published"]["latents"]:

    rule import_latents:
        input:
            **PIXELS,
            vae="<results>/encoders/vae",
        output:
            latents="<results>/data/latents.npy",
            checksum="<results>/data/latents.json",
        log:
            "<logs>/import_latents.log",
        benchmark:
            "<benchmarks>/import_latents.tsv"
        group:
            batched("data")
        conda:
            CONDA
        resources:
            **resources_for(EXPECTED.latents()),
            checkpoint_seconds=HARDWARE["checkpoint_seconds"],
        params:
            file=config["published"]["latents"],
            flips=2 if DATASET["flips"] else 1,
        script:
            "../../scripts/import_latents.py"

else:

    rule encode_latents:
        input:
            **PIXELS,
            vae="<results>/encoders/vae",
        output:
            latents="<results>/data/latents.npy",
            checksum="<results>/data/latents.json",
        log:
            "<logs>/encode_latents.log",
        benchmark:
            "<benchmarks>/encode_latents.tsv"
        group:
            batched("data")
        conda:
            CONDA
        resources:
            **resources_for(EXPECTED.latents()),
            batch=HARDWARE["encode_batch"],
            checkpoint_seconds=HARDWARE["checkpoint_seconds"],
        params:
            flips=2 if DATASET["flips"] else 1,
        script:
            "../../scripts/encode_latents.py"


if config["published"]["text"]:

    rule import_text:
        input:
            **PIXELS,
            tokenizer="<results>/encoders/tokenizer",
            text_encoder="<results>/encoders/text_encoder",
        output:
            text="<results>/data/text.npy",
            null_text="<results>/data/null_text.npy",
            checksum="<results>/data/text.json",
        log:
            "<logs>/import_text.log",
        benchmark:
            "<benchmarks>/import_text.tsv"
        group:
            batched("data")
        conda:
            CONDA
        resources:
            **resources_for(EXPECTED.text()),
            checkpoint_seconds=HARDWARE["checkpoint_seconds"],
        params:
            file=config["published"]["text"],
        script:
            "../../scripts/import_text.py"

else:

    rule encode_text:
        input:
            **PIXELS,
            tokenizer="<results>/encoders/tokenizer",
            text_encoder="<results>/encoders/text_encoder",
        output:
            text="<results>/data/text.npy",
            null_text="<results>/data/null_text.npy",
            checksum="<results>/data/text.json",
        log:
            "<logs>/encode_text.log",
        benchmark:
            "<benchmarks>/encode_text.tsv"
        group:
            batched("data")
        conda:
            CONDA
        resources:
            **resources_for(EXPECTED.text()),
            batch=HARDWARE["encode_batch"],
            checkpoint_seconds=HARDWARE["checkpoint_seconds"],
        script:
            "../../scripts/encode_text.py"
