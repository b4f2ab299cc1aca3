# Figures, and the report: one file that says all.


FIGURES = ["measures", "ranking", "equivalents", "agreement", "repeatability", "costs"]
GALLERY = TEST_QUERIES[: config["report"]["gallery_queries"]]
SHOWN_MODELS = outcomes_of(removal.pictured(STUDY))


rule plot_measures:
    input:
        estimates="<results>/tables/estimates.csv",
    output:
        png="<results>/figures/measures.png",
        pdf="<results>/figures/measures.pdf",
        svg="<results>/figures/measures.svg",
    log:
        "<logs>/plot_measures.log",
    benchmark:
        "<benchmarks>/plot_measures.tsv"
    localrule: True
    conda:
        CONDA
    params:
        figure="measures",
        methods=METHODS,
    script:
        "../../scripts/plot.py"


# Derived rules do not inherit `localrule`, so each says it again.
use rule plot_measures as plot_ranking with:
    input:
        estimates="<results>/tables/estimates.csv",
        comparisons="<results>/tables/comparisons.csv",
    output:
        png="<results>/figures/ranking.png",
        pdf="<results>/figures/ranking.pdf",
        svg="<results>/figures/ranking.svg",
    log:
        "<logs>/plot_ranking.log",
    benchmark:
        "<benchmarks>/plot_ranking.tsv"
    localrule: True
    params:
        figure="ranking",
        methods=METHODS,


use rule plot_measures as plot_equivalents with:
    input:
        equivalents="<results>/tables/equivalents.csv",
        estimates="<results>/tables/estimates.csv",
    output:
        png="<results>/figures/equivalents.png",
        pdf="<results>/figures/equivalents.pdf",
        svg="<results>/figures/equivalents.svg",
    log:
        "<logs>/plot_equivalents.log",
    benchmark:
        "<benchmarks>/plot_equivalents.tsv"
    localrule: True
    params:
        figure="equivalents",
        methods=METHODS,


use rule plot_measures as plot_agreement with:
    input:
        lds="<results>/tables/lds.csv",
        estimates="<results>/tables/estimates.csv",
    output:
        png="<results>/figures/agreement.png",
        pdf="<results>/figures/agreement.pdf",
        svg="<results>/figures/agreement.svg",
    log:
        "<logs>/plot_agreement.log",
    benchmark:
        "<benchmarks>/plot_agreement.tsv"
    localrule: True
    params:
        figure="agreement",
        methods=METHODS,


use rule plot_measures as plot_repeatability with:
    input:
        repeatability="<results>/tables/repeatability.csv",
    output:
        png="<results>/figures/repeatability.png",
        pdf="<results>/figures/repeatability.pdf",
        svg="<results>/figures/repeatability.svg",
    log:
        "<logs>/plot_repeatability.log",
    benchmark:
        "<benchmarks>/plot_repeatability.tsv"
    localrule: True
    params:
        figure="repeatability",
        methods=METHODS,


use rule plot_measures as plot_costs with:
    input:
        costs="<results>/tables/costs.csv",
        estimates="<results>/tables/estimates.csv",
    output:
        png="<results>/figures/costs.png",
        pdf="<results>/figures/costs.pdf",
        svg="<results>/figures/costs.svg",
    log:
        "<logs>/plot_costs.log",
    benchmark:
        "<benchmarks>/plot_costs.tsv"
    localrule: True
    params:
        figure="costs",
        methods=METHODS,


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
        figures=collect("<results>/figures/attributed/{query}.png", query=TEST_QUERIES),
    log:
        "<logs>/draw_attributed.log",
    benchmark:
        "<benchmarks>/draw_attributed.tsv"
    localrule: STUDY_IS_SMALL
    conda:
        CONDA
    resources:
        **resources_for(EXPECTED.preparation(), gpu=False),
    params:
        methods=METHODS,
        top=config["report"]["top_images"],
    script:
        "../../scripts/draw_attributed.py"


