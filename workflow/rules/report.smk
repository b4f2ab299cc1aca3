# Tables, figures, and what the report says of them.


rule tabulate:
    input:
        methods=TEST_EVALUATIONS,
        controls=CONTROLS,
    output:
        per_query=report(
            "<results>/tables/per_query.csv",
            caption="../report/per_query.rst",
            category="Tables",
            labels={"table": "every measurement"},
        ),
        summary=report(
            "<results>/tables/leave_k_out.csv",
            caption="../report/leave_k_out.rst",
            category="Tables",
            labels={"table": "leave-K-out"},
        ),
        paired=report(
            "<results>/tables/paired.csv",
            caption="../report/paired.rst",
            category="Tables",
            labels={"table": "methods against random"},
        ),
    log:
        "<logs>/tabulate.log",
    benchmark:
        "<benchmarks>/tabulate.tsv"
    localrule: True
    conda:
        CONDA
    params:
        queries=TEST_QUERIES,
        resamples=config["report"]["bootstrap_resamples"],
        version=1,
    script:
        "../scripts/make_tables.py"


use rule tabulate as tabulate_tuning with:
    input:
        methods=TUNING_EVALUATIONS,
        controls=evaluations("random", RANDOM_SETS, TUNING["k"]) + NO_REMOVAL,
    output:
        per_query="<results>/tables/tuning_per_query.csv",
        summary="<results>/tables/tuning.csv",
        paired="<results>/tables/tuning_paired.csv",
    log:
        "<logs>/tabulate_tuning.log",
    benchmark:
        "<benchmarks>/tabulate_tuning.tsv"
    params:
        queries=TUNING_QUERIES,
        resamples=config["report"]["bootstrap_resamples"],
        version=1,


rule plot_measures:
    input:
        summary="<results>/tables/leave_k_out.csv",
    output:
        png=report(
            "<results>/figures/measures.png",
            caption="../report/measures.rst",
            category="Measures",
            labels={"figure": "measures against K"},
        ),
        pdf="<results>/figures/measures.pdf",
    log:
        "<logs>/plot_measures.log",
    benchmark:
        "<benchmarks>/plot_measures.tsv"
    localrule: True
    conda:
        CONDA
    params:
        methods=METHODS,
        images=DATASET["images"],
        version=1,
    script:
        "../scripts/plot_measures.py"


rule plot_ranking:
    input:
        paired="<results>/tables/paired.csv",
    output:
        png=report(
            "<results>/figures/ranking.png",
            caption="../report/ranking.rst",
            category="Measures",
            labels={"figure": "methods against random"},
        ),
        pdf="<results>/figures/ranking.pdf",
    log:
        "<logs>/plot_ranking.log",
    benchmark:
        "<benchmarks>/plot_ranking.tsv"
    localrule: True
    conda:
        CONDA
    params:
        methods=METHODS,
        version=1,
    script:
        "../scripts/plot_ranking.py"


rule draw_attributed:
    input:
        queries="<results>/queries/queries.parquet",
        images=collect("<results>/queries/images/{query}.png", query=TEST_QUERIES),
        pixels=ancient("<results>/data/pixels.npy"),
        pixels_checksum="<results>/data/pixels.json",
        scores=collect(
            "<results>/attribution/{method}/{query}.npy",
            method=METHODS,
            query=TEST_QUERIES,
        ),
    output:
        figures=[
            report(
                f"<results>/figures/attributed/{query}.png",
                caption="../report/attributed.rst",
                category="Attributed images",
                labels={"query": query},
            )
            for query in TEST_QUERIES
        ],
    log:
        "<logs>/draw_attributed.log",
    benchmark:
        "<benchmarks>/draw_attributed.tsv"
    localrule: True
    conda:
        CONDA
    params:
        names=TEST_QUERIES,
        methods=METHODS,
        top=config["report"]["top_images"],
        version=1,
    script:
        "../scripts/draw_attributed.py"


# Of the many models of the random sweep, one set at the methods' own K is enough to look at.
SHOWN_CONTROLS = NO_REMOVAL + evaluations("random", RANDOM_SETS[0], COUNTERFACTUAL["k"])


rule draw_regenerated:
    input:
        queries="<results>/queries/queries.parquet",
        images=collect("<results>/queries/images/{query}.png", query=TEST_QUERIES),
        methods=TEST_EVALUATIONS,
        controls=SHOWN_CONTROLS,
    output:
        figures=[
            report(
                f"<results>/figures/regenerated/{query}.png",
                caption="../report/regenerated.rst",
                category="Regenerated pictures",
                labels={"query": query},
            )
            for query in TEST_QUERIES
        ],
    log:
        "<logs>/draw_regenerated.log",
    benchmark:
        "<benchmarks>/draw_regenerated.tsv"
    localrule: True
    conda:
        CONDA
    params:
        names=TEST_QUERIES,
        version=2,
    script:
        "../scripts/draw_regenerated.py"
