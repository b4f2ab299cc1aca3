# Images and captions, in COCO's folder and annotation format.

DATASET = config["dataset"]
ROOT = DATASET["root"]

if DATASET["source"] == "digits":

    rule write_digits:
        output:
            images=directory(f"{ROOT}/{DATASET['train_images']}"),
            train=f"{ROOT}/{DATASET['train_annotations']}",
            prompts=f"{ROOT}/{DATASET['prompt_annotations']}",
        log:
            "<logs>/write_digits.log",
        benchmark:
            "<benchmarks>/write_digits.tsv"
        params:
            version=1,
        script:
            "../scripts/write_digits.py"

else:

    rule fetch_dataset:
        output:
            images=directory(f"{ROOT}/{DATASET['train_images']}"),
            train=f"{ROOT}/{DATASET['train_annotations']}",
            prompts=f"{ROOT}/{DATASET['prompt_annotations']}",
        log:
            "<logs>/fetch_dataset.log",
        benchmark:
            "<benchmarks>/fetch_dataset.tsv"
        params:
            root=ROOT,
            archives=DATASET["archives"],
            members=[
                DATASET[key]
                for key in ("train_images", "train_annotations", "prompt_annotations")
            ],
        script:
            "../scripts/fetch_dataset.py"


rule prepare_images:
    input:
        images=ancient(f"{ROOT}/{DATASET['train_images']}"),
        annotations=ancient(f"{ROOT}/{DATASET['train_annotations']}"),
    output:
        table="<results>/data/images.parquet",
        pixels="<results>/data/pixels.npy",
    log:
        "<logs>/prepare_images.log",
    benchmark:
        "<benchmarks>/prepare_images.tsv"
    params:
        dataset=DATASET,
        version=1,
    script:
        "../scripts/prepare_images.py"
