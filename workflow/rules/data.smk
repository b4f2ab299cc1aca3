# Images and captions, in COCO's folder and annotation format.

DATASET = config["dataset"]
ROOT = DATASET["root"]
IMAGES, ANNOTATIONS = (f"{ROOT}/{DATASET[key]}" for key in ("train_images", "train_annotations"))
# What else the table of images is made of; other studies take it for the queries' prompts.
CAPTIONS = (
    [f"{CUSTOMIZED['root']}/{model}/exemplars.json" for model in MODELS]
    if MODELS
    else f"{ROOT}/{DATASET['prompt_annotations']}"
)
# Of customized models in folders it is the study's, since studies may share a pool.
DATASET_CHECKSUM = "<results>/data/dataset.json" if GIVEN else f"{ROOT}/dataset.json"


if DATASET["source"] == "digits":

    rule write_digits:
        output:
            images=directory(f"{ROOT}/{DATASET['train_images']}"),
            train=f"{ROOT}/{DATASET['train_annotations']}",
            prompts=f"{ROOT}/{DATASET['prompt_annotations']}",
            checksum=f"{ROOT}/dataset.json",
        log:
            "<logs>/write_digits.log",
        benchmark:
            "<benchmarks>/write_digits.tsv"
        localrule: True
        conda:
            CONDA
        params:
            version=1,
        script:
            "../scripts/write_digits.py"

elif DATASET["source"] == "digits_custom":

    rule write_customized_digits:
        output:
            images=directory(f"{ROOT}/{DATASET['train_images']}"),
            train=f"{ROOT}/{DATASET['train_annotations']}",
            models=directory(CUSTOMIZED["root"]),
            checksum=f"{ROOT}/dataset.json",
        log:
            "<logs>/write_customized_digits.log",
        benchmark:
            "<benchmarks>/write_customized_digits.tsv"
        localrule: True
        conda:
            CONDA
        params:
            objects=CUSTOMIZED["objects"],
            styles=CUSTOMIZED["styles"],
            version=1,
        script:
            "../scripts/write_customized_digits.py"

elif DATASET["source"] == "archives":

    rule fetch_dataset:
        output:
            images=directory(f"{ROOT}/{DATASET['train_images']}"),
            train=f"{ROOT}/{DATASET['train_annotations']}",
            prompts=f"{ROOT}/{DATASET['prompt_annotations']}",
            checksum=f"{ROOT}/dataset.json",
        log:
            "<logs>/fetch_dataset.log",
        benchmark:
            "<benchmarks>/fetch_dataset.tsv"
        localrule: True
        conda:
            CONDA
        resources:
            **ask(COSTS.raw_data(), gpu=False),
            # Where an archive comes from changes no result; its checksum says what it is.
            addresses=json.dumps([[a["url"], *a["mirrors"]] for a in DATASET["archives"]]),
        params:
            root=ROOT,
            version=1,
            archives=[archive["md5"] for archive in DATASET["archives"]],
            members=[
                DATASET[key] for key in ("train_images", "train_annotations", "prompt_annotations")
            ],
        script:
            "../scripts/fetch_dataset.py"

else:

    rule check_dataset:
        input:
            train=present(ANNOTATIONS),
            prompts=[present(file) for file in CAPTIONS] if MODELS else CAPTIONS,
        output:
            checksum=DATASET_CHECKSUM,
        log:
            "<logs>/check_dataset.log",
        benchmark:
            "<benchmarks>/check_dataset.tsv"
        localrule: True
        conda:
            CONDA
        params:
            **({"files": [ANNOTATIONS, *CAPTIONS]} if MODELS else {}),
            version=1,
        script:
            "../scripts/check_dataset.py"


rule prepare_images:
    input:
        images=ancient(present(IMAGES)),
        annotations=ancient(present(ANNOTATIONS)),
        dataset_checksum=DATASET_CHECKSUM,
    output:
        table="<results>/data/images.parquet",
        pixels="<results>/data/pixels.npy",
        checksum="<results>/data/pixels.json",
    log:
        "<logs>/prepare_images.log",
    benchmark:
        "<benchmarks>/prepare_images.tsv"
    localrule: SMALL
    conda:
        CONDA
    resources:
        **ask(COSTS.preparation(), gpu=False),
    params:
        **{key: DATASET[key] for key in ("images", "captions", "image_size")},
        **(
            {"models": MODELS, "models_root": CUSTOMIZED["root"], "pool": [IMAGES, ANNOTATIONS]}
            if MODELS
            else {}
        ),
        version=1,
    script:
        "../scripts/prepare_images.py"
