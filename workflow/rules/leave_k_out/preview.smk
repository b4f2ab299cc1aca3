# A method's scores beside those of a study, before any model is trained for it (`make preview`).


rule preview:
    input:
        **PIXELS,
        queries="<results>/queries/queries.parquet",
        pictures=pictures_of(TEST_QUERIES[:4]),
        others=lambda wildcards: scores_of(
            [method for method in METHODS if method != wildcards.method], TEST_QUERIES
        ),
        # Those from a folder are read there, which saves a job for each query.
        own=lambda wildcards: (
            [SCORES_FROM_ELSEWHERE[wildcards.method](query) for query in TEST_QUERIES]
            if wildcards.method in SCORES_FROM_ELSEWHERE
            else scores_of([wildcards.method], TEST_QUERIES)
        ),
        halves=lambda wildcards: (
            halves_of([wildcards.method], TEST_QUERIES)
            if wildcards.method in drawing_methods()
            else []
        ),
        random="<results>/measurements/test/random.parquet",
    output:
        text="<results>/preview/{method}.txt",
        sheet="<results>/preview/{method}.png",
    log:
        "<logs>/preview/{method}.log",
    benchmark:
        "<benchmarks>/preview/{method}.tsv"
    wildcard_constraints:
        method=one_of(METHODS),
    params:
        study=BUNDLE.about.study if BUNDLE else config["experiment"],
        queries=TEST_QUERIES,
        topics=DATASET.get("topics"),
        k=max(COUNTERFACTUAL["k"]),
        set_seed=COUNTERFACTUAL["random"]["seed"],
        top=config["report"]["top_images"],
    script:
        "../../scripts/preview.py"
