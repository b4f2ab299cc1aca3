"""Versions and costs, read from log and benchmark files."""

from pathlib import Path

import pytest

from leavekout.report import provenance


def test_versions_come_from_the_logs_and_from_earlier_parts(tmp_path: Path) -> None:
    for name, commits in (("retrain/random/s0/k1", "ab"), ("retrain/a/q000/k1", "b"), ("fit", "b")):
        path = tmp_path / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        records = [f'12:00:00 {{"commit": "{c}", "torch": "2", "params": {{}}}}' for c in commits]
        path.write_text("\n".join(["noise", *records, "12:00:01 done"]) + "\n")
    earlier = [{"stage": "retrain", "commit": "b", "torch": "2", "jobs": 40}]
    earlier += [{"stage": "retrain", "commit": "old", "torch": "1", "jobs": 3}]
    table = provenance.versions_of(tmp_path, earlier).set_index(["stage", "commit"])
    assert table["jobs"].to_dict() == {
        ("fit", "b"): 1,
        ("retrain", "b"): 41,
        ("retrain", "old"): 3,
        ("retrain, random", "b"): 1,  # of a job that ran twice, the last counts
    }
    assert list(provenance.versions_of(tmp_path / "nothing")) == ["stage", "jobs", "commit"]


def test_costs_come_from_the_benchmark_files(tmp_path: Path) -> None:
    jobs = {"retrain/random/s0/k1": 3600, "retrain/random/s1/k1": 1800, "train_vae": 36}
    for name, seconds in jobs.items():
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\tmax_rss\n{seconds}\t2048\n")
    (tmp_path / "broken.tsv").write_text("")
    table = provenance.costs_of(tmp_path).set_index("stage")
    assert table.loc["retrain, random", "hours"] == pytest.approx(1.5)
    assert table.loc["retrain, random", "jobs"] == 2
    assert table.loc["train_vae", "memory_gb"] == 2