rule draw_regenerated:
    input:
        queries="<results>/queries/queries.parquet",
        images=collect("<results>/queries/images/{query}.png", query=TEST_QUERIES),
        outcomes=SHOWN_MODELS,
    output:
        figures=collect("<results>/figures/regenerated/{query}.png", query=TEST_QUERIES),
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
        "../../scripts/draw_regenerated.py"


rule draw_idea:
    input:
        estimates="<results>/tables/estimates.csv",
        queries="<results>/queries/queries.parquet",
        images=collect("<results>/queries/images/{query}.png", query=GALLERY[:3]),
        pixels=ancient("<results>/data/pixels.npy"),
        pixels_checksum="<results>/data/pixels.json",
        scores=collect(
            "<results>/attribution/{method}/{query}.npy",
            method=METHODS,
            query=GALLERY[:3],
        ),
        outcomes=SHOWN_MODELS,
    output:
        png="<results>/figures/idea.png",
        svg="<results>/figures/idea.svg",
    log:
        "<logs>/draw_idea.log",
    benchmark:
        "<benchmarks>/draw_idea.tsv"
    localrule: True
    conda:
        CONDA
    params:
        names=GALLERY[:3],
        top=6,
    script:
        "../../scripts/draw_idea.py"


rule write_report:
    input:
        **{
            name: f"<results>/tables/{name}.csv"
            for name in (
                "estimates",
                "comparisons",
                "equivalents",
                "variance",
                "power",
                "lds",
                "ties",
                "repeatability",
                "dictionary",
            )
        },
        figures=collect("<results>/figures/{figure}.svg", figure=FIGURES),
        queries="<results>/queries/queries.parquet",
        pictures=collect("<results>/queries/images/{query}.png", query=GALLERY),
        pixels=ancient("<results>/data/pixels.npy"),
        images=ancient("<results>/data/images.parquet"),
        pixels_checksum="<results>/data/pixels.json",
        scores=collect("<results>/attribution/{method}/{query}.npy", method=METHODS, query=GALLERY),
        outcomes=SHOWN_MODELS,
        removals="<results>/tables/removals.csv" if measurements("test", "removals") else [],
        seeds="<results>/tables/seeds.csv" if COUNTERFACTUAL["again"] else [],
        drift="<results>/tables/drift.csv" if JOINS_ANOTHER else [],
        template=f"{workflow.basedir}/workflow/report/report.html.jinja",
        paper=f"{workflow.basedir}/workflow/report/paper.yaml",
        published=f"{workflow.basedir}/workflow/report/published_results.csv",
    output:
        "<results>/report.html",
    log:
        "<logs>/write_report.log",
    benchmark:
        "<benchmarks>/write_report.tsv"
    localrule: True
    conda:
        CONDA
    params:
        config={k: v for k, v in config.items() if k != "hardware"},
        gallery=GALLERY,
        joined=JOINED,
        published=BUNDLE.about if JOINS_ANOTHER else None,
        earlier=MADE_EARLIER,
        top=config["report"]["top_images"],
        # Folders are no inputs, and path variables do not stand in params.
        benchmarks=f"results/{config['experiment']}/benchmarks",
        logs=f"results/{config['experiment']}/logs",
        afterwards=lambda wildcards: made_afterwards(),
    script:
        "../../scripts/write_report.py"


# What a leave-K-out experiment is run for.
RESULTS = [
    "<results>/tables/headline.tex",
    # What models forget beside their query is the published study's to say.
    "<results>/tables/forgetting.csv" if FORGETTING["methods"] and not JOINS_ANOTHER else [],
    "<results>/tables/drift.csv" if JOINS_ANOTHER else [],
    "<results>/report.html",
    collect("<results>/figures/attributed/{query}.png", query=TEST_QUERIES),
    collect("<results>/figures/regenerated/{query}.png", query=TEST_QUERIES),
    "<results>/figures/idea.png",
    # The outcomes are named, too, so that a deleted one is made again.
    outcomes_of([one for one in MODELS if one.table]),
]
