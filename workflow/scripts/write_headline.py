"""Writes the headline tables, for the terminal and for a paper."""

import textwrap

from leavekout.base.artifacts import atomic, load_csv
from leavekout.base.job import job
from leavekout.leave_k_out.report.claims import verdict
from leavekout.leave_k_out.report.headline import as_latex, controls, headline, note
from leavekout.report.text import as_text

with job(snakemake) as run:
    names = ("estimates", "comparisons", "equivalents")
    tables = {name: load_csv(run.input[name]) for name in names}
    joined = run.params.joined
    first, *further = headline(**tables, joined=joined)
    about = note(tables["estimates"], joined)
    shown = [(f"Leave-K-out on {run.params.experiment}", first, about)]
    shown += [("Further measures", table, "") for table in further]
    for table in controls(tables["estimates"]):
        shown.append(("Controls, mean over queries and models", table, ""))
    with atomic(run.output.text) as temporary:
        concluded = verdict(tables["estimates"], tables["comparisons"])
        temporary.write_text(f"{as_text(shown)}\n{textwrap.fill(concluded, 100)}\n")
    with atomic(run.output.latex) as temporary:
        temporary.write_text(as_latex([first, *further], about))
