# A finished study as a bundle, and the study that joins one.

from leavekout.bundle.joining import bundle_of, joined_methods

# Encoders that were trained here; others are fetched again.
OWN_ENCODERS = (
    ["vae", "clip", "text_encoder", "tokenizer", "dino"] if ENCODERS["source"] == "train" else []
)


def bundled():
    """The artifacts of a bundle by archive, below the study's results.

    An archive for each method and each control, so that a method more leaves the others' as they are.
    """
    queries = ["queries.parquet", "latents.npy", "text.npy", *(f"images/{q}.png" for q in QUERIES)]
    archives = {
        "source.zip": ["source/model.safetensors", "source/outcome.safetensors"],
        "queries.zip": [f"queries/{name}" for name in queries],
        "encoders.zip": [f"encoders/{name}" for name in OWN_ENCODERS],
    }
    for method in METHODS:
        kinds = ["attribution", *(["repeatability"] if method in drawing_methods() else [])]
        archives[f"scores/{method}.zip"] = [
            f"{kind}/{method}/{query}.npy" for kind in kinds for query in TEST_QUERIES
        ]
    for arm, models in ARMS["test"].items():
        if models[0].table in ("measurements", "removals"):
            archives[f"models/{arm}.zip"] = [
                f"measurements/test/{arm}.parquet",
                *(f"retrained/{one.path}/outcome.safetensors" for one in models),
            ]
    return {archive: paths for archive, paths in archives.items() if paths}


rule write_bundle:
    input:
        lambda wildcards: [f"<results>/{path}" for paths in bundled().values() for path in paths],
    output:
        bundle=directory("<results>/bundle"),
    log:
        "<logs>/write_bundle.log",
    benchmark:
        "<benchmarks>/write_bundle.tsv"
    localrule: True
    conda:
        CONDA
    params:
        results=f"results/{config['experiment']}",
        artifacts=lambda wildcards: bundled(),
        about={
            "study": config["experiment"],
            "methods": METHODS,
            "k": COUNTERFACTUAL["k"],
            "training_loop": TRAINING_LOOP,
        },
        study={
            key: value
            for key, value in SAID.items()
            if key not in ("extra_rules", "joins")  # which are paths of this machine
        },
    script:
        "../../scripts/write_bundle.py"


rule bundle:
    input:
        "<results>/bundle",


if config["joins"]:
    BUNDLE = or_say_why(partial(bundle_of, training_loop=TRAINING_LOOP), EXPERIMENT)
    JOINED = joined_methods(EXPERIMENT, BUNDLE)

    rule open_bundle:
        input:
            archives=[str(path) for path in BUNDLE.archives],
            manifest=f"{BUNDLE.folder}/manifest.json",
        output:
            *(f"<results>/{path}" for path in BUNDLE.files),
            *(directory(f"<results>/{folder}") for folder in BUNDLE.folders),
        log:
            "<logs>/open_bundle.log",
        benchmark:
            "<benchmarks>/open_bundle.tsv"
        localrule: True
        conda:
            CONDA
        params:
            results=f"results/{config['experiment']}",
        script:
            "../../scripts/open_bundle.py"

    # What is published is taken as it is, whichever rule would make it here.
    for other in [one.name for one in workflow.rules if one.name != "open_bundle"]:
        workflow.ruleorder("open_bundle", other)

    rule tabulate_drift:
        input:
            measurements="<results>/tables/measurements.parquet",
            replica=measurements("test", "drift"),
        output:
            "<results>/tables/drift.csv",
        log:
            "<logs>/tabulate_drift.log",
        benchmark:
            "<benchmarks>/tabulate_drift.tsv"
        localrule: True
        conda:
            CONDA
        script:
            "../../scripts/tabulate_drift.py"

else:
    JOINED = []
