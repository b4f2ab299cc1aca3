"""Measures how well each method finds the exemplars, and compares methods."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from leavekout.customized.retrieval import DICTIONARY, retrieval_table
from leavekout.customized.statistics import comparisons_table, summary_table
from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    retrievals = retrieval_table(
        map(Path, snakemake.input.scores),
        load_table(Path(snakemake.input.images)),
        snakemake.params.kinds,
    )
    save_csv(Path(snakemake.output.retrievals), retrievals)
    save_csv(Path(snakemake.output.summary), summary_table(retrievals))
    save_csv(Path(snakemake.output.comparisons), comparisons_table(retrievals))
    save_csv(
        Path(snakemake.output.dictionary),
        pd.DataFrame(DICTIONARY.items(), columns=["column", "meaning"]),
    )
