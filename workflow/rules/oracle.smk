# The positive control: an oracle that knows the answer, because it trains a model without each group
# of images and looks at the queries. Its best group, removed again, loses the most by construction.

if config["oracle"]:

    rule group_images:
        input:
            **PIXELS,
        output:
            groups="<results>/data/groups.npy",
        log:
            "<logs>/group_images.log",
        benchmark:
            "<benchmarks>/group_images.tsv"
        localrule: SMALL
        conda:
            CONDA
        resources:
            **ask(COSTS.preparation(), gpu=False),
        params:
            groups=config["oracle"]["groups"],
            version=1,
        script:
            "../scripts/group_images.py"

    use rule retrain as retrain_without_group with:
        input:
            **ENCODED,
            groups="<results>/data/groups.npy",
        output:
            removed="<results>/removal/group/g{number}/k{k}.npy",
            weights=weights_file("<results>/retrained/group/g{number}/k{k}/model.safetensors"),
        log:
            "<logs>/retrain/group/g{number}/k{k}.log",
        benchmark:
            "<benchmarks>/retrain/group/g{number}/k{k}.tsv"
        group:
            batched("controls")
        params:
            removal="group",
            model=config["model"],
            training=config["training"],
            version=1,

    rule attribute_by_oracle:
        input:
            groups="<results>/data/groups.npy",
            evaluations=[
                f"<results>/evaluation/group/g{number}/k{size}.json"
                for number, size in enumerate(EXPERIMENT.oracle.sizes(DATASET["images"]))
            ],
        output:
            scores=collect("<results>/attribution/oracle/{query}.npy", query=QUERIES),
        log:
            "<logs>/attribution/oracle.log",
        benchmark:
            "<benchmarks>/attribution/oracle.tsv"
        localrule: True
        conda:
            CONDA
        params:
            names=QUERIES,
            version=1,
        script:
            "../scripts/attribute_by_oracle.py"
