"""What the documentation tells people to type."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from project import ENV, ROOT, SNAKEMAKE, said

DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "slurm.md"]


def commands() -> list[str]:
    """Every call of Snakemake in the documents that names an experiment of ours in full."""
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    found = re.findall(r"snakemake [^`\n#]*--configfile config/\w+\.yaml[^`\n#)]*", text)
    return sorted({command.replace(" -n", "").strip() for command in found})


def test_commands_are_found() -> None:
    assert len(commands()) >= 5


@pytest.mark.parametrize("command", commands())
def test_documented_calls_of_snakemake_are_understood(command: str, tmp_path: Path) -> None:
    """Planned, COCO with two queries, which is enough to see that the call is right."""
    words = shlex.split(command)[1:]
    if "--profile" in words:  # SLURM need not be there
        place = words.index("--profile")
        del words[place : place + 2]
    if "coco" in command:  # nor is its size what is tested
        words += ["--config", "queries={test: 2}"]
    result = subprocess.run(
        [SNAKEMAKE, *words, "--directory", str(tmp_path), "-n"],
        cwd=ROOT,
        env=ENV,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, said(result)


def test_figures_that_documents_show_are_there() -> None:
    documents = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("results/*/README.md")]
    shown = [
        path.parent / target
        for path in documents
        for target in re.findall(r"!?\[[^\]]*\]\(([^)#:]+)\)", path.read_text())
    ]
    assert len(shown) > 20
    assert [str(path) for path in shown if not path.exists()] == []
