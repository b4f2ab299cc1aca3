# Pixel: cosine similarity of flattened pixels.


rule attribute_by_pixel:
    input:
        **PIXELS,
        queries=pictures_of(QUERIES),
    output:
        scores=collect("<results>/attribution/pixel/{query}.npy", query=QUERIES),
    log:
        "<logs>/attribution/pixel.log",
    benchmark:
        "<benchmarks>/attribution/pixel.tsv"
    resources:
        **resources_for(EXPECTED.similarity(len(QUERIES)), gpu=False),
    params:
        flips=DATASET["flips"],
    script:
        "../../scripts/attribute_by_pixel.py"
