# Edges: cosine similarity of the pictures' gradients, which see shape and not brightness.


rule attribute_by_edges:
    input:
        **PIXELS,
        queries=collect("<results>/queries/images/{query}.png", query=QUERIES),
    output:
        scores=collect("<results>/attribution/edges/{query}.npy", query=QUERIES),
    log:
        "<logs>/attribution/edges.log",
    benchmark:
        "<benchmarks>/attribution/edges.tsv"
    conda:
        CONDA
    params:
        flips=DATASET["flips"],
    script:
        "../../scripts/attribute_by_edges.py"
