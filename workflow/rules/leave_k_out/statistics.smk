# From measurements to claims: estimates, comparisons, random equivalents, LDS, and the headline.
# Tables of the tuning queries have names of their own, which begin with `tuning_`.

RESAMPLES = config["report"]["bootstrap_resamples"]
LOOKS = COUNTERFACTUAL.get("looks")

# Those of methods, and of random sets of as many images.
SPLIT_MODELS = [
    one
    for one in MODELS
    if one.policy in ("top", "random") and one.k in EXPERIMENT.counterfactual.all_ks()
]


wildcard_constraints:
    tuning="(tuning_)?",


# Whether the pictures show their prompts, and are copies: of all test queries there are.
rule look_at_queries:
    input:
        **{**ENCODED, **PIXELS},
        query_table="<results>/queries/queries.parquet",
        pictures=pictures_of(POOL),
        encoder="<results>/encoders/clip",
        weights="<results>/source/model.safetensors",
        outcome="<results>/source/outcome.safetensors",
    output:
        table="<results>/tables/pictures.csv",
    log:
        "<logs>/look_at_queries.log",
    benchmark:
        "<benchmarks>/look_at_queries.tsv"
    group:
        batched("scores")
    resources:
        **resources_for(EXPECTED.looking(len(POOL))),
        **hardware(batch="forward_batch"),
    params:
        **sections("model", "evaluation"),
        names=POOL,
    script:
        "../../scripts/look_at_queries.py"


rule tabulate_measurements:
    input:
        queries="<results>/queries/queries.parquet",
        measured=measured_for,
    output:
        clusters="<results>/tables/{tuning}clusters.csv",
        measurements="<results>/tables/{tuning}measurements.parquet",
        dictionary="<results>/tables/{tuning}dictionary.csv",
    log:
        "<logs>/tabulate_measurements/{tuning}queries.log",
    benchmark:
        "<benchmarks>/tabulate_measurements/{tuning}queries.tsv"
    params:
        measures=config["measures"],
        queries=queries_for,
        topics=DATASET.get("topics"),
        version=3,
    script:
        "../../scripts/write_table.py"


rule estimate:
    input:
        measurements="<results>/tables/measurements.parquet",
    output:
        table="<results>/tables/estimates.csv",
    log:
        "<logs>/estimate.log",
    benchmark:
        "<benchmarks>/estimate.tsv"
    params:
        looks=LOOKS,
        version=2,
    script:
        "../../scripts/write_table.py"


use rule estimate as tabulate_removals with:
    input:
        measurements("test", "removals"),
    output:
        table="<results>/tables/removals.csv",
    log:
        "<logs>/tabulate_removals.log",
    benchmark:
        "<benchmarks>/tabulate_removals.tsv"
    params:
        version=3,


rule tabulate_seeds:
    input:
        measurements="<results>/tables/measurements.parquet",
        again=measurements("test", "seeds"),
    output:
        table="<results>/tables/seeds.csv",
    log:
        "<logs>/tabulate_seeds.log",
    benchmark:
        "<benchmarks>/tabulate_seeds.tsv"
    script:
        "../../scripts/write_table.py"


use rule estimate as choose_settings with:
    input:
        measurements="<results>/tables/tuning_measurements.parquet",
        measured=measurements("tuning", "measurements"),
    output:
        table="<results>/tables/tuning.csv",
    log:
        "<logs>/choose_settings.log",
    benchmark:
        "<benchmarks>/choose_settings.tsv"
    params:
        settings=TUNING.get("settings", {}),
        criterion=TUNING.get("criterion", "delta_loss"),
        together=TUNING.get("together", False),


use rule estimate as compare with:
    output:
        comparisons="<results>/tables/comparisons.csv",
        variance="<results>/tables/variance.csv",
        power="<results>/tables/power.csv",
        intraclass="<results>/tables/intraclass.csv",
    log:
        "<logs>/compare.log",
    benchmark:
        "<benchmarks>/compare.tsv"


