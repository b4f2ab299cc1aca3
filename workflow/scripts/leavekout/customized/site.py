"""The results of a study of customized models for the site."""

from pathlib import Path

import pandas as pd

from leavekout.base.artifacts import load_csv
from leavekout.customized.report import NOTE, headlines
from leavekout.report.site import Block, StudyResults

MAIN = "summary.csv"


def results_of(tables: Path) -> StudyResults:
    """Reads a study's tables.

    Args:
        tables: their folder.

    Raises:
        InputError: a table is broken.
    """
    by_measure = headlines(load_csv(tables / MAIN))
    blocks = [Block(label, table, NOTE, MAIN) for label, table in by_measure.items()]
    blocks.reverse()  # mAP, over which methods are ranked in the account, first
    rows: dict[str, list[dict[str, str]]] = {}
    for label, table in reversed(by_measure.items()):
        for row in table.to_dict("records"):
            values = {str(key): str(value) for key, value in row.items() if key != "method"}
            rows.setdefault(row["method"], []).append({"measure": label, **values})
    of_method = {method: pd.DataFrame(of_one) for method, of_one in rows.items()}
    return StudyResults(blocks[0], blocks[1:], of_method, NOTE, repeats={})
