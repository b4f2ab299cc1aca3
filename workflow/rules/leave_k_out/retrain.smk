# Leave images out, train from scratch, write the outcome, measure what is lost.


rule retrain:
    input:
        unpack(files_of_removal),
        **ENCODED,
        **QUERY_FILES,
        vae="<results>/encoders/vae",
    output:
        **(
            {"weights": "<results>/retrained/{removal}/weights.safetensors"}
            if COUNTERFACTUAL["keep_models"]
            else {}
        ),
        outcome="<results>/retrained/{removal}/outcome.safetensors",
    log:
        "<logs>/retrain/{removal}.log",
    benchmark:
        "<benchmarks>/retrain/{removal}.tsv"
    wildcard_constraints:
        removal=r"(?!no_removal/)[a-z][a-z0-9_-]*/[a-z0-9_-]+/k\d+",
    group:
        retraining_batch
    threads: HARDWARE["training_threads"]
    resources:
        **resources_for(retraining_cost),
        **hardware("device_data_gb", "checkpoint_seconds", batch="forward_batch"),
        compile=int(HARDWARE["compile"]),
        resume_on_any_gpu=int(HARDWARE["resume_on_any_gpu"]),
    params:
        **sections("model", "sampling", "evaluation"),
        removal=lambda wildcards: removal_of(wildcards).as_dict(),
        training=lambda wildcards: {
            **config["training"],
            "seed": removal_of(wildcards).training_seed,
        },
        version=TRAINING_LOOP,
    script:
        "../../scripts/retrain.py"


# Their weights are kept: they are few, and the ensembles of influence methods are made of them. They
# are a batch of their own, because methods, whose models are a batch, depend on them.
use rule retrain as retrain_other_seed with:
    output:
        outcome="<results>/retrained/{removal}/outcome.safetensors",
        weights="<results>/retrained/{removal}/weights.safetensors",
    wildcard_constraints:
        removal=r"no_removal/seed\d+/k0",
    group:
        batched("seeds")


# All models of an arm at once, from their outcomes alone: no GPU, and no weights.
rule measure_outcomes:
    input:
        **{one.encoder: f"<results>/encoders/{one.encoder}" for one in MEASURES if one.encoder},
        outcomes=lambda wildcards: outcomes_of(arm_of(wildcards)),
        source=lambda wildcards: [
            "<results>/source/outcome.safetensors",
            *(["<results>/source/related.safetensors"] * (wildcards.purpose == "forgetting")),
        ],
    output:
        table="<results>/measurements/{purpose}/{arm}.parquet",
    log:
        "<logs>/measure_outcomes/{purpose}/{arm}.log",
    benchmark:
        "<benchmarks>/measure_outcomes/{purpose}/{arm}.tsv"
    wildcard_constraints:
        purpose="test|tuning|forgetting",
    resources:
        **resources_for(measuring_cost, gpu=False),
    params:
        measures=config["measures"],
        queries=lambda wildcards: {
            "test": POOL,
            "tuning": TUNING_QUERIES,
            "forgetting": [*POOL, *(name for names in RELATED.values() for name in names)],
        }[wildcards.purpose],
    script:
        "../../scripts/measure_outcomes.py"


# Two parts of a study, so that several people can run it at the same time: first the controls, then
# each the models of some methods (docs/slurm.md).
rule controls:
    input:
        outcomes_of([one for one in MODELS if "scores" not in one.inputs]),


rule cells:
    input:
        outcomes_of([one for one in MODELS if "scores" in one.inputs]),
