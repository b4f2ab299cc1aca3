"""The page on fidelity says what the configurations say, and gives a reason for what differs."""

import yaml

from configured import experiment
from document_fidelity import ROOT, TABLE, differs, lines


def test_the_page_is_made_from_the_table_and_the_configurations() -> None:
    page = (ROOT / "docs" / "fidelity.md").read_text()
    assert page == "\n".join(lines()).rstrip() + "\n", "run: make docs"


def test_what_is_neither_the_papers_nor_its_codes_has_a_reason() -> None:
    for study in yaml.safe_load(TABLE.read_text())["studies"]:
        config = experiment(study["config"]).model_dump(mode="json")
        for row in study["rows"]:
            assert row.keys() <= {
                "setting",
                "key",
                "ours",
                "paper",
                "where",
                "code",
                "why",
                "check",
            }
            assert ("key" in row) != ("ours" in row), row
            assert ("paper" in row) == ("where" in row), row
            assert "why" in row or "check" in row or not differs(row, config), row
