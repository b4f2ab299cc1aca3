# From measurements to claims: estimates, comparisons, random equivalents, LDS, and the headline.

from leavekout.planning.preparation import preparation_of

# Methods whose scores are computed here: what the oracle costs is what the benchmark costs.
COSTED = [m for m in METHODS if m not in config["external"] and m != "oracle"]


rule cluster_queries:
    input:
        **likeness(TEST_QUERIES if PUBLISHED_CLUSTERS is None else []),
        queries="<results>/queries/queries.parquet",
    output:
        "<results>/tables/clusters.csv",
    log:
        "<logs>/cluster_queries.log",
    benchmark:
        "<benchmarks>/cluster_queries.tsv"
    group:
        batched("scores")
    conda:
        CONDA
    resources:
        **resources_for(EXPECTED.similarity(len(TEST_QUERIES))),
    params:
        queries=TEST_QUERIES,
        nearest=min(COUNTERFACTUAL["k"]),
        images=DATASET["images"],
        published=PUBLISHED_CLUSTERS,
    script:
        "../../scripts/cluster_queries.py"


use rule cluster_queries as cluster_tuning_queries with:
    input:
        **likeness(TUNING_QUERIES),
        queries="<results>/queries/queries.parquet",
    output:
        "<results>/tables/tuning_clusters.csv",
    log:
        "<logs>/cluster_tuning_queries.log",
    benchmark:
        "<benchmarks>/cluster_tuning_queries.tsv"
    params:
        queries=TUNING_QUERIES,
        nearest=min(COUNTERFACTUAL["k"]),
        images=DATASET["images"],
        published=None,


rule tabulate_measurements:
    input:
        clusters="<results>/tables/clusters.csv",
        measured=measurements("test", "measurements"),
    output:
        measurements="<results>/tables/measurements.parquet",
        dictionary="<results>/tables/dictionary.csv",
    log:
        "<logs>/tabulate_measurements.log",
    benchmark:
        "<benchmarks>/tabulate_measurements.tsv"
    localrule: True
    conda:
        CONDA
    params:
        measures=config["measures"],
        version=2,
    script:
        "../../scripts/tabulate_measurements.py"


use rule tabulate_measurements as tabulate_tuning with:
    input:
        clusters="<results>/tables/tuning_clusters.csv",
        measured=tuning_measurements,
    output:
        measurements="<results>/tables/tuning_measurements.parquet",
        dictionary="<results>/tables/tuning_dictionary.csv",
    log:
        "<logs>/tabulate_tuning.log",
    benchmark:
        "<benchmarks>/tabulate_tuning.tsv"
    localrule: True


rule tabulate_removals:
    input:
        measurements("test", "removals"),
    output:
        table="<results>/tables/removals.csv",
    log:
        "<logs>/tabulate_removals.log",
    benchmark:
        "<benchmarks>/tabulate_removals.tsv"
    localrule: True
    conda:
        CONDA
    params:
        version=2,
        resamples=config["report"]["bootstrap_resamples"],
    script:
        "../../scripts/tabulate_removals.py"


rule tabulate_seeds:
    input:
        measurements="<results>/tables/measurements.parquet",
        again=measurements("test", "seeds"),
    output:
        "<results>/tables/seeds.csv",
    log:
        "<logs>/tabulate_seeds.log",
    benchmark:
        "<benchmarks>/tabulate_seeds.tsv"
    localrule: True
    conda:
        CONDA
    script:
        "../../scripts/tabulate_seeds.py"


rule estimate:
    input:
        measurements="<results>/tables/measurements.parquet",
    output:
        "<results>/tables/estimates.csv",
    log:
        "<logs>/estimate.log",
    benchmark:
        "<benchmarks>/estimate.tsv"
    localrule: True
    conda:
        CONDA
    params:
        resamples=config["report"]["bootstrap_resamples"],
    script:
        "../../scripts/estimate.py"


