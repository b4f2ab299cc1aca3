# The images that methods name, beside each query; of customized models with the exemplars marked.


rule draw_attributed:
    input:
        queries="<results>/queries/queries.parquet",
        table=ancient("<results>/data/images.parquet") if MODELS else [],
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
    localrule: SMALL
    conda:
        CONDA
    resources:
        **ask(COSTS.preparation(), gpu=False),
    params:
        names=TEST_QUERIES,
        methods=METHODS,
        top=config["report"]["top_images"],
        version=1,
    script:
        "../scripts/draw_attributed.py"
