"""The project's files agree with each other."""

import ast
import re
import sys
import tomllib
from importlib.machinery import PathFinder
from pathlib import Path

import yaml

from leavekout.kinds import read_experiment
from leavekout.planning.own import proposal
from project import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_version_and_licence_are_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {key: PROJECT[key] for key in ("version", "license")} == {
        key: citation[key] for key in ("version", "license")
    }
    assert PROJECT["version"].removesuffix(".dev0") in (ROOT / "CHANGELOG.md").read_text()


def test_the_package_depends_on_what_it_imports_and_every_dependency_is_locked() -> None:
    asked = {re.split(r"[>=]", entry)[0].lower() for entry in PROJECT["dependencies"]}
    lock = (ROOT / "requirements.lock").read_text().lower().replace("_", "-")
    locked = set(re.findall(r"^([a-z0-9-]+)==", lock, re.M))
    assert {name.replace("_", "-") for name in asked} <= locked
    other_names = {
        "open_clip": "open_clip_torch",
        "PIL": "pillow",
        "pydantic_core": "pydantic",  # which brings the one that it needs
        "skimage": "scikit-image",
        "sklearn": "scikit-learn",
        "yaml": "pyyaml",
    }
    imported = set()
    for path in (ROOT / "workflow" / "scripts" / "leavekout").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names=names):
                    imported |= {alias.name.split(".")[0] for alias in names}
                case ast.ImportFrom(module=str(module)):
                    imported.add(module.split(".")[0])
    needed = {other_names.get(name, name) for name in imported}
    ours = set(sys.stdlib_module_names) | {"leavekout"}
    assert {name.lower() for name in needed - ours} - asked == set()


def test_the_configuration_in_the_docs_is_one(tmp_path: Path) -> None:
    [content] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/own-pictures.md").read_text(), re.S)
    section = {
        **{"root": "x", "train_images": "x", "train_annotations": "x", "prompt_annotations": "x"},
        "captions": 1,
    }
    sizes = {"images": 200, "prompts": 20, "side": 300}
    proposed = proposal("my-pictures", section, **sizes, on_gpu=False)
    base = {**proposed, "extends": str(ROOT / "config" / "digits-base.yaml")}
    (tmp_path / "my-pictures.yaml").write_text(yaml.safe_dump(base))
    path = tmp_path / "larger.yaml"
    path.write_text(content)
    e = read_experiment({}, [path])
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
