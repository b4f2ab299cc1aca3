# The stricter control: images that are like a query by its caption alone. See `removals.topic_sets`.

if COUNTERFACTUAL.get("topic"):
    TOPICS = DATASET.get("topics")

    rule find_topics:
        input:
            **(
                {"images": ancient("<results>/data/images.parquet")}
                if TOPICS
                else {
                    "encoder": "<results>/encoders/clip",
                    "features": "<results>/features/clip/text.npy",
                }
            ),
            queries="<results>/queries/queries.parquet",
        output:
            topics=collect("<results>/topics/k{{k}}/{query}.npy", query=POOL),
        log:
            "<logs>/find_topics/k{k}.log",
        benchmark:
            "<benchmarks>/find_topics/k{k}.tsv"
        wildcard_constraints:
            k=r"\d+",
        resources:
            **resources_for(EXPECTED.similarity(len(POOL)), gpu=False),
        params:
            names=POOL,
            topics=TOPICS,
            nearest=lambda wildcards: COUNTERFACTUAL["topic"]["nearest"] * int(wildcards.k),
        script:
            "../../scripts/find_topics.py"
