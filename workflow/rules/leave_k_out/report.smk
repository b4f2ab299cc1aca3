# Figures, and the report: one file; the folder report/ beside it if it has many pictures.

# The tables that each figure shows.
FIGURES = {
    "measures": ["estimates"],
    "ranking": ["estimates", "comparisons"],
    "equivalents": ["equivalents", "estimates"],
    "timesteps": ["timesteps", "estimates"],
    "agreement": ["lds", "estimates"],
    "repeatability": ["repeatability"],
    "costs": ["costs", "estimates"],
}
REPORTED_TABLES = [
    *("estimates", "comparisons", "equivalents", "variance", "power", "intraclass"),
    *("lds", "ties", "repeatability", "costs", "dictionary"),
]
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
    params:
        methods=METHODS,
    script:
        "../../scripts/plot.py"


rule draw_idea:
    input:
        estimates="<results>/tables/estimates.csv",
        queries="<results>/queries/queries.parquet",
        images=pictures_of(GALLERY[:3]),
        pixels=ancient("<results>/data/pixels.npy"),
        pixels_checksum="<results>/data/pixels.json",
        scores=scores_of(METHODS, GALLERY[:3]),
        outcomes=SHOWN_MODELS,
    output:
        png="<results>/figures/idea.png",
        svg="<results>/figures/idea.svg",
    log:
        "<logs>/draw_idea.log",
    benchmark:
        "<benchmarks>/draw_idea.tsv"
    params:
        names=GALLERY[:3],
        top=6,
    script:
        "../../scripts/draw_idea.py"


# For a talk: one query over K.
rule draw_filmstrip:
    input:
        estimates="<results>/tables/estimates.csv",
        queries="<results>/queries/queries.parquet",
        images=pictures_of(GALLERY[:1]),
        outcomes=SHOWN_MODELS,
    output:
        png="<results>/figures/filmstrip.png",
        svg="<results>/figures/filmstrip.svg",
    log:
        "<logs>/draw_filmstrip.log",
    benchmark:
        "<benchmarks>/draw_filmstrip.tsv"
    params:
        names=GALLERY[:1],
    script:
        "../../scripts/draw_filmstrip.py"


rule write_report:
    input:
        **{name: f"<results>/tables/{name}.csv" for name in REPORTED_TABLES},
        **PIXELS,
        figures=collect("<results>/figures/{figure}.svg", figure=FIGURES),
        measurements="<results>/tables/measurements.parquet",
        queries="<results>/queries/queries.parquet",
        pictures=pictures_of(GALLERY),
        scores=scores_of(METHODS, GALLERY),
        outcomes=SHOWN_MODELS,
        look="<results>/tables/pictures.csv",
        removals="<results>/tables/removals.csv" if measurements("test", "removals") else [],
        seeds="<results>/tables/seeds.csv" if COUNTERFACTUAL["again"] else [],
        drift="<results>/tables/drift.csv" if JOINS_ANOTHER else [],
        template=f"{workflow.basedir}/workflow/report/report.html.jinja",
        script=f"{workflow.basedir}/workflow/report/explore.js",
        paper=f"{workflow.basedir}/workflow/report/paper.yaml",
        published=f"{workflow.basedir}/workflow/report/published_results.csv",
    output:
        "<results>/report.html",
    log:
        "<logs>/write_report.log",
    benchmark:
        "<benchmarks>/write_report.tsv"
    params:
        config={k: v for k, v in config.items() if k != "hardware"},
        gallery=GALLERY,
        pool=POOL,
        methods=METHODS,
        joined=JOINED,
        published=BUNDLE.about.model_dump() if JOINS_ANOTHER else None,
        earlier=MADE_EARLIER,
        top=config["report"]["top_images"],
        # Folders cannot be inputs, and path variables do not work in params.
        benchmarks=f"results/{config['experiment']}/benchmarks",
        logs=f"results/{config['experiment']}/logs",
        afterwards=lambda wildcards: made_afterwards(),
    script:
        "../../scripts/write_report.py"


# The results of a leave-K-out experiment.
RESULTS = [
    "<results>/tables/headline.tex",
    # The published study reports what its models forget besides their query.
    "<results>/tables/forgetting.csv" if FORGETTING["methods"] and not JOINS_ANOTHER else [],
    "<results>/tables/drift.csv" if JOINS_ANOTHER else [],
    "<results>/report.html",
    "<results>/figures/idea.png",
    "<results>/figures/filmstrip.png" if len(COUNTERFACTUAL["k"]) > 1 else [],
    # Outcomes are results, too, so that a deleted one is made again.
    outcomes_of([one for one in MODELS if one.table]),
]
