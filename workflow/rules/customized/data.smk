# The pool in COCO's format, and the folders of the customized models.

ROOT = DATASET["root"]
IMAGES, ANNOTATIONS = (f"{ROOT}/{DATASET[key]}" for key in ("train_images", "train_annotations"))
EXEMPLARS = [f"{CUSTOMIZED['root']}/{model}/exemplars.json" for model in CUSTOM_MODELS]
# Of digits it is beside them; otherwise it is the study's, since studies may share a pool.
DIGITS = DATASET["source"] == "digits_custom"
DATASET_CHECKSUM = f"{ROOT}/dataset.json" if DIGITS else "<results>/data/dataset.json"


if BENCHMARK:

    include: "published.smk"


if not DIGITS:

    rule check_dataset:
        input:
            [if_there(file) for file in [ANNOTATIONS, *EXEMPLARS]] if GIVEN else [ANNOTATIONS],
            models=WRITTEN_MODELS,
        output:
            checksum=DATASET_CHECKSUM,
        log:
            "<logs>/check_dataset.log",
        benchmark:
            "<benchmarks>/check_dataset.tsv"
        params:
            files=[ANNOTATIONS, *EXEMPLARS],
        script:
            "../../scripts/check_dataset.py"

else:

    rule write_digits:
        output:
            images=directory(IMAGES),
            train=ANNOTATIONS,
            models=directory(CUSTOMIZED["root"]),
            checksum=DATASET_CHECKSUM,
        log:
            "<logs>/write_digits.log",
        benchmark:
            "<benchmarks>/write_digits.tsv"
        params:
            objects=CUSTOMIZED["objects"],
            styles=CUSTOMIZED["styles"],
        script:
            "../../scripts/customized/write_digits.py"


rule prepare_images:
    input:
        images=ancient(if_there(IMAGES)),
        annotations=ancient(if_there(ANNOTATIONS)),
        dataset_checksum=DATASET_CHECKSUM,
    output:
        table="<results>/data/images.parquet",
        pixels="<results>/data/pixels.npy",
        checksum="<results>/data/pixels.json",
    log:
        "<logs>/prepare_images.log",
    benchmark:
        "<benchmarks>/prepare_images.tsv"
    resources:
        **resources_for(EXPECTED.preparation(), gpu=False),
    params:
        **{key: DATASET[key] for key in ("images", "captions", "image_size", "background")},
        pool=[IMAGES, ANNOTATIONS],
        models=CUSTOM_MODELS,
        models_root=CUSTOMIZED["root"],
    script:
        "../../scripts/customized/prepare_images.py"
