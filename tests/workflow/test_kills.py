"""A study that is killed and resumed ends as if it had not been; `make test-kills` does more."""

from pathlib import Path
from signal import SIGKILL, SIGTERM

from kills import ALL, ALONE, ONE, Blow, differences, disturbed, undisturbed


def test_a_killed_study_ends_with_the_same_results(tmp_path: Path) -> None:
    undisturbed(tmp_path / "calm")
    blows = {
        "train_clip": Blow(SIGTERM, ONE, 0.5),
        "train_source": Blow(SIGKILL, ALL, 2),
        "retrain": Blow(SIGKILL, ALONE, 1),  # the model goes on, and is trained a second time
    }
    kills = disturbed(tmp_path / "killed", lambda rule: blows.pop(rule, None), len(blows))
    assert [(kill.blow.victim, kill.locked) for kill in kills] == [
        (ONE, False),
        (ALL, True),
        (ALONE, True),
    ]
    assert differences(tmp_path / "killed", tmp_path / "calm") == []
