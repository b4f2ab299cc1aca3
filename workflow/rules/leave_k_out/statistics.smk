# From measurements to claims: estimates, comparisons, random equivalents, LDS, and the headline.
# Tables of the tuning queries have names of their own, which begin with `tuning_`.

RESAMPLES = config["report"]["bootstrap_resamples"]


wildcard_constraints:
    tuning="(tuning_)?",


rule cluster_queries:
    input:
        unpack(likeness),
        queries="<results>/queries/queries.parquet",
    output:
        "<results>/tables/{tuning}clusters.csv",
    log:
        "<logs>/cluster_queries/{tuning}queries.log",
    benchmark:
        "<benchmarks>/cluster_queries/{tuning}queries.tsv"
    group:
        batched("scores")
    conda:
        CONDA
    resources:
        **resources_for(EXPECTED.similarity(len(TEST_QUERIES))),
    params:
        queries=queries_for,
        nearest=min(COUNTERFACTUAL["k"]),
        images=DATASET["images"],
        published=published_clusters,
    script:
        "../../scripts/cluster_queries.py"


rule tabulate_measurements:
    input:
        clusters="<results>/tables/{tuning}clusters.csv",
        measured=measured_for,
    output:
        measurements="<results>/tables/{tuning}measurements.parquet",
        dictionary="<results>/tables/{tuning}dictionary.csv",
    log:
        "<logs>/tabulate_measurements/{tuning}queries.log",
    benchmark:
        "<benchmarks>/tabulate_measurements/{tuning}queries.tsv"
    conda:
        CONDA
    params:
        measures=config["measures"],
        version=2,
    script:
        "../../scripts/write_table.py"


rule tabulate_removals:
    input:
        measurements("test", "removals"),
    output:
        table="<results>/tables/removals.csv",
    log:
        "<logs>/tabulate_removals.log",
    benchmark:
        "<benchmarks>/tabulate_removals.tsv"
    conda:
        CONDA
    params:
        version=2,
        resamples=RESAMPLES,
    script:
        "../../scripts/write_table.py"


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
    conda:
        CONDA
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
    conda:
        CONDA
    params:
        resamples=RESAMPLES,
    script:
        "../../scripts/write_table.py"


rule choose_settings:
    input:
        measurements="<results>/tables/tuning_measurements.parquet",
        measured=measurements("tuning", "measurements"),
    output:
        table="<results>/tables/tuning.csv",
    log:
        "<logs>/choose_settings.log",
    benchmark:
        "<benchmarks>/choose_settings.tsv"
    conda:
        CONDA
    params:
        settings=TUNING.get("settings", {}),
        criterion=TUNING.get("criterion", "delta_loss"),
        together=TUNING.get("together", False),
        resamples=RESAMPLES,
    script:
        "../../scripts/write_table.py"


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
    conda:
        CONDA
    params:
        resamples=RESAMPLES,
    script:
        "../../scripts/write_table.py"


rule find_equivalents:
    input:
        measurements="<results>/tables/measurements.parquet",
    output:
        table="<results>/tables/equivalents.csv",
    log:
        "<logs>/find_equivalents.log",
    benchmark:
        "<benchmarks>/find_equivalents.tsv"
    conda:
        CONDA
    params:
        version=2,
        resamples=RESAMPLES,
        # Trained again without removal, our own source model comes out, and a published one does not.
        origin=config["published"]["source_model"] is None,
    script:
        "../../scripts/write_table.py"


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
    conda:
        CONDA
    params:
        images=DATASET["images"],
        methods_ks=COUNTERFACTUAL["k"],
        ks=sorted({*COUNTERFACTUAL["k"], DATASET["images"] // 2}),
        set_seed=COUNTERFACTUAL["random"]["seed"],
        resamples=RESAMPLES,
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
    conda:
        CONDA
    params:
        methods=lambda wildcards: drawing_methods(),
        queries=TEST_QUERIES,
        ks=COUNTERFACTUAL["k"],
    script:
        "../../scripts/write_table.py"


# A bundle has it of each method, since elsewhere the benchmark files of its jobs are not there.
rule record_cost:
    input:
        collect("<results>/attribution/{{method}}/{query}.npy", query=TEST_QUERIES),
    output:
        "<results>/costs/{method}.json",
    log:
        "<logs>/record_cost/{method}.log",
    benchmark:
        "<benchmarks>/record_cost/{method}.tsv"
    conda:
        CONDA
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
    conda:
        CONDA
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
    conda:
        CONDA
    params:
        experiment=config["experiment"],
        joined=lambda wildcards: JOINED,
    script:
        "../../scripts/write_headline.py"
