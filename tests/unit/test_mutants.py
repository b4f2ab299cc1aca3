"""The list of mutants keeps up with the code. `make test-mutants` tries them."""

import ast

from mutants import MUTANTS
from project import ROOT


def test_each_mutant_changes_one_place_of_the_code() -> None:
    for mutant in MUTANTS:
        text = (ROOT / mutant.file).read_text()
        assert text.count(mutant.old) == 1, mutant
        ast.parse(text.replace(mutant.old, mutant.new))
        for test in mutant.tests:
            assert (ROOT / test).is_file(), mutant
