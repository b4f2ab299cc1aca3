# Distilled features: every entry under `distilled:` in the configuration. The teacher's queries are
# neither test nor tuning queries, and have files of their own.

from leavekout.methods.distilled.family import DISTILLED as DISTILLED_FAMILY

DISTILLED = config["distilled"]
STUDENTS = {method: DISTILLED_FAMILY.students(EXPERIMENT, method) for method in DISTILLED}
# The method of each student (`distilled/1` is a second one), and its image encoder.
METHOD_OF = {student: method for method, students in STUDENTS.items() for student in students}
ENCODER_OF = {student: DISTILLED[method]["encoder"] for student, method in METHOD_OF.items()}
# Methods with several students, two halves of which show how well the scores repeat.
SEVERAL_STUDENTS = [method for method, students in STUDENTS.items() if len(students) > 1]
TEACHER_FILES = {
    "query_table": "<results>/teacher/queries.parquet",
    "query_latents": "<results>/teacher/latents.npy",
    "query_text": "<results>/teacher/text.npy",
}


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
    resources:
        **resources_for(EXPECTED.similarity(len(TEACHER_QUERIES))),
    params:
        names=TEACHER_QUERIES,
        nearest=lambda wildcards: DISTILLED_FAMILY.nearest(EXPERIMENT, wildcards.encoder),
    script:
        "../../scripts/find_neighbours.py"


# Only the neighbours of each query are scored: students learn their order and no other.
use rule attribute_by_unlearning as attribute_teacher_by_unlearning with:
    input:
        **SCORED,
        **TEACHER_FILES,
        weights=weights_of("source"),
        source_losses=lambda wildcards: collect(
            "<results>/losses/source/{objective}.npy",
            objective=UNLEARNING[wildcards.method]["objective"],
        )[0],
        refined_losses=lambda wildcards: collect(
            "<results>/losses/source/refined/{objective}.npy",
            objective=(
                UNLEARNING[wildcards.method]["objective"] if config["losses"].get("refine") else []
            ),
        ),
        fisher=lambda wildcards: CURVATURE_OF[wildcards.method],
        neighbours=lambda wildcards: collect(
            "<results>/teacher/neighbours/{encoder}.npy",
            encoder=DISTILLED_FAMILY.encoders_of(EXPERIMENT, wildcards.method),
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
        **resources_for(
            lambda wildcards: DISTILLED_FAMILY.teaching_cost(EXPECTED, wildcards.method)
        ),
        **hardware("device_data_gb", "gradient_batch", "checkpoint_seconds", batch="forward_batch"),
    params:
        box=None,
        place=lambda wildcards: TEACHER_QUERIES.index(wildcards.query),


rule distill:
    input:
        scores=lambda wildcards: collect(
            "<results>/teacher/attribution/{teacher}/{query}.npy",
            teacher=DISTILLED[METHOD_OF[wildcards.student]]["teacher"],
            query=TEACHER_QUERIES,
        ),
        neighbours=lambda wildcards: (
            f"<results>/teacher/neighbours/{ENCODER_OF[wildcards.student]}.npy"
        ),
        encoder=lambda wildcards: f"<results>/encoders/{ENCODER_OF[wildcards.student]}",
        clip="<results>/encoders/clip",
        features=lambda wildcards: f"<results>/features/{ENCODER_OF[wildcards.student]}/image.npy",
        text="<results>/features/clip/text.npy",
        images=ancient("<results>/data/images.parquet"),
        queries="<results>/teacher/queries.parquet",
        pictures="<results>/teacher/images",
    output:
        student="<results>/distilled/{student}.safetensors",
    log:
        "<logs>/distill/{student}.log",
    benchmark:
        "<benchmarks>/distill/{student}.tsv"
    wildcard_constraints:
        student=one_of(METHOD_OF),
    group:
        batched("scores")
    resources:
        **resources_for(
            lambda wildcards: DISTILLED_FAMILY.training_cost(
                EXPECTED, METHOD_OF[wildcards.student]
            ),
            gpu=False,
        ),
    params:
        names=TEACHER_QUERIES,
        # The settings of one student, which do not depend on how many there are.
        distilled=lambda wildcards: {
            key: value
            for key, value in DISTILLED[METHOD_OF[wildcards.student]].items()
            if key != "students"
        },
    script:
        "../../scripts/distill.py"


rule attribute_by_distilled:
    input:
        encoder=lambda wildcards: f"<results>/encoders/{ENCODER_OF[wildcards.method]}",
        clip="<results>/encoders/clip",
        features=lambda wildcards: f"<results>/features/{ENCODER_OF[wildcards.method]}/image.npy",
        text="<results>/features/clip/text.npy",
        queries="<results>/queries/queries.parquet",
        pictures=pictures_of(QUERIES),
        students=lambda wildcards: collect(
            "<results>/distilled/{student}.safetensors", student=STUDENTS[wildcards.method]
        ),
    output:
        scores=scores_of("{method}", QUERIES),
    log:
        "<logs>/attribution/{method}.log",
    benchmark:
        "<benchmarks>/attribution/{method}.tsv"
    wildcard_constraints:
        method=one_of([name for name in DISTILLED if name not in SEVERAL_STUDENTS]),
    group:
        batched("scores")
    resources:
        **resources_for(scoring_cost),
    params:
        distilled=lambda wildcards: DISTILLED[wildcards.method],
    script:
        "../../scripts/attribute_by_distilled.py"


use rule attribute_by_distilled as attribute_by_several_students with:
    output:
        scores=scores_of("{method}", QUERIES),
        halves=halves_of("{method}", QUERIES),
    wildcard_constraints:
        method=one_of(SEVERAL_STUDENTS),
