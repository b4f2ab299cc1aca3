"""What the site says of each method."""

import pytest

from leavekout.kinds import read_experiment
from leavekout.methods.facts import all_facts, settings
from leavekout.methods.registry import FAMILIES, built_in_names
from project import ROOT

FACTS = all_facts((ROOT / "docs" / "methods.md").read_text())


@pytest.mark.parametrize("method", built_in_names())
def test_each_method_is_described_with_its_family(method: str) -> None:
    (family,) = (family.section for family in FAMILIES if method in family.built_in())
    assert FACTS[method].family == family
    assert len(FACTS[method].how) > 20
    assert f"methods/{family}/" in FACTS[method].where


def test_a_paper_is_that_of_all_methods_in_its_row() -> None:
    assert "2511.10721" in FACTS["abu-plus"].paper
    assert FACTS["distilled"].paper == FACTS["abu-plus"].paper
    assert FACTS["pixel"].paper == ""


def test_settings_are_defaults_and_what_studies_change() -> None:
    study = read_experiment({}, [ROOT / "config" / "letters-study.yaml"])
    table = settings("trak", {"letters": study}).set_index("setting")
    assert table.loc["`damping`", "default"] == "0.5"
    damping = study.influence["trak"].damping
    assert damping != 0.5
    assert table.loc["`damping`", "where it differs"] == f"letters: {damping}"
    assert table.loc["`query_draws`", "where it differs"] == ""
    assert table.loc["`gradients.loss.dimension`", "default"] == "1,024"
    assert "Hadamard" in str(table.loc["`gradients.loss.dimension`", "meaning"])


def test_a_variant_has_the_defaults_of_its_family() -> None:
    study = read_experiment({}, [ROOT / "config" / "digits-custom.yaml"])
    table = settings("ascent", {"custom": study}).set_index("setting")
    assert table.loc["`step`", "default"] == "newton"
    assert table.loc["`step`", "where it differs"] == "custom: gradient\\_ascent"
    assert table.loc["`readout`", "default"] == "difference"  # a field that dumps leave out


def test_methods_without_settings_have_no_table() -> None:
    assert settings("pixel", {}).empty
    assert settings("someone-elses", {}).empty
