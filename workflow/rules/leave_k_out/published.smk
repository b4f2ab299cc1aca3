# A check before any retraining: our scores of a few published queries beside the published scores.


if PUBLISHED.scores:
    CHECKED = TEST_QUERIES[: PUBLISHED.scores.queries]

    rule import_scores:
        input:
            **CHOSEN,
            **THEIR_ORDER,
            images=ancient("<results>/data/images.parquet"),
            fetched=fetched(PUBLISHED.scores.file),
        output:
            collect("<results>/published_scores/{query}.npy", query=QUERIES),
        log:
            "<logs>/import_scores.log",
        benchmark:
            "<benchmarks>/import_scores.tsv"
        params:
            file=path_of(PUBLISHED.scores.file),
            content=lambda wildcards: content_of(PUBLISHED.scores.file),
            entry=PUBLISHED.scores.entry,
            ranks=PUBLISHED.scores.ranks,
            method=PUBLISHED.scores.method,
            names=QUERIES,
        script:
            "../../scripts/import_scores.py"

    rule tabulate_published:
        input:
            ours=scores_of(PUBLISHED.scores.method, CHECKED),
            theirs=collect("<results>/published_scores/{query}.npy", query=CHECKED),
            halves=(
                halves_of(PUBLISHED.scores.method, CHECKED)
                if is_made("repeatability", PUBLISHED.scores.method)
                else []
            ),
        output:
            table="<results>/tables/published.csv",
        log:
            "<logs>/tabulate_published.log",
        benchmark:
            "<benchmarks>/tabulate_published.tsv"
        params:
            queries=CHECKED,
            ks=COUNTERFACTUAL["k"],
        script:
            "../../scripts/write_table.py"

    # The table stays if the check fails.
    rule published_check:
        input:
            table="<results>/tables/published.csv",
        log:
            "<logs>/published_check.log",
        params:
            method=PUBLISHED.scores.method,
            least=PUBLISHED.scores.least,
        script:
            "../../scripts/check_published.py"
