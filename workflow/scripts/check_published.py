"""Says how well our scores agree with published ones, and fails if they do not."""

import logging

import pandas as pd

from leavekout.base.job import job
from leavekout.leave_k_out.statistics.published import MEANING, in_words, require_agreement

with job(snakemake) as run:
    table, logger = pd.read_csv(run.input.table), logging.getLogger("leavekout")
    for line in [MEANING, *in_words(table)]:
        logger.info("%s", line)
    require_agreement(table, run.params.least, run.params.method)
    logger.info("our scores of '%s' agree with the published ones", run.params.method)
