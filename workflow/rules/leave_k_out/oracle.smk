# The positive control: an oracle that knows the answer, because a model is trained without each group
# of images, and looked at on the queries. Its best group, removed again, loses the most.

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
        resources:
            **resources_for(EXPECTED.preparation(), gpu=False),
        params:
            groups=config["oracle"]["groups"],
        script:
            "../../scripts/group_images.py"

    rule attribute_by_oracle:
        input:
            groups="<results>/data/groups.npy",
            source="<results>/source/outcome.safetensors",
            outcomes=outcomes_of([one for one in MODELS if one.policy == "group"]),
        output:
            scores=collect("<results>/attribution/oracle/{query}.npy", query=QUERIES),
        log:
            "<logs>/attribution/oracle.log",
        benchmark:
            "<benchmarks>/attribution/oracle.tsv"
        params:
            names=QUERIES,
        script:
            "../../scripts/attribute_by_oracle.py"
