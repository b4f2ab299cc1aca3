"""What SLURM and its plugin add to one job, measured with jobs that do nothing.

    python tests/support/slurm_cluster.py -- python benchmarks/cluster.py [--jobs 1 8]

For each number of jobs, in turns: through `--profile slurm` as it stands, and on the local executor
beside it. On a real cluster, run it there without `tests/support/slurm_cluster.py`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from project import ENV, SNAKEMAKE, copy_project  # noqa: E402

RULE = """
rule nothing:
    output: "results/tiny/nothing/{where}{number}.txt"
    resources: gpu=0, mem_mb=1000, runtime=5
    shell: "touch {output}"
"""
STUDY = ["--configfile", "config/tiny.yaml", "--config", "extra_rules=[nothing.smk]"]


def seconds(folder: Path, where: str, jobs: int, *arguments: str) -> float:
    """The time that Snakemake takes for some jobs that do nothing."""
    targets = [f"results/tiny/nothing/{where}{jobs}x{number}.txt" for number in range(jobs)]
    began = time.monotonic()
    subprocess.run(
        [SNAKEMAKE, *STUDY, *arguments, "--", *targets],
        cwd=folder,
        env=ENV,
        check=True,
        capture_output=True,
    )
    return time.monotonic() - began


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--jobs", nargs="+", type=int, default=[1, 8])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("SCRATCH")) as name:
        folder = copy_project(Path(name).resolve() / "project")
        (folder / "nothing.smk").write_text(RULE)
        for jobs in options.jobs:
            local = seconds(folder, "local", jobs, "--cores", "1")
            cluster = seconds(folder, "cluster", jobs, "--profile", "slurm")
            print(f"{jobs} jobs: local {local:.1f} s, SLURM {cluster:.1f} s", flush=True)
        fields = "JobID,Elapsed,TotalCPU,WorkDir"
        account = subprocess.run(
            ["sacct", "-n", "-P", "-X", "-o", fields], capture_output=True, text=True, check=True
        ).stdout
        ours = [line.split("|")[:3] for line in account.splitlines() if line.endswith(str(folder))]
        for job, elapsed, cpu in ours:
            print(f"job {job}: {elapsed} on the node, {cpu} of CPU")


if __name__ == "__main__":
    main()
