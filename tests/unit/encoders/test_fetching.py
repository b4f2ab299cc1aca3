"""Published files, fetched from a hub and from addresses on loopback."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import py7zr
import pytest

from leavekout.base.errors import InputError
from leavekout.config.download import Download
from leavekout.data import download
from leavekout.encoders.fetching import fetch_published
from loopback import COMMIT, Loopback, loopback

CONTENT = bytes(range(256)) * 3000


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """A data set with an archive in three parts and a folder of files, and a file at an address."""
    monkeypatch.setattr(download, "_PAUSES_SECONDS", (0.01, 0.01))
    with loopback(tmp_path / "served") as state:
        data = state.folder / "hub" / "datasets" / "owner" / "name" / "coco"
        (data / "factors").mkdir(parents=True)
        for name in ("b.safetensors", "a.safetensors", "notes.md"):
            (data / "factors" / name).write_bytes(name.encode() * 100)
        with py7zr.SevenZipFile(data / "whole", "w") as archive:
            archive.writestr(CONTENT, "train/latents.npy")
            archive.writestr(b"model", "model.bin")
        raw = (data / "whole").read_bytes()
        (data / "whole").unlink()
        for part in range(3):
            size = -(-len(raw) // 3)
            (data / f"a.7z.00{part + 1}").write_bytes(raw[part * size : (part + 1) * size])
        (state.folder / "scores.pkl").write_bytes(CONTENT)
        yield state


def fetched(server: Loopback, folder: Path, *members: str, **address: Any) -> Path:
    target = folder / "published"
    fetch_published(Download(**address), members, target, endpoint=server.url)
    return target


def test_members_of_a_split_archive_are_unpacked(tmp_path: Path, server: Loopback) -> None:
    server.breaks[f"datasets/owner/name/resolve/{COMMIT}/coco/a.7z.002"] = 100
    target = fetched(
        server, tmp_path, "train/latents.npy", repo="owner/name", file="coco/a.7z.*",
        member="train/latents.npy",
    )  # fmt: skip
    assert (target / "train" / "latents.npy").read_bytes() == CONTENT
    assert not (target / "model.bin").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name != "served"] == ["published"]


def test_a_folder_and_a_single_file_are_fetched(tmp_path: Path, server: Loopback) -> None:
    files = fetched(server, tmp_path, repo="owner/name", file="coco/factors/*.safetensors")
    assert {path.name for path in files.iterdir()} == {"a.safetensors", "b.safetensors"}
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    for known in ({}, {"sha256": sha256}, {"size": len(CONTENT)}):
        server.breaks["scores.pkl"] = 500_000
        one = fetched(server, tmp_path, url=f"{server.url}/scores.pkl", **known)
        assert (one / "scores.pkl").read_bytes() == CONTENT


def test_a_local_folder_of_the_same_layout_serves_as_well(tmp_path: Path, server: Loopback) -> None:
    repo = server.folder / "hub" / "datasets" / "owner" / "name"
    target = fetched(server, tmp_path, "model.bin", repo=str(repo), file="coco/a.7z.*")
    assert (target / "model.bin").read_bytes() == b"model"
    fetched(server, tmp_path, repo=str(repo), file="coco/factors/*.safetensors")
    assert len(list((repo / "coco").rglob("*.*"))) == 6  # nothing was moved away
    assert server.asked == []


@pytest.mark.parametrize(
    ("members", "address", "message"),
    [
        (["x.npy"], {"file": "coco/a.7z.*"}, r"has no 'x.npy', only 'train/latents.npy', 'model"),
        ([], {"file": "coco/none*"}, r"owner/name@main: has no file 'coco/none\*'"),
        ([], {"repo": "owner/absent", "file": "a"}, r"owner/absent@main: cannot be fetched"),
        ([], {"file": "coco/factors/a.safetensors", "size": 7}, "has 1,300 bytes in 1 files, but"),
        ([], {"url": "/scores.pkl", "sha256": "0" * 64}, "does not have the checksum 0000"),
        ([], {"url": "/scores.pkl", "size": 7}, "has 768,000 bytes, but 'size' is 7"),
        ([], {"url": "/absent"}, r"cannot be fetched \(HTTP status 404\)"),
        (["model.bin"], {"file": "coco/a.7z.001"}, "not a complete 7z archive that can be"),
    ],
)
def test_what_is_not_as_said_is_refused(
    tmp_path: Path, server: Loopback, members: list[str], address: dict[str, Any], message: str
) -> None:
    where = {"repo": "owner/name"} | address
    if "url" in address:
        where = address | {"url": f"{server.url}{address['url']}"}
    with pytest.raises(InputError, match=message):
        fetched(server, tmp_path, *members, **where)
    assert not (tmp_path / "published").exists()
