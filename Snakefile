"""leave-K-out: counterfactual evaluation of data attribution for text-to-image models."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

if "experiment" not in config and "extends" not in config:

    configfile: "config/digits.yaml"


# Snakemake's default limit, 100 jobs a second, has it look at all ready jobs once a second, and once
# more a second for every job that has ended: a study of 240 jobs lost four tenths of a core to it.
onstart:
    limit = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


include: "workflow/rules/common.smk"
# What is special about this kind of experiment; all other rules are shared.
include: f"workflow/rules/{EXPERIMENT.kind}/kind.smk"
include: "workflow/rules/shared/encoders.smk"
include: "workflow/rules/shared/source.smk"


for rule_file in sorted(Path(workflow.basedir).glob("workflow/rules/attribution/*.smk")):

    include: str(rule_file)


for rule_file in config["extra_rules"]:

    include: str(Path(rule_file).resolve())


include: f"workflow/rules/{EXPERIMENT.kind}/rules.smk"


require_known_methods()


rule all:
    default_target: True
    input:
        RESULTS,


# Before a study and after: what it will cost and has cost, rule by rule. Runs nothing.
rule plan:
    log:
        "<logs>/plan.log",
    localrule: True
    conda:
        CONDA
    params:
        program=[sys.executable, f"{workflow.basedir}/workflow/scripts/plan_study.py"],
        configfiles=workflow.configfiles,
        config=json.dumps(dict(workflow.config_settings.config)),
    shell:
        "{params.program:q} --configfile {params.configfiles:q} --config {params.config:q} 2>&1 | tee {log:q}"


# What comes from the network, for the node that has one.
rule fetch:
    input:
        DATASET_CHECKSUM,
        collect("<results>/encoders/{encoder}", encoder=FETCHED),


rule tuning:
    input:
        "<results>/tables/tuning.csv",


# What a method that is computed elsewhere starts from; see `external:` in config/README.md.
rule queries:
    input:
        "<results>/data/images.parquet",
        "<results>/queries/queries.parquet",
        collect("<results>/queries/images/{query}.png", query=QUERIES),
