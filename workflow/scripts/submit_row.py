"""Makes a folder to contribute from a joined study: the row of its method, and all behind it.

    python workflow/scripts/submit_row.py --study digits-study --method mine

Writes contributed/<study>/<method>/ (docs/joining.md).
"""

import argparse
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from snakemake.exceptions import WorkflowError

from leavekout.base.artifacts import atomic_folder, load_csv, save_csv
from leavekout.base.errors import InputError
from leavekout.leave_k_out.bundle.contribution import ABOUT, ROWS, read_about
from plan_study import ROOT, plan_of
from run_study import make

_BLANK = """\
method: {method}
who: ""      # your name, and how to reach you
paper: ""    # its address, or none
code: ""     # the address of what made the scores, or none
licence: ""  # of the files in this folder, such as CC-BY-4.0
date: {date}
"""


def own_rows(estimates: pd.DataFrame, method: str) -> pd.DataFrame:
    """The rows of one method in a table of estimates."""
    return estimates[estimates["method"] == method].reset_index(drop=True)


def main() -> None:
    """Runs the study's rule `contribution`, and puts its folder where contributions are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--study", required=True, help="the study that was joined")
    parser.add_argument("--method", required=True, help="the method that joined it")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    study, method = arguments.study, arguments.method
    name = f"{study}-with-{method}"
    results, file = Path("results") / name, Path("config") / f"{name}.yaml"
    if not file.exists():
        sys.exit(f"{file}: no such file; join first: make join STUDY={study} METHOD={method}")
    folder, targets = Path("contributed") / study / method, ["all", "contribution"]
    try:
        make([file], plan_of([file], targets=targets), targets=targets)
        rows = own_rows(load_csv(results / "tables" / "estimates.csv"), method)
        kept = (folder / ABOUT).read_text() if (folder / ABOUT).exists() else None
        with atomic_folder(folder) as temporary:
            ignored = shutil.ignore_patterns(".snakemake_timestamp")
            shutil.copytree(results / "contribution", temporary, False, ignored, dirs_exist_ok=True)
            save_csv(temporary / ROWS, rows)
            today = datetime.now(UTC).date().isoformat()
            (temporary / ABOUT).write_text(kept or _BLANK.format(method=method, date=today))
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"{folder}: {size / 1e6:.1f} MB.")
        read_about(folder)
    except (InputError, WorkflowError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped by Ctrl-C.")
    print(f"Check it as the project will: make check-row ROW={folder}")


if __name__ == "__main__":
    main()
