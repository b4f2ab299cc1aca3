# Images and captions, in COCO's folder and annotation format.

DATASET = config["dataset"]
ROOT = DATASET["root"]

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
            train=f"{ROOT}/{DATASET['train_annotations']}",
            prompts=f"{ROOT}/{DATASET['prompt_annotations']}",
        output:
            checksum=f"{ROOT}/dataset.json",
        log:
            "<logs>/check_dataset.log",
        benchmark:
            "<benchmarks>/check_dataset.tsv"
        localrule: True
        conda:
            CONDA
        params:
            version=1,
        script:
            "../scripts/check_dataset.py"


rule prepare_images:
    input:
        images=ancient(f"{ROOT}/{DATASET['train_images']}"),
        annotations=ancient(f"{ROOT}/{DATASET['train_annotations']}"),
        dataset_checksum=f"{ROOT}/dataset.json",
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
        version=1,
    script:
        "../scripts/prepare_images.py"
