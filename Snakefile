"""leave-K-out: counterfactual evaluation of data attribution for text-to-image models."""

import json
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")
sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

if "extends" not in config and ("experiment" not in config or not workflow.configfiles):

    configfile: "config/digits.yaml"


# There is one such block, since a second one would replace it.
onstart:
    require_own_files()
    require_times_in_the_past()
    require_times_in_order()
    # Snakemake's default limit, 100 jobs a second, has it look at all ready jobs once more a second
    # after each job that ends: a study of 240 jobs lost four tenths of a core to it. No option turns it
    # off, and with a longer timespan Snakemake would wait for as long after its last job.
    limit = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


include: "workflow/rules/common.smk"
include: f"workflow/rules/{EXPERIMENT.kind}/common.smk"
include: f"workflow/rules/{EXPERIMENT.kind}/data.smk"
include: "workflow/rules/shared/encoders.smk"
include: "workflow/rules/shared/source.smk"


# Families in the registry's order, because one may build on the rules of another.
for family in registry.FAMILIES:

    include: f"workflow/rules/attribution/{family.section}.smk"


for rule_file in (Path(workflow.basedir) / "workflow/rules/attribution").glob("*.smk"):
    if rule_file.stem not in [family.section for family in registry.FAMILIES]:

        include: str(rule_file)


for rule_file in config["extra_rules"]:
    if not Path(rule_file).is_file():
        raise WorkflowError(f"'extra_rules' names {rule_file}, and there is no such file.")

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
        FROM_NETWORK,


rule tuning:
    input:
        "<results>/tables/tuning.csv",


# What a method that is computed elsewhere starts from; see `external:` in config/README.md.
rule queries:
    input:
        "<results>/data/images.parquet",
        "<results>/queries/queries.parquet",
        pictures_of(QUERIES),


# Deletes what is large and has served, once all scores are there: projected gradients.
rule tidy:
    input:
        scores_of(METHODS, TEST_QUERIES),
    log:
        "<logs>/tidy.log",
    params:
        folder=f"results/{config['experiment']}/gradients",
    shell:
        "(du -sh {params.folder:q} && rm -rf {params.folder:q}) 2>&1 | tee {log:q}"


include: "workflow/rules/local.smk"


# Used with `--software-deployment-method conda`; otherwise jobs run where Snakemake runs.
for any_rule in workflow.rules:
    any_rule.conda_env = any_rule.conda_env or CONDA
