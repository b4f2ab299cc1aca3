# Distilled features: every entry under `distilled:` in the configuration. The teacher's queries are
# neither test nor tuning queries, and have files of their own.

DISTILLED = config["distilled"]
# Those whose scores are a mean over students, of which halves tell how well they repeat.
SEVERAL_STUDENTS = [method for method in DISTILLED if len(student_files(method)) > 1]


rule find_neighbours:
    input:
        pictures="<results>/teacher/images",
        encoder="<results>/encoders/{encoder}",
        features="<results>/features/{encoder}/image.npy",
    output:
        neighbours="<results>/teacher/neighbours/{encoder}.npy",
    log:
        "<logs>/find_neighbours/{encoder}.log",
    benchmark:
        "<benchmarks>/find_neighbours/{encoder}.tsv"
    group:
        batched("scores")
    conda:
        CONDA
    resources:
        **resources_for(EXPECTED.similarity(len(TEACHER_QUERIES))),
    params:
        names=TEACHER_QUERIES,
        nearest=lambda wildcards: max(
            e["candidates"] for e in distilled_entries(encoder=wildcards.encoder)
        ),
    script:
        "../../scripts/find_neighbours.py"


# Of each query the neighbours alone, since students learn their order and no other's.
use rule attribute_by_unlearning as attribute_teacher_by_unlearning with:
    input:
        **SCORED,
        **TEACHER_FILES,
        weights=weights_of("source"),
        source_losses=lambda wildcards: (
            "<results>/losses/source/{objective}.npy".format(**UNLEARNING[wildcards.method])
        ),
        refined_losses=lambda wildcards: (
            "<results>/losses/source/refined/{objective}.npy".format(
                **UNLEARNING[wildcards.method]
            )
            if config["losses"].get("refine")
            else []
        ),
        fisher=lambda wildcards: CURVATURE_OF[wildcards.method],
        neighbours=lambda wildcards: collect(
            "<results>/teacher/neighbours/{encoder}.npy",
            encoder=dict.fromkeys(
                e["encoder"] for e in distilled_entries(teacher=wildcards.method)
            ),
        ),
    output:
        scores="<results>/teacher/attribution/{method}/{query}.npy",
        halves="<results>/teacher/repeatability/{method}/{query}.npy",
    log:
        "<logs>/teacher/{method}/{query}.log",
    benchmark:
        "<benchmarks>/teacher/{method}/{query}.tsv"
    wildcard_constraints:
        query=one_of(TEACHER_QUERIES),
    resources:
        **resources_for(lambda wildcards: EXPECTED.teaching(wildcards.method)),
        device_data_gb=HARDWARE["device_data_gb"],
        batch=HARDWARE["forward_batch"],
        gradient_batch=HARDWARE["gradient_batch"],
        checkpoint_seconds=HARDWARE["checkpoint_seconds"],
    params:
        trained_on=TRAINED_ON,
        model=config["model"],
        losses=config["losses"],
        unlearning=lambda wildcards: unlearning_settings(wildcards.method),
        box=None,
        place=lambda wildcards: TEACHER_QUERIES.index(wildcards.query),
        version=2,


rule distill:
    input:
        scores=lambda wildcards: collect(
            "<results>/teacher/attribution/{teacher}/{query}.npy",
            teacher=DISTILLED[wildcards.method]["teacher"],
            query=TEACHER_QUERIES,
        ),
        neighbours=lambda wildcards: (
            f"<results>/teacher/neighbours/{DISTILLED[wildcards.method]['encoder']}.npy"
        ),
        images=ancient("<results>/data/images.parquet"),
        queries="<results>/teacher/queries.parquet",
        pictures="<results>/teacher/images",
        encoder=lambda wildcards: f"<results>/encoders/{DISTILLED[wildcards.method]['encoder']}",
        clip="<results>/encoders/clip",
        features=lambda wildcards: (
            f"<results>/features/{DISTILLED[wildcards.method]['encoder']}/image.npy"
        ),
        text="<results>/features/clip/text.npy",
    output:
        student="<results>/distilled/{method}.safetensors",
    log:
        "<logs>/distill/{method}.log",
    benchmark:
        "<benchmarks>/distill/{method}.tsv"
    wildcard_constraints:
        method=one_of(DISTILLED),
    group:
        batched("scores")
    conda:
        CONDA
    resources:
        **resources_for(lambda wildcards: EXPECTED.distilling(wildcards.method), gpu=False),
    params:
        names=TEACHER_QUERIES,
        distilled=lambda wildcards: one_student(wildcards.method),
    script:
        "../../scripts/distill.py"


# Further students, of the seeds that follow.
use rule distill as distill_again with:
    output:
        student="<results>/distilled/{method}/{number}.safetensors",
    log:
        "<logs>/distill/{method}/{number}.log",
    benchmark:
        "<benchmarks>/distill/{method}/{number}.tsv"


rule attribute_by_distilled:
    input:
        queries="<results>/queries/queries.parquet",
        pictures=collect("<results>/queries/images/{query}.png", query=QUERIES),
        students=lambda wildcards: student_files(wildcards.method),
        encoder=lambda wildcards: f"<results>/encoders/{DISTILLED[wildcards.method]['encoder']}",
        clip="<results>/encoders/clip",
        features=lambda wildcards: (
            f"<results>/features/{DISTILLED[wildcards.method]['encoder']}/image.npy"
        ),
        text="<results>/features/clip/text.npy",
    output:
        scores=collect("<results>/attribution/{{method}}/{query}.npy", query=QUERIES),
    log:
        "<logs>/attribution/{method}.log",
    benchmark:
        "<benchmarks>/attribution/{method}.tsv"
    wildcard_constraints:
        method=one_of([name for name in DISTILLED if name not in SEVERAL_STUDENTS]),
    group:
        batched("scores")
    conda:
        CONDA
    resources:
        **resources_for(EXPECTED.similarity(len(QUERIES))),
    params:
        distilled=lambda wildcards: DISTILLED[wildcards.method],
    script:
        "../../scripts/attribute_by_distilled.py"


use rule attribute_by_distilled as attribute_by_several_students with:
    output:
        scores=collect("<results>/attribution/{{method}}/{query}.npy", query=QUERIES),
        halves=collect("<results>/repeatability/{{method}}/{query}.npy", query=QUERIES),
    wildcard_constraints:
        method=one_of(SEVERAL_STUDENTS),
