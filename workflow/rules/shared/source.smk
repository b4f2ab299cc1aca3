# The source model θ0, its Fisher information and its losses.


SOURCE_MODEL = PUBLISHED.source_model

if SOURCE_MODEL:

    rule import_source:
        input:
            fetched=(
                "<results>/encoders/denoiser" if "denoiser" in FETCHED else fetched(SOURCE_MODEL)
            ),
        output:
            weights="<results>/source/model.safetensors",
        log:
            "<logs>/import_source.log",
        benchmark:
            "<benchmarks>/import_source.tsv"
        params:
            file=FETCHED.get("denoiser") or path_of(SOURCE_MODEL),
            content=lambda wildcards: content_of(SOURCE_MODEL),
            model=config["model"],
        script:
            "../../scripts/import_source.py"

else:

    rule train_source:
        input:
            **ENCODED,
        output:
            weights="<results>/source/model.safetensors",
        log:
            "<logs>/train_source.log",
        benchmark:
            "<benchmarks>/train_source.tsv"
        group:
            batched("source")
        threads: HARDWARE["training_threads"]
        resources:
            **resources_for(EXPECTED.training()),
            **hardware("device_data_gb", "checkpoint_seconds"),
            compile=int(HARDWARE["compile"]),
        params:
            model=config["model"],
            training=config["training"],
            version=TRAINING_LOOP,
        script:
            "../../scripts/train_source.py"


# The form of the Fisher information in each folder, and the cost of estimating it.
CURVATURES = {
    "fisher": ("diagonal", EXPECTED.fisher()),
    "ekfac": ("ekfac", EXPECTED.ekfac()),
    "gauss_newton": ("gauss_newton", EXPECTED.ekfac()),
}


# The published curvature, by the folder that it takes the place in.
CURVATURE_FILES = {
    folder: file
    for folder, form in (("fisher", "diagonal"), ("ekfac", "ekfac"))
    if PUBLISHED.fisher and (file := getattr(PUBLISHED.fisher, form))
}


rule import_curvature:
    input:
        fetched=lambda wildcards: fetched(CURVATURE_FILES[wildcards.curvature]),
    output:
        curvature="<results>/{curvature}/{weights}.safetensors",
    log:
        "<logs>/import_{curvature}/{weights}.log",
    benchmark:
        "<benchmarks>/import_{curvature}/{weights}.tsv"
    wildcard_constraints:
        curvature=one_of(CURVATURE_FILES),
    params:
        model=config["model"],
        curvature=lambda wildcards: CURVATURES[wildcards.curvature][0],
        file=lambda wildcards: path_of(CURVATURE_FILES[wildcards.curvature]),
    script:
        "../../scripts/import_curvature.py"


rule estimate_curvature:
    input:
        **ENCODED,
        weights="<results>/source/model.safetensors",
    output:
        curvature="<results>/{curvature}/{weights}.safetensors",
    log:
        "<logs>/estimate_{curvature}/{weights}.log",
    benchmark:
        "<benchmarks>/estimate_{curvature}/{weights}.tsv"
    wildcard_constraints:
        curvature=one_of([name for name in CURVATURES if name not in CURVATURE_FILES]),
    group:
        batched("source")
    resources:
        **resources_for(lambda wildcards: CURVATURES[wildcards.curvature][1]),
        **hardware("device_data_gb", batch="per_sample_batch"),
    params:
        **sections("model", "fisher"),
        curvature=lambda wildcards: CURVATURES[wildcards.curvature][0],
    script:
        "../../scripts/estimate_curvature.py"


# Without the settings of refinement, so that adding a refinement does not repeat the first sweep.
FIRST_SWEEP = {key: value for key, value in config["losses"].items() if key != "refine"}


rule source_losses:
    input:
        **SCORED,
        weights=lambda wildcards: weights_of(wildcards.model),
    output:
        losses="<results>/losses/{model}/{objective}.npy",
    log:
        "<logs>/source_losses/{model}/{objective}.log",
    benchmark:
        "<benchmarks>/source_losses/{model}/{objective}.tsv"
    group:
        batched("scores")
    resources:
        **resources_for(EXPECTED.sweep()),
        **hardware("device_data_gb", "checkpoint_seconds", batch="forward_batch"),
    params:
        model=config["model"],
        losses=FIRST_SWEEP,
        refined=False,
        version=2,
    script:
        "../../scripts/source_losses.py"


# The same for the further draws of refined images. Each query refines other images.
use rule source_losses as source_losses_refined with:
    output:
        losses="<results>/losses/{model}/refined/{objective}.npy",
    log:
        "<logs>/source_losses/{model}/refined/{objective}.log",
    benchmark:
        "<benchmarks>/source_losses/{model}/refined/{objective}.tsv"
    resources:
        **resources_for(EXPECTED.sweep(refined=True)),
        **hardware("device_data_gb", "checkpoint_seconds", batch="forward_batch"),
    params:
        losses=config["losses"],
        refined=True,
