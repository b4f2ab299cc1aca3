"""Writes the headline tables on customized models, for the terminal."""

from leavekout.base.artifacts import atomic, load_csv
from leavekout.base.job import job
from leavekout.customized.report import NOTE, headlines
from leavekout.report.text import as_text

with job(snakemake) as run:
    tables = headlines(load_csv(run.input.summary))
    last = list(tables)[-1]
    shown = [
        (f"{measure} on {run.params.experiment}", table, NOTE if measure == last else "")
        for measure, table in tables.items()
    ]
    with atomic(run.output.text) as temporary:
        temporary.write_text(as_text(shown))
