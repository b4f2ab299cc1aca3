# Figures, and the report: one file that says all.


# The tables that each figure shows.
FIGURES = {
    "measures": ["estimates"],
    "ranking": ["estimates", "comparisons"],
    "equivalents": ["equivalents", "estimates"],
    "agreement": ["lds", "estimates"],
    "repeatability": ["repeatability"],
    "costs": ["costs", "estimates"],
}
GALLERY = TEST_QUERIES[: config["report"]["gallery_queries"]]
SHOWN_MODELS = outcomes_of([one for one in MODELS if one.pictured])


rule plot:
    input:
        lambda wildcards: collect("<results>/tables/{table}.csv", table=FIGURES[wildcards.figure]),
    output:
        png="<results>/figures/{figure}.png",
        pdf="<results>/figures/{figure}.pdf",
        svg="<results>/figures/{figure}.svg",
    log:
        "<logs>/plot/{figure}.log",
    benchmark:
        "<benchmarks>/plot/{figure}.tsv"
    wildcard_constraints:
        figure=one_of(FIGURES),
    conda:
        CONDA
    params:
        methods=METHODS,
    script:
        "../../scripts/plot.py"


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
    conda:
        CONDA
    params:
        config={k: v for k, v in config.items() if k != "hardware"},
        gallery=GALLERY,
        joined=JOINED,
        published=BUNDLE.about.model_dump() if JOINS_ANOTHER else None,
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
