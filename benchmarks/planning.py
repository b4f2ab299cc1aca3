"""How long Snakemake thinks about the whole COCO study: a dry run, and one of a finished study.

    python benchmarks/planning.py [config/coco.yaml]

In a copy of the project, every file of the study is made, empty, and recorded as finished; so the
second figure is what it costs to ask whether anything is left to do.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from project import ENV, SNAKEMAKE, copy_project  # noqa: E402


def timed(folder: Path, *arguments: str) -> tuple[float, str]:
    """Runs Snakemake; returns seconds and what it printed."""
    began = time.monotonic()
    result = subprocess.run(
        [SNAKEMAKE, *arguments], cwd=folder, env=ENV, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        sys.exit(result.stdout[-3000:] + result.stderr[-3000:])
    return time.monotonic() - began, result.stdout + result.stderr


def main() -> None:
    """Prints the figures."""
    config = sys.argv[1] if len(sys.argv) > 1 else "config/coco.yaml"
    study = ["--configfile", config]
    with tempfile.TemporaryDirectory() as name:
        folder = copy_project(Path(name) / "project")
        parsing, _ = timed(folder, *study, "--list-target-rules")
        print(f"reading the Snakefile: {parsing:.1f} s", flush=True)
        planning, said = timed(folder, *study, "-n", "--quiet", "rules")
        total = said.split("total")[1].split()[0]
        print(f"dry run, nothing done, {total} jobs: {planning:.1f} s", flush=True)
        _, said = timed(folder, *study, "-n")
        lists = [
            line.strip().removeprefix("output: ")
            for line in said.splitlines()
            if line.startswith("    output: ")
        ]
        outputs = [output for line in lists for output in line.split(", ")]
        for output in outputs:
            path = folder / output
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch() if path.suffix else path.mkdir(exist_ok=True)
        touching, _ = timed(folder, *study, "--cores", "1", "--touch", "--quiet", "all")
        print(f"recording {len(outputs):,} files as finished: {touching:.0f} s", flush=True)
        again, said = timed(folder, *study, "-n", "--quiet", "rules")
        assert "Nothing to be done" in said, said[-3000:]
        print(f"dry run, all done: {again:.1f} s", flush=True)


if __name__ == "__main__":
    main()
