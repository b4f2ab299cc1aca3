"""The commit that an artifact records."""

import subprocess
from pathlib import Path

from leavekout.base.artifacts import commit_of


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def test_rewritten_results_are_no_change_of_code(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == "unknown (not a git checkout)"
    package = tmp_path / "workflow"
    for path in (package / "a.py", tmp_path / "results" / "table.csv"):
        path.parent.mkdir()
        path.write_text("1")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = commit_of(package)
    assert len(clean) == 12
    (tmp_path / "results" / "table.csv").write_text("2")
    assert commit_of(package) == clean
    (package / "a.py").write_text("2")
    assert commit_of(package) == f"{clean}-dirty"
