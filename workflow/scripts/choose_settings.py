"""Compares the settings of methods on the tuning queries, and marks the best of each method."""

import logging
from typing import TYPE_CHECKING

import pandas as pd

from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.estimates import estimates_table
from leavekout.statistics.tuning import with_choices

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    measurements = load_table(run.input.measurements)
    estimates = estimates_table(measurements, resamples=run.params.resamples)
    table = with_choices(
        estimates,
        run.params.settings,
        criterion=run.params.criterion,
        together=run.params.together,
        measured=pd.concat(load_table(path) for path in run.input.measured),
    )
    save_csv(run.output[0], table)
    for method, setting in dict(table.loc[table["chosen"], ["tuned", "setting"]].values).items():
        logging.getLogger("leavekout").info("chosen for %s: %s", method, setting)
