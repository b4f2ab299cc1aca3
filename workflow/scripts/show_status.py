"""Says how far a study is, and shows its results so far; runs nothing, and may run beside it.

python workflow/scripts/show_status.py --configfile config/coco.yaml
"""

import argparse
import json
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from leavekout.base.errors import InputError
from leavekout.kinds import read_experiment
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.leave_k_out.so_far import table_so_far
from leavekout.planning.status import status
from plan_study import DEFAULT, ROOT, in_project, plan_of


def main() -> None:
    """Prints the status of the study of the given configuration files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--configfile", nargs="+", action="extend", type=Path, default=[])
    parser.add_argument("--config", type=json.loads, default={}, help="further values, as JSON")
    arguments = parser.parse_args()
    try:
        files = [in_project(path) for path in arguments.configfile or [DEFAULT]]
        os.chdir(ROOT)
        plan = plan_of(files, arguments.config)
        experiment = read_experiment(plan.config, [])
        locked = any(Path(".snakemake/locks").glob("*"))
        print(status(experiment.experiment, plan.jobs, locked=locked))
        if isinstance(experiment, LeaveKOut):
            results = Path("results") / experiment.experiment
            if so_far := table_so_far(experiment, results):
                print(f"\n{so_far}")
    except (InputError, WorkflowError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
