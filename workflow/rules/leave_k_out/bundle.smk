# A finished study as a bundle, and the study that joins one.

from leavekout.leave_k_out.bundle.artifacts import OF_METHODS, SHARED, bundled, own_configuration
from leavekout.leave_k_out.bundle.joining import left_out, settings_of
from leavekout.leave_k_out.bundle.contribution import of_method

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
        artifacts=lambda wildcards: [
            f"<results>/{path}" for paths in BUNDLED.values() for path in paths
        ],
    output:
        bundle=directory("<results>/bundle"),
    log:
        "<logs>/write_bundle.log",
    benchmark:
        "<benchmarks>/write_bundle.tsv"
    params:
        artifacts=lambda wildcards: BUNDLED,
        about={
            "study": config["experiment"],
            "methods": METHODS,
            "training_loop": TRAINING_LOOP,
            "settings": settings_of(EXPERIMENT),
        },
        study=own_configuration(WRITTEN),
        earlier=MADE_EARLIER,
        afterwards=lambda wildcards: [*made_afterwards(), "open_source", "open_outcomes"],
        logs=f"results/{config['experiment']}/logs",
    script:
        "../../scripts/write_bundle.py"


rule bundle:
    input:
        "<results>/bundle",


if BUNDLE:
    START, OUTCOMES = BUNDLE.below(SHARED), BUNDLE.below(OF_METHODS)

    CONTRIBUTED = {
        archive: paths for one in JOINED for archive, paths in of_method(BUNDLED, one).items()
    }

    # All models depend on these files, so they are opened apart from what belongs to methods.
    rule open_source:
        input:
            # Their content is a parameter, so that copies with new timestamps rerun nothing.
            archives=ancient([str(path) for path in START.archives]),
            manifest=ancient(f"{BUNDLE.folder}/manifest.json"),
        output:
            *(f"<results>/{path}" for path in START.files),
            *(directory(f"<results>/{folder}") for folder in START.folders),
        log:
            "<logs>/open_source.log",
        benchmark:
            "<benchmarks>/open_source.tsv"
        params:
            experiment=config["experiment"],
            folders=SHARED,
            content=START.digest,
        script:
            "../../scripts/open_bundle.py"

    # Scores and outcomes of the published methods that this study keeps.
    use rule open_source as open_outcomes with:
        input:
            archives=ancient([str(path) for path in OUTCOMES.archives]),
            manifest=ancient(f"{BUNDLE.folder}/manifest.json"),
        output:
            *(f"<results>/{path}" for path in OUTCOMES.files),
        log:
            "<logs>/open_outcomes.log",
        benchmark:
            "<benchmarks>/open_outcomes.tsv"
        params:
            folders=OF_METHODS,
            without=left_out(EXPERIMENT, BUNDLE),
            content=OUTCOMES.digest,

    # Published files take precedence over every rule that would make them here.
    for other in [one.name for one in workflow.rules]:
        if other not in ("open_source", "open_outcomes"):
            workflow.ruleorder("open_source", other)
            workflow.ruleorder("open_outcomes", other)

    # What the author of a method that joined contributes: its part of the bundle (docs/joining.md).
    use rule write_bundle as write_contribution with:
        input:
            images="<results>/data/images.parquet",
            artifacts=[f"<results>/{path}" for paths in CONTRIBUTED.values() for path in paths],
        output:
            bundle=directory("<results>/contribution"),
        log:
            "<logs>/write_contribution.log",
        benchmark:
            "<benchmarks>/write_contribution.tsv"
        params:
            artifacts=lambda wildcards: CONTRIBUTED,

    rule contribution:
        input:
            "<results>/contribution",

    rule tabulate_drift:
        input:
            measurements="<results>/tables/measurements.parquet",
            replica=measurements("test", "drift"),
        output:
            table="<results>/tables/drift.csv",
        log:
            "<logs>/tabulate_drift.log",
        benchmark:
            "<benchmarks>/tabulate_drift.tsv"
        script:
            "../../scripts/write_table.py"
