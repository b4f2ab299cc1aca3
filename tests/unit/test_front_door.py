"""What belongs to the project says the same of it everywhere."""

import ast
import re
import sys
import tomllib
from importlib.machinery import PathFinder
from pathlib import Path

import yaml

from leavekout.config.reading import read_yaml
from leavekout.kinds import read_experiment
from project import ROOT


def test_version_and_licence_are_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert project["version"].removesuffix(".dev0") in (ROOT / "CHANGELOG.md").read_text()


def test_the_package_asks_for_what_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements.lock").read_text().lower().replace("_", "-")
    names = [re.split(r"[>=]", entry)[0] for entry in project["dependencies"]]
    missing = [
        name for name in names if f"\n{name.lower().replace('_', '-')}==" not in "\n" + locked
    ]
    assert missing == []


def test_the_package_asks_for_what_it_imports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {re.split(r"[>=]", entry)[0].lower() for entry in project["dependencies"]}
    other_names = {
        "open_clip": "open_clip_torch",
        "PIL": "pillow",
        "pydantic_core": "pydantic",  # which brings the one that it needs
        "skimage": "scikit-image",
        "sklearn": "scikit-learn",
        "yaml": "pyyaml",
    }
    imported = {
        name.split(".")[0]
        for path in (ROOT / "workflow" / "scripts" / "leavekout").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    needed = {other_names.get(name, name) for name in imported}
    ours = set(sys.stdlib_module_names) | {"leavekout"}
    assert {name.lower() for name in needed - ours} - asked == set()


def test_the_configuration_in_the_docs_is_one(tmp_path: Path) -> None:
    [content] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/own-pictures.md").read_text(), re.S)
    path = tmp_path / "larger.yaml"
    path.write_text(content.replace("extends: ", f"extends: {ROOT}/config/"))
    e = read_experiment(read_yaml(path), [path])
    assert e.dataset.image_size == 64


def test_public_ci_runs_what_ci_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert {"run": ".ci/run"} in workflow["jobs"]["test"]["steps"]


def test_no_script_has_the_name_of_a_module_that_others_import() -> None:
    """Snakemake puts the scripts' folder on sys.path; tabulate.py once broke torch's logging."""
    folder = ROOT / "workflow" / "scripts"
    others = [path for path in sys.path if Path(path).resolve() != folder]
    for script in folder.rglob("*.py"):
        if "leavekout" in script.parts:
            continue
        assert PathFinder.find_spec(script.stem, others) is None, script.name
