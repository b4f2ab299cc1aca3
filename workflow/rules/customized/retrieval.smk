# Does each method find the exemplars? Tables, figures, and the report.


rule measure_retrieval:
    input:
        images=ancient("<results>/data/images.parquet"),
        pixels_checksum="<results>/data/pixels.json",
        scores=scores_of(METHODS, TEST_QUERIES),
    output:
        retrievals="<results>/tables/retrievals.csv",
        summary="<results>/tables/summary.csv",
        comparisons="<results>/tables/comparisons.csv",
        dictionary="<results>/tables/dictionary.csv",
    log:
        "<logs>/measure_retrieval.log",
    benchmark:
        "<benchmarks>/measure_retrieval.tsv"
    params:
        kinds=KINDS,
    script:
        "../../scripts/customized/measure_retrieval.py"


use rule measure_retrieval as measure_tuning with:
    input:
        images=ancient("<results>/data/images.parquet"),
        pixels_checksum="<results>/data/pixels.json",
        scores=scores_of(TUNING["methods"], TUNING_QUERIES),
    output:
        retrievals="<results>/tables/tuning_retrievals.csv",
        summary="<results>/tables/tuning.csv",
        comparisons="<results>/tables/tuning_comparisons.csv",
        dictionary="<results>/tables/tuning_dictionary.csv",
    log:
        "<logs>/measure_tuning.log",
    benchmark:
        "<benchmarks>/measure_tuning.tsv"


rule plot:
    input:
        summary="<results>/tables/summary.csv",
    output:
        png="<results>/figures/retrieval.png",
        pdf="<results>/figures/retrieval.pdf",
        svg="<results>/figures/retrieval.svg",
    log:
        "<logs>/plot.log",
    benchmark:
        "<benchmarks>/plot.tsv"
    params:
        methods=METHODS,
    script:
        "../../scripts/customized/plot_retrieval.py"


# The first queries of each model, so that the report shows all models.
GALLERY = [
    f"{model}-{number}"
    for model in CUSTOM_MODELS
    for number in TEST_NUMBERS[: max(1, config["report"]["gallery_queries"] // len(CUSTOM_MODELS))]
]


rule write_report:
    input:
        **PIXELS,
        retrievals="<results>/tables/retrievals.csv",
        summary="<results>/tables/summary.csv",
        comparisons="<results>/tables/comparisons.csv",
        dictionary="<results>/tables/dictionary.csv",
        figures=["<results>/figures/retrieval.svg"],
        queries="<results>/queries/queries.parquet",
        pictures=pictures_of(GALLERY),
        scores=scores_of(METHODS, GALLERY),
        template=f"{workflow.basedir}/workflow/report/custom.html.jinja",
    output:
        "<results>/report.html",
    log:
        "<logs>/write_report.log",
    benchmark:
        "<benchmarks>/write_report.tsv"
    params:
        config={key: value for key, value in config.items() if key != "hardware"},
        gallery=GALLERY,
        top=config["report"]["top_images"],
        # Folders cannot be inputs, and path variables do not work in params.
        benchmarks=f"results/{config['experiment']}/benchmarks",
        logs=f"results/{config['experiment']}/logs",
    script:
        "../../scripts/customized/write_report.py"


rule write_headline:
    input:
        summary="<results>/tables/summary.csv",
    output:
        text="<results>/tables/headline.txt",
    log:
        "<logs>/write_headline.log",
    benchmark:
        "<benchmarks>/write_headline.tsv"
    params:
        experiment=config["experiment"],
    script:
        "../../scripts/customized/write_headline.py"


rule draw_attributed:
    input:
        queries="<results>/queries/queries.parquet",
        table=ancient("<results>/data/images.parquet"),
        images=pictures_of(TEST_QUERIES),
        pixels=ancient("<results>/data/pixels.npy"),
        pixels_checksum="<results>/data/pixels.json",
        scores=scores_of(METHODS, TEST_QUERIES),
    output:
        figures=collect("<results>/figures/attributed/{query}.png", query=TEST_QUERIES),
    log:
        "<logs>/draw_attributed.log",
    benchmark:
        "<benchmarks>/draw_attributed.tsv"
    resources:
        **resources_for(EXPECTED.preparation(), gpu=False),
    params:
        methods=METHODS,
        top=config["report"]["top_images"],
    script:
        "../../scripts/customized/draw_attributed.py"


# The results of an experiment on customized models.
RESULTS = [
    "<results>/tables/headline.txt",
    "<results>/tables/summary.csv",
    "<results>/figures/retrieval.png",
    "<results>/report.html",
    collect("<results>/figures/attributed/{query}.png", query=TEST_QUERIES),
]