use rule estimate as find_equivalents with:
    output:
        table="<results>/tables/equivalents.csv",
    log:
        "<logs>/find_equivalents.log",
    benchmark:
        "<benchmarks>/find_equivalents.tsv"
    params:
        resamples=RESAMPLES,
        version=2,
        # Retraining without removal reproduces our own source model, but not a published one.
        origin=config["published"]["source_model"] is None,


rule split_by_timestep:
    input:
        clusters="<results>/tables/clusters.csv",
        source="<results>/source/outcome.safetensors",
        outcomes=outcomes_of(SPLIT_MODELS),
    output:
        table="<results>/tables/timesteps.csv",
    log:
        "<logs>/split_by_timestep.log",
    benchmark:
        "<benchmarks>/split_by_timestep.tsv"
    resources:
        **resources_for(EXPECTED.measuring(len(SPLIT_MODELS), encoders=0), gpu=False),
    params:
        stride=config["evaluation"]["timestep_stride"],
    script:
        "../../scripts/write_table.py"


rule score_lds:
    input:
        measurements="<results>/tables/measurements.parquet",
        scores=scores_of(METHODS, TEST_QUERIES),
    output:
        lds="<results>/tables/lds.csv",
        ties="<results>/tables/ties.csv",
    log:
        "<logs>/score_lds.log",
    benchmark:
        "<benchmarks>/score_lds.tsv"
    params:
        images=DATASET["images"],
        methods_ks=COUNTERFACTUAL["k"],
        ks=sorted({*COUNTERFACTUAL["k"], DATASET["images"] // 2}),
        set_seed=COUNTERFACTUAL["random"]["seed"],
        resamples=RESAMPLES,
        version=2,
    script:
        "../../scripts/score_lds.py"


# The methods for which a rule writes scores by halves of their draws.
rule tabulate_repeatability:
    input:
        lambda wildcards: collect(
            "<results>/repeatability/{method}/{query}.npy",
            method=drawing_methods(),
            query=TEST_QUERIES,
        ),
    output:
        table="<results>/tables/repeatability.csv",
    log:
        "<logs>/tabulate_repeatability.log",
    benchmark:
        "<benchmarks>/tabulate_repeatability.tsv"
    params:
        methods=lambda wildcards: drawing_methods(),
        queries=TEST_QUERIES,
        ks=COUNTERFACTUAL["k"],
    script:
        "../../scripts/write_table.py"


# Bundles contain these files, because whoever joins has no benchmark files of the jobs.
rule record_cost:
    input:
        scores_of("{method}", TEST_QUERIES),
    output:
        "<results>/costs/{method}.json",
    log:
        "<logs>/record_cost/{method}.log",
    benchmark:
        "<benchmarks>/record_cost/{method}.tsv"
    params:
        queries=len(QUERIES),
        once=lambda wildcards: registry.preparation(EXPERIMENT, wildcards.method),
        benchmarks=f"results/{config['experiment']}/benchmarks",
    script:
        "../../scripts/record_cost.py"


rule tabulate_costs:
    input:
        collect("<results>/costs/{method}.json", method=COSTED),
    output:
        table="<results>/tables/costs.csv",
    log:
        "<logs>/tabulate_costs.log",
    benchmark:
        "<benchmarks>/tabulate_costs.tsv"
    script:
        "../../scripts/write_table.py"


rule write_headline:
    input:
        estimates="<results>/tables/estimates.csv",
        comparisons="<results>/tables/comparisons.csv",
        equivalents="<results>/tables/equivalents.csv",
    output:
        text="<results>/tables/headline.txt",
        latex="<results>/tables/headline.tex",
    log:
        "<logs>/write_headline.log",
    benchmark:
        "<benchmarks>/write_headline.tsv"
    params:
        experiment=config["experiment"],
        joined=lambda wildcards: JOINED,
    script:
        "../../scripts/write_headline.py"
