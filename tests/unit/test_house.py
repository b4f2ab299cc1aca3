"""What belongs to a family of methods or a kind of experiment is named only in its folder."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from leavekout.methods.registry import FAMILIES, KEYS
from project import ROOT

PACKAGE = ROOT / "workflow" / "scripts" / "leavekout"
RULES = ROOT / "workflow" / "rules"
# Keys of families in the configuration, without words that have another meaning, too.
NAMES = {*KEYS, *(family.section for family in FAMILIES)} - {"gradients"}
# A family that builds on another: distilled features learn from unlearning.
BUILDS_ON = {"distilled": {"unlearning"}}
KINDS = {"leave_k_out", "customized"}


def named(path: Path) -> Iterator[str]:
    """Names in a module that may be another's: imports, attributes, and whole strings."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.ImportFrom(module=str(module)):
                yield from module.split(".")
            case ast.Attribute(attr=name):
                yield name
            case ast.Constant(value=str(text)):
                yield text


def test_no_module_names_a_family_that_is_not_its_own() -> None:
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).parts
        own = parts[1] if parts[0] == "methods" and len(parts) > 2 else ""
        foreign = NAMES - {own} - BUILDS_ON.get(own, set())
        if path.name != "registry.py":
            assert foreign.isdisjoint(named(path)), path


def test_no_shared_module_names_a_kind_of_experiment() -> None:
    for path in PACKAGE.rglob("*.py"):
        foreign = KINDS - {path.relative_to(PACKAGE).parts[0]}
        if path.name != "kinds.py":
            assert foreign.isdisjoint(named(path)), path


def test_each_family_has_a_rule_file_and_a_script_of_its_name() -> None:
    for family in FAMILIES:
        assert (RULES / "attribution" / f"{family.section}.smk").exists()
        assert (ROOT / "workflow" / "scripts" / f"attribute_by_{family.section}.py").exists()
        assert (PACKAGE / "methods" / family.section / "family.py").exists()
    rules = {path.stem for path in (RULES / "attribution").glob("*.smk")}
    assert rules == {family.section for family in FAMILIES}


def test_no_rule_outside_its_file_reads_the_section_of_a_family() -> None:
    for path in [*RULES.rglob("*.smk"), ROOT / "Snakefile"]:
        found = set(re.findall(r'config\["(\w+)"\]', path.read_text())) & {*KEYS}
        allowed = {path.stem} | BUILDS_ON.get(path.stem, set())
        assert found <= allowed | ({"gradients"} if path.stem == "influence" else set()), path
