# From measurements to claims: estimates, comparisons, random equivalents, LDS, and the headline.


rule tabulate:
    input:
        methods=TEST_EVALUATIONS,
        controls=CONTROLS,
        losses="<results>/losses/queries.npy",
    output:
        measurements="<results>/tables/measurements.parquet",
        dictionary="<results>/tables/dictionary.csv",
    log:
        "<logs>/tabulate.log",
    benchmark:
        "<benchmarks>/tabulate.tsv"
    localrule: True
    conda:
        CONDA
    params:
        queries=TEST_QUERIES,
        all_queries=QUERIES,
        source_seed=config["training"]["seed"],
        version=1,
    script:
        "../scripts/make_measurements.py"


use rule tabulate as tabulate_tuning with:
    input:
        methods=TUNING_EVALUATIONS,
        controls=evaluations("random", RANDOM_SETS, TUNING["k"]) + NO_REMOVAL,
        losses="<results>/losses/queries.npy",
    output:
        measurements="<results>/tables/tuning_measurements.parquet",
        dictionary="<results>/tables/tuning_dictionary.csv",
    log:
        "<logs>/tabulate_tuning.log",
    benchmark:
        "<benchmarks>/tabulate_tuning.tsv"
    localrule: True
    params:
        queries=TUNING_QUERIES,
        all_queries=QUERIES,
        source_seed=config["training"]["seed"],
        version=1,


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
        version=1,
    script:
        "../scripts/estimate.py"


use rule estimate as estimate_tuning with:
    input:
        measurements="<results>/tables/tuning_measurements.parquet",
    output:
        "<results>/tables/tuning.csv",
    log:
        "<logs>/estimate_tuning.log",
    benchmark:
        "<benchmarks>/estimate_tuning.tsv"
    localrule: True


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
        version=1,
    script:
        "../scripts/compare.py"


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
        resamples=config["report"]["bootstrap_resamples"],
        # Trained again without removal, our own source model comes out, and a published one does not.
        origin=config["published"]["source_model"] is None,
        version=1,
    script:
        "../scripts/find_equivalents.py"


rule foretell:
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
        "<logs>/foretell.log",
    benchmark:
        "<benchmarks>/foretell.tsv"
    localrule: True
    conda:
        CONDA
    params:
        images=DATASET["images"],
        methods_ks=COUNTERFACTUAL["k"],
        ks=sorted({*COUNTERFACTUAL["k"], HALF}),
        set_seed=COUNTERFACTUAL["random"]["seed"],
        resamples=config["report"]["bootstrap_resamples"],
        version=1,
    script:
        "../scripts/foretell.py"


rule write_headline:
    input:
        estimates="<results>/tables/estimates.csv",
        comparisons="<results>/tables/comparisons.csv",
        equivalents="<results>/tables/equivalents.csv",
    output:
        "<results>/tables/headline.tex",
    log:
        "<logs>/write_headline.log",
    benchmark:
        "<benchmarks>/write_headline.tsv"
    localrule: True
    conda:
        CONDA
    params:
        version=1,
    script:
        "../scripts/write_headline.py"
