"""What belongs to the project says the same of it everywhere."""

import tomllib

import yaml

from project import ROOT


def test_version_and_licence_are_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert project["version"].removesuffix(".dev0") in (ROOT / "CHANGELOG.md").read_text()


def test_the_package_asks_for_what_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements.lock").read_text().lower().replace("_", "-")
    missing = [
        name
        for name in project["dependencies"]
        if f"\n{name.lower().replace('_', '-')}==" not in "\n" + locked
    ]
    assert missing == []


def test_public_ci_runs_what_ci_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert {"run": ".ci/run"} in workflow["jobs"]["test"]["steps"]
