"""Writes the headline tables, for the terminal and for a paper."""

import pandas as pd

from leavekout.base.artifacts import atomic
from leavekout.base.job import job
from leavekout.leave_k_out.report.headline import as_latex, as_text, controls, headline, note

with job(snakemake) as run:
    names = ("estimates", "comparisons", "equivalents")
    tables = {name: pd.read_csv(run.input[name]) for name in names}
    joined = run.params.joined
    found, about = headline(**tables, joined=joined), note(tables["estimates"], joined)
    shown = [(f"Leave-K-out on {run.params.experiment}", found[0], about)]
    shown += [("Further measures", table, "") for table in found[1:]]
    for table in controls(tables["estimates"]):
        shown.append(("Controls, mean over queries and models", table, ""))
    with atomic(run.output.text) as temporary:
        temporary.write_text(as_text(shown))
    with atomic(run.output.latex) as temporary:
        temporary.write_text(as_latex(found, about))
