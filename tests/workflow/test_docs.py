"""What the documentation tells people to type, and what it shows them."""

import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest

from project import ENV, ROOT, SNAKEMAKE, output_of

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "config/README.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("results/*/README.md")),
]
PROGRAMS = "make|snakemake|python|pip|git|conda|cp|source|scancel|squeue"

# Calls of Snakemake that need what another test makes first: a piece of the call, and that test.
RUN_BY = {
    "external={mine": "test_workflow_methods.py::test_scores_from_elsewhere_need_no_code",
    "[pixel, edges]": "test_workflow_methods.py::test_method_contract",
    "digits-study-with-mine": "test_workflow_joining.py::test_the_new_row_is_beside",
    "config/mine.yaml": "test_workflow_joining.py::test_a_study_continues_from_a_bundle",
    "--unlock": "../cluster/test_slurm.py::test_a_disturbed_training_ends_in_the_same_tables",
}
# Pictures of the reader's own, which nobody else has.
BY_HAND = "config/own/my-pictures.yaml"


@cache
def commands() -> list[str]:
    """Every command in the documents, from their blocks and from their sentences."""
    found = set()
    for path in DOCUMENTS:
        text = path.read_text()
        blocks = re.findall(r"^ *```(?:console|bash)\n(.*?)^ *```", text, re.M | re.S)
        sentences = re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)
        spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", sentences)]
        for line in [*"".join(blocks).splitlines(), *spans]:
            command = re.sub(r"(^|\s+)#.*", "", line).strip()
            if re.match(rf"(\w+=\S+ )*({PROGRAMS}) ", command):
                found.add(command)
    return sorted(found)


def calls_of(program: str) -> list[str]:
    """Documented commands of one program, without the environment variables before it."""
    called = (re.sub(r"^(\w+=\S+ )*", "", command) for command in commands())
    return sorted({command for command in called if command.startswith(f"{program} ")})


def planned() -> list[str]:
    """Calls of Snakemake that say what they are about, and need nothing that others make."""
    return sorted(
        {
            call.replace(" -n", "")
            for call in calls_of("snakemake")
            if "config/" in call and not any(piece in call for piece in (*RUN_BY, BY_HAND))
        }
    )


def test_commands_are_found() -> None:
    assert len(commands()) > 60
    assert len(planned()) > 8


@pytest.mark.thorough
@pytest.mark.parametrize("command", planned())
def test_calls_of_snakemake_are_understood(command: str, tmp_path: Path) -> None:
    """Plans each call; COCO with two queries, and one of each kind of customized models."""
    words = shlex.split(command)[1:]
    if "--profile" in words:  # SLURM need not be there
        place = words.index("--profile")
        del words[place : place + 2]
    # Nor is COCO's size what is tested.
    fewer = []
    if "coco" in command:
        fewer = [f"queries={{test: {30 if '-first' in command else 2}}}"]
    elif "custom-sd14" in command and "customized=" not in command:
        fewer = ["customized={first: 1}"]
    options = ["--config", *fewer] if fewer else []
    if "--config" in words:  # of which Snakemake takes the last alone
        place = words.index("--config") + 1
        words[place:place], options = fewer, []
    result = subprocess.run(
        [SNAKEMAKE, *options, "--directory", str(tmp_path), "-n", *words],
        cwd=ROOT,
        env=ENV,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, output_of(result)


def test_other_calls_of_snakemake_are_run_by_the_tests_that_are_named() -> None:
    for piece, test in RUN_BY.items():
        assert any(piece in call for call in calls_of("snakemake")), piece
        file, name = test.split("::")
        assert f"def {name}" in (Path(__file__).parent / file).read_text()


@pytest.mark.parametrize("command", calls_of("make"))
def test_calls_of_make_are_understood(command: str) -> None:
    result = subprocess.run(
        [*shlex.split(command), "-n"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    asked = command in ("make join", "make own") and "*** name the" in output_of(result)
    assert result.returncode == 0 or asked, output_of(result)
    experiment = re.search(r"EXPERIMENT=(\S+)", command)
    if experiment and "my-" not in command and "with-mine" not in command:
        assert (ROOT / "config" / f"{experiment[1]}.yaml").exists()


@pytest.mark.parametrize("command", calls_of("python"))
def test_scripts_and_options_are_there(command: str) -> None:
    words = [word for word in shlex.split(command) if word != "--"]
    scripts = [word for word in words if word.endswith(".py")]
    assert scripts
    text = "".join((ROOT / script).read_text() for script in scripts)
    missing = [word for word in words if word.startswith("--") and f'"{word}"' not in text]
    assert missing == []


def test_figures_that_documents_show_are_there() -> None:
    shown = [
        path.parent / target
        for path in DOCUMENTS
        for target in re.findall(r"!?\[[^\]]*\]\(([^)#:]+)\)", path.read_text())
    ]
    assert len(shown) > 20
    assert [str(path) for path in shown if not path.exists()] == []
