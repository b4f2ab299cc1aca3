# Images and captions, in COCO's folder and annotation format.

from leavekout.leave_k_out.enough import require_dataset

ROOT = DATASET["root"]
IMAGES, ANNOTATIONS, PROMPTS = (
    f"{ROOT}/{DATASET[key]}" for key in ("train_images", "train_annotations", "prompt_annotations")
)
DATASET_CHECKSUM = dataset_checksum(ROOT, [ANNOTATIONS, PROMPTS])
# Prompts that queries and related prompts take; queries take none if they are published or in a
# bundle.
PROMPTS_OF_QUERIES = (
    0 if BUNDLE or EXPERIMENT.published.queries else len(QUERIES) + len(TEACHER_QUERIES)
)
PROMPTS_NEEDED = 0 if BUNDLE else max(PROMPTS_OF_QUERIES, len(POOL) + FORGETTING["related"])

# Which training images there are, and how many captions of each.
SIZES = {key: DATASET[key] for key in ("images", "captions", "subset_seed") if key in DATASET}

# What can be known of the data set is said before anything is trained: here if it is there and no
# image was read yet, otherwise by `prepare_images`.
if (
    workflow.is_main_process
    and not Path(f"results/{config['experiment']}/data/images.parquet").exists()
):
    or_say_why(
        partial(require_dataset, **SIZES),
        *(PROMPTS_NEEDED, Path(PROMPTS), Path(ANNOTATIONS)),
    )
# What a joined study says of its images, which ours have to be.
PUBLISHED_IMAGES = {"published": BUNDLE.about.images} if BUNDLE and BUNDLE.about.images else {}


if DATASET["source"] in ("digits", "letters"):

    rule write_dataset:
        output:
            images=directory(IMAGES),
            train=ANNOTATIONS,
            prompts=PROMPTS,
            checksum=DATASET_CHECKSUM,
        log:
            "<logs>/write_dataset.log",
        benchmark:
            "<benchmarks>/write_dataset.tsv"
        params:
            source=DATASET["source"],
        script:
            "../../scripts/write_dataset.py"

elif DATASET["source"] == "archives":

    rule fetch_dataset:
        output:
            images=directory(IMAGES),
            train=ANNOTATIONS,
            prompts=PROMPTS,
            checksum=DATASET_CHECKSUM,
        log:
            "<logs>/fetch_dataset.log",
        benchmark:
            "<benchmarks>/fetch_dataset.tsv"
        resources:
            **resources_for(EXPECTED.raw_data(), gpu=False),
            # Where an archive comes from changes no result; its checksum says what it is.
            **({"pictures": DATASET["pictures"]} if "pictures" in DATASET else {}),
            addresses=json.dumps([[a["url"], *a["mirrors"]] for a in DATASET["archives"]]),
        params:
            **({"sizes": SIZES} if "pictures" in DATASET else {}),
            root=ROOT,
            archives=[archive["md5"] for archive in DATASET["archives"]],
            members=[
                DATASET[key]
                for key in ("train_images", "train_annotations", "prompt_annotations")
                if key != "train_images" or "pictures" not in DATASET
            ],
        script:
            "../../scripts/fetch_dataset.py"

else:

    rule check_dataset:
        input:
            train=ANNOTATIONS,
            prompts=PROMPTS,
        output:
            checksum="<results>/data/dataset.json",
        log:
            "<logs>/check_dataset.log",
        benchmark:
            "<benchmarks>/check_dataset.tsv"
        script:
            "../../scripts/check_dataset.py"


rule prepare_images:
    input:
        images=ancient(IMAGES),
        annotations=ancient(ANNOTATIONS),
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
        # No parameters, because images that were read before need not be read again.
        prompts=PROMPTS,
        prompts_needed=PROMPTS_NEEDED,
    params:
        **SIZES,
        **{key: DATASET[key] for key in ("image_size", "background")},
        **PUBLISHED_IMAGES,
    script:
        "../../scripts/prepare_images.py"
