"""Writes the headline table for a paper."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from leavekout.report.headline import as_latex, headline
from leavekout.runtime.artifacts import atomic
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    tables = snakemake.input
    table = headline(*(
        pd.read_csv(path) for path in (tables.estimates, tables.comparisons, tables.equivalents)
    ))  # fmt: skip
    with atomic(Path(snakemake.output[0])) as temporary:
        temporary.write_text(as_latex(table))
