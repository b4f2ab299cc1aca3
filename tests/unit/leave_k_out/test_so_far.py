"""The table of a study that still runs counts queries that are complete, and no others."""

from pathlib import Path

from configured import experiment
from leavekout.leave_k_out.removals import study_models
from leavekout.leave_k_out.so_far import finished


def test_a_query_counts_once_each_method_has_all_its_models(tmp_path: Path) -> None:
    counterfactual = {"k": [20, 30], "random": {"sets": 2}}
    models = study_models(experiment("tiny", counterfactual=counterfactual))
    lacking = ("pixel/q001/k30", "random/s1/k20")
    for one in models:
        path = tmp_path / one.outcome
        if not any(name in one.outcome for name in lacking):
            path.parent.mkdir(parents=True)
            path.touch()
    counted, queries = finished(models, tmp_path)
    assert queries == ["q000", "q002"]
    names = {one.outcome.removeprefix("retrained/") for one in counted}
    assert len(names) == 2 * 2 * 2 + 3 + 1  # methods, three random sets, another seed
    assert {name.split("/")[0] for name in names} == {
        *("unlearning", "pixel", "random", "no_removal")
    }
    assert not any("q001" in name for name in names)
