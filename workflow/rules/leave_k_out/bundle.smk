# A finished study as a bundle, and the study that joins one.

from leavekout.bundle.artifacts import bundled
from leavekout.bundle.joining import left_out, settings_of

ENCODERS_TRAINED = ("vae", "clip", "text_encoder", "tokenizer", "dino")
BUNDLED = bundled(
    queries=QUERIES,
    test=TEST_QUERIES,
    encoders=ENCODERS_TRAINED if ENCODERS["source"] == "train" else (),
    methods=METHODS,
    drawing=drawing_methods(),
    costed=COSTED,
    arms=ARMS["test"],
)


rule write_bundle:
    input:
        images="<results>/data/images.parquet",
        clusters="<results>/tables/clusters.csv",
        artifacts=lambda wildcards: [
            f"<results>/{path}" for paths in BUNDLED.values() for path in paths
        ],
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
        artifacts=lambda wildcards: BUNDLED,
        about={
            "study": config["experiment"],
            "methods": METHODS,
            "training_loop": TRAINING_LOOP,
            "settings": settings_of(EXPERIMENT),
        },
        # Without paths of this machine; of methods by scores from elsewhere, the scores are there.
        study={
            key: (
                {k: v for k, v in value.items() if k != "stage_to"} if key == "hardware" else value
            )
            for key, value in SAID.items()
            if key not in ("extra_rules", "external", "joins")
        },
        earlier=MADE_EARLIER,
        afterwards=lambda wildcards: rules_of("statistics.smk", "report.smk", "bundle.smk"),
        logs=f"results/{config['experiment']}/logs",
    script:
        "../../scripts/write_bundle.py"


rule bundle:
    input:
        "<results>/bundle",


if BUNDLE:
    NOT_TAKEN = left_out(EXPERIMENT, BUNDLE)

    rule open_bundle:
        input:
            # What they hold is among the parameters; a copy with new times starts nothing anew.
            archives=ancient([str(path) for path in BUNDLE.archives]),
            manifest=ancient(f"{BUNDLE.folder}/manifest.json"),
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
            **({"without": NOT_TAKEN} if NOT_TAKEN else {}),
            experiment=config["experiment"],
            content=BUNDLE.digest,
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
