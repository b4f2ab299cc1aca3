"""Measures how well each method finds the exemplars, and compares methods."""

import pandas as pd

from leavekout.base.artifacts import load_table, save_csv
from leavekout.base.job import job
from leavekout.customized.retrieval import DICTIONARY, retrieval_table
from leavekout.customized.statistics import comparisons_table, summary_table

with job(snakemake) as run:
    retrievals = retrieval_table(
        run.input.scores,
        load_table(run.input.images),
        run.params.kinds,
    )
    save_csv(run.output.retrievals, retrievals)
    save_csv(run.output.summary, summary_table(retrievals))
    save_csv(run.output.comparisons, comparisons_table(retrievals))
    save_csv(
        run.output.dictionary,
        pd.DataFrame(DICTIONARY.items(), columns=["column", "meaning"]),
    )
