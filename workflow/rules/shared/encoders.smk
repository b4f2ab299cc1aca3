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
# What `snakemake fetch` fetches beside the data set; rule files of methods may add to it.
FROM_NETWORK = collect("<results>/encoders/{encoder}", encoder=FETCHED)

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
        resources:
            **resources_for(EXPECTED.encoder_training(ENCODERS["vae"]["epochs"])),
        params:
            encoder="vae",
            training=ENCODERS["vae"],
        script:
            "../../scripts/train_encoder.py"

    use rule train_vae as train_clip with:
        output:
            clip=directory("<results>/encoders/clip"),
            text_encoder=directory("<results>/encoders/text_encoder"),
            tokenizer=directory("<results>/encoders/tokenizer"),
        log:
            "<logs>/train_clip.log",
        benchmark:
            "<benchmarks>/train_clip.tsv"
        resources:
            **resources_for(EXPECTED.encoder_training(ENCODERS["clip"]["epochs"])),
        params:
            encoder="clip",
            training=ENCODERS["clip"],

    use rule train_vae as train_dino with:
        output:
            dino=directory("<results>/encoders/dino"),
        log:
            "<logs>/train_dino.log",
        benchmark:
            "<benchmarks>/train_dino.tsv"
        resources:
            **resources_for(EXPECTED.encoder_training(ENCODERS["dino"]["epochs"])),
        params:
            encoder="dino",
            training=ENCODERS["dino"],

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
        resources:
            **resources_for(EXPECTED.fetched_encoder(), gpu=False),
            endpoint=ENCODERS["endpoint"] or "",
        params:
            model=lambda wildcards: FETCHED[wildcards.encoder],
        script:
            "../../scripts/fetch_encoder.py"


# Latents and text states are published, or encoded here. The rule is named for its script.
PUBLISHED = {key: config["published"][key] for key in ("latents", "text")}
LATENTS_RULE, TEXT_RULE = (f"{'import' if PUBLISHED[key] else 'encode'}_{key}" for key in PUBLISHED)


rule:
    name:
        LATENTS_RULE
    input:
        **PIXELS,
        vae="<results>/encoders/vae",
    output:
        latents="<results>/data/latents.npy",
        checksum="<results>/data/latents.json",
    log:
        f"<logs>/{LATENTS_RULE}.log",
    benchmark:
        f"<benchmarks>/{LATENTS_RULE}.tsv"
    group:
        batched("data")
    resources:
        **resources_for(EXPECTED.latents()),
        **hardware("checkpoint_seconds", batch="encode_batch"),
    params:
        **({"file": PUBLISHED["latents"]} if PUBLISHED["latents"] else {}),
        flips=2 if DATASET["flips"] else 1,
    script:
        f"../../scripts/{LATENTS_RULE}.py"


rule:
    name:
        TEXT_RULE
    input:
        **PIXELS,
        tokenizer="<results>/encoders/tokenizer",
        text_encoder="<results>/encoders/text_encoder",
    output:
        text="<results>/data/text.npy",
        null_text="<results>/data/null_text.npy",
        checksum="<results>/data/text.json",
    log:
        f"<logs>/{TEXT_RULE}.log",
    benchmark:
        f"<benchmarks>/{TEXT_RULE}.tsv"
    group:
        batched("data")
    resources:
        **resources_for(EXPECTED.text()),
        **hardware("checkpoint_seconds", batch="encode_batch"),
    params:
        **({"file": PUBLISHED["text"]} if PUBLISHED["text"] else {}),
    script:
        f"../../scripts/{TEXT_RULE}.py"
