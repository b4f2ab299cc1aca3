# The counterfactual: remove the top K, retrain from scratch, measure what is lost.

COUNTERFACTUAL = config["counterfactual"]
# The cases of the controls: random sets, and trainings of other seeds that remove nothing.
RANDOM_SETS = [f"s{i}" for i in range(COUNTERFACTUAL["random"]["sets"])]
RANDOM_KS = sorted({*COUNTERFACTUAL["k"], *EXPERIMENT.counterfactual.random.sizes()})
# Sets of half of the images, from which linear datamodeling scores are had.
HALF = config["dataset"]["images"] // 2
HALF_SETS = [f"s{i}" for i in range(COUNTERFACTUAL["random"]["half_size_sets"])]
RETRAIN_SEEDS = [f"seed{seed}" for seed in COUNTERFACTUAL["retrain_seeds"]]

TEST_EVALUATIONS = evaluations(METHODS, TEST_QUERIES, COUNTERFACTUAL["k"])
TUNING_EVALUATIONS = evaluations(TUNING["methods"], TUNING_QUERIES, TUNING["k"])
# The controls belong to no query, so each of these models is evaluated on all of them.
NO_REMOVAL = collect("<results>/evaluation/no_removal/{case}/k0.json", case=RETRAIN_SEEDS)
SWEEP = evaluations("random", RANDOM_SETS, RANDOM_KS)
HALVES = evaluations("random", HALF_SETS, HALF)
CONTROLS = NO_REMOVAL + SWEEP + [model for model in HALVES if model not in SWEEP]


rule retrain:
    input:
        **ENCODED,
        scores="<results>/attribution/{method}/{query}.npy",
    output:
        removed="<results>/removal/{method}/{query}/k{k}.npy",
        weights=weights_file("<results>/retrained/{method}/{query}/k{k}/model.safetensors"),
    log:
        "<logs>/retrain/{method}/{query}/k{k}.log",
    benchmark:
        "<benchmarks>/retrain/{method}/{query}/k{k}.tsv"
    group:
        batched("cells")
    conda:
        CONDA
    threads: HARDWARE["training_threads"]
    resources:
        **ask(lambda wildcards: COSTS.training(int(wildcards.k))),
        device_data_gb=HARDWARE["device_data_gb"],
        checkpoint_seconds=HARDWARE["checkpoint_seconds"],
        compile=int(HARDWARE["compile"]),
    params:
        removal="top",
        model=config["model"],
        training=config["training"],
        version=1,
    script:
        "../scripts/retrain.py"


use rule retrain as retrain_random with:
    input:
        **ENCODED,
    output:
        removed="<results>/removal/random/s{number}/k{k}.npy",
        weights=weights_file("<results>/retrained/random/s{number}/k{k}/model.safetensors"),
    log:
        "<logs>/retrain/random/s{number}/k{k}.log",
    benchmark:
        "<benchmarks>/retrain/random/s{number}/k{k}.tsv"
    group:
        batched("controls")
    params:
        removal="random",
        model=config["model"],
        training=config["training"],
        set_seed=COUNTERFACTUAL["random"]["seed"],
        version=1,


use rule retrain as retrain_without_removal with:
    input:
        **ENCODED,
    output:
        removed="<results>/removal/no_removal/seed{seed}/k{k}.npy",
        # Kept: few, and the ensembles of influence methods are made of them.
        weights="<results>/retrained/no_removal/seed{seed}/k{k}/model.safetensors",
    log:
        "<logs>/retrain/no_removal/seed{seed}/k{k}.log",
    benchmark:
        "<benchmarks>/retrain/no_removal/seed{seed}/k{k}.tsv"
    wildcard_constraints:
        k="0",
    group:
        batched("seeds")  # apart, because methods, whose models are in `cells`, depend on them
    params:
        removal="none",
        model=config["model"],
        training=lambda wildcards: {**config["training"], "seed": int(wildcards.seed)},
        version=1,


EVALUATED_WITH = {
    "queries": "<results>/queries/queries.parquet",
    "latents": "<results>/queries/latents.npy",
    "text": "<results>/queries/text.npy",
    "losses": "<results>/losses/queries.npy",
    # One picture stands for its folder: thousands of inputs would slow the planning of a big study.
    "picture": f"<results>/queries/images/{QUERIES[0]}.png",
    "null_text": "<results>/data/null_text.npy",
    "vae": "<results>/encoders/vae",
    "clip": "<results>/encoders/clip",
}


rule evaluate:
    input:
        **EVALUATED_WITH,
        weights="<results>/retrained/{method}/{query}/k{k}/model.safetensors",
    output:
        measures="<results>/evaluation/{method}/{query}/k{k}.json",
        regenerated="<results>/evaluation/{method}/{query}/k{k}.png",
    log:
        "<logs>/evaluate/{method}/{query}/k{k}.log",
    benchmark:
        "<benchmarks>/evaluate/{method}/{query}/k{k}.tsv"
    priority: 1  # before the next training, so that few weights wait on the disk
    group:
        batched("cells")
    conda:
        CONDA
    resources:
        **ask(COSTS.evaluation(1)),
        batch=HARDWARE["forward_batch"],
    params:
        names=lambda wildcards: [wildcards.query],
        seed=config["training"]["seed"],
        model=config["model"],
        sampling=config["sampling"],
        evaluation=config["evaluation"],
        version=1,
    script:
        "../scripts/evaluate.py"


use rule evaluate as evaluate_control with:
    input:
        **EVALUATED_WITH,
        weights="<results>/retrained/{method}/{case}/k{k}/model.safetensors",
    output:
        measures="<results>/evaluation/{method}/{case}/k{k}.json",
        regenerated="<results>/evaluation/{method}/{case}/k{k}.png",
    log:
        "<logs>/evaluate/{method}/{case}/k{k}.log",
    benchmark:
        "<benchmarks>/evaluate/{method}/{case}/k{k}.tsv"
    wildcard_constraints:
        method="random|no_removal|group",
    group:
        batched("controls")
    resources:
        **ask(COSTS.evaluation(len(QUERIES))),
        batch=HARDWARE["forward_batch"],
    params:
        names=QUERIES,
        # The number of a random set or a group, or the training's seed where nothing is removed.
        seed=lambda wildcards: int(wildcards.case.lstrip("sedg")),
        model=config["model"],
        sampling=config["sampling"],
        evaluation=config["evaluation"],
        version=1,