rule choose_settings:
    input:
        measurements="<results>/tables/tuning_measurements.parquet",
        measured=measurements("tuning", "measurements"),
    output:
        "<results>/tables/tuning.csv",
    log:
        "<logs>/choose_settings.log",
    benchmark:
        "<benchmarks>/choose_settings.tsv"
    localrule: True
    conda:
        CONDA
    params:
        settings=TUNING.get("settings", {}),
        criterion=TUNING.get("criterion", "delta_loss"),
        together=TUNING.get("together", False),
        resamples=config["report"]["bootstrap_resamples"],
    script:
        "../../scripts/choose_settings.py"


rule compare:
    input:
        measurements="<results>/tables/measurements.parquet",
    output:
        comparisons="<results>/tables/comparisons.csv",
        variance="<results>/tables/variance.csv",
        power="<results>/tables/power.csv",
    log:
        "<logs>/compare.log",
    benchmark:
        "<benchmarks>/compare.tsv"
    localrule: True
    conda:
        CONDA
    params:
        resamples=config["report"]["bootstrap_resamples"],
    script:
        "../../scripts/compare.py"


rule find_equivalents:
    input:
        measurements="<results>/tables/measurements.parquet",
    output:
        "<results>/tables/equivalents.csv",
    log:
        "<logs>/find_equivalents.log",
    benchmark:
        "<benchmarks>/find_equivalents.tsv"
    localrule: True
    conda:
        CONDA
    params:
        version=2,
        resamples=config["report"]["bootstrap_resamples"],
        # Trained again without removal, our own source model comes out, and a published one does not.
        origin=config["published"]["source_model"] is None,
    script:
        "../../scripts/find_equivalents.py"


rule score_lds:
    input:
        measurements="<results>/tables/measurements.parquet",
        scores=collect(
            "<results>/attribution/{method}/{query}.npy",
            method=METHODS,
            query=TEST_QUERIES,
        ),
    output:
        lds="<results>/tables/lds.csv",
        ties="<results>/tables/ties.csv",
    log:
        "<logs>/score_lds.log",
    benchmark:
        "<benchmarks>/score_lds.tsv"
    localrule: True
    conda:
        CONDA
    params:
        images=DATASET["images"],
        methods_ks=COUNTERFACTUAL["k"],
        ks=sorted({*COUNTERFACTUAL["k"], DATASET["images"] // 2}),
        set_seed=COUNTERFACTUAL["random"]["seed"],
        resamples=config["report"]["bootstrap_resamples"],
    script:
        "../../scripts/score_lds.py"


# Of every method for which a rule writes scores by halves of its draws.
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
    localrule: True
    conda:
        CONDA
    params:
        methods=lambda wildcards: drawing_methods(),
        queries=TEST_QUERIES,
        ks=COUNTERFACTUAL["k"],
    script:
        "../../scripts/tabulate_repeatability.py"


# The rest that a bundle has of a method: elsewhere, its jobs' benchmark files are not there.
rule record_cost:
    input:
        collect("<results>/attribution/{{method}}/{query}.npy", query=TEST_QUERIES),
    output:
        "<results>/costs/{method}.json",
    log:
        "<logs>/record_cost/{method}.log",
    benchmark:
        "<benchmarks>/record_cost/{method}.tsv"
    localrule: True
    conda:
        CONDA
    params:
        queries=len(QUERIES),
        once=lambda wildcards: preparation_of(EXPERIMENT, wildcards.method),
        benchmarks=f"results/{config['experiment']}/benchmarks",
    script:
        "../../scripts/record_cost.py"


rule tabulate_costs:
    input:
        collect("<results>/costs/{method}.json", method=COSTED),
    output:
        "<results>/tables/costs.csv",
    log:
        "<logs>/tabulate_costs.log",
    benchmark:
        "<benchmarks>/tabulate_costs.tsv"
    localrule: True
    conda:
        CONDA
    script:
        "../../scripts/tabulate_costs.py"


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
    localrule: True
    conda:
        CONDA
    params:
        experiment=config["experiment"],
        joined=lambda wildcards: JOINED,
    script:
        "../../scripts/write_headline.py"
