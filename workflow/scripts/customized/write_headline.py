"""Writes the headline tables on customized models, for the terminal."""

from typing import TYPE_CHECKING

import pandas as pd

from leavekout.customized.report import NOTE, headlines
from leavekout.report.headline import as_text
from leavekout.runtime.artifacts import atomic
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    tables = headlines(pd.read_csv(run.input.summary))
    last = list(tables)[-1]
    shown = [
        (f"{measure} on {run.params.experiment}", table, NOTE if measure == last else "")
        for measure, table in tables.items()
    ]
    with atomic(run.output.text) as temporary:
        temporary.write_text(as_text(shown))
