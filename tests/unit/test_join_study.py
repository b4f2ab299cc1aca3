"""Under which names methods join a published study, and their rows are checked."""

from pathlib import Path

import pytest

from check_row import checked_study
from join_study import write_configuration
from leavekout.base.errors import InputError
from leavekout.config.reading import read_yaml
from leavekout.leave_k_out.bundle.files import read_bundle
from leavekout.leave_k_out.bundle.joining import bundle_of
from leavekout.methods.registry import SECTIONS, built_in_names, scored_here
from project import ROOT


def test_a_refused_name_leaves_no_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    bundle = ROOT / "results" / "digits-study" / "bundle"
    with pytest.raises(InputError, match="'random' has a name that is taken"):
        write_configuration(bundle, "random", None)
    with pytest.raises(InputError, match="'a/b' cannot name a method"):
        write_configuration(bundle, "a/b", None)
    with pytest.raises(InputError, match="oracle' has a name that is taken"):
        checked_study(read_bundle(bundle), "oracle")
    assert list((tmp_path / "config").iterdir()) == []
    file, _ = write_configuration(bundle, "mine", None)
    assert file.exists()


@pytest.mark.parametrize("study", ["digits-study", "letters-study"])
def test_a_row_of_any_method_that_we_have_can_be_checked(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the published configuration has an entry of its name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    published = read_bundle(ROOT / "results" / study / "bundle")
    written = {name for key in SECTIONS for name in read_yaml(published.study).get(key) or {}}
    others = {*written, *built_in_names()} - {*published.about.methods}
    assert {"dmin", "journey-trak"} < others
    loop = published.about.training_loop
    assert loop
    for method in others:
        _, e = checked_study(published, method)
        assert not scored_here(e, method)
        found = bundle_of(e, training_loop=loop)
        assert f"attribution/{published.about.methods[0]}/q000.npy" in found.entries
