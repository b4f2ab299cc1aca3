"""A bundle gives back what went into it, and nothing of a damaged or hostile one is written."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leavekout.base.errors import InputError
from leavekout.leave_k_out.bundle.files import pack, read_bundle, unpack
from leavekout.leave_k_out.bundle.manifest import MANIFEST, About

ABOUT: dict[str, Any] = {
    "study": "s",
    "methods": ["a"],
    "training_loop": 1,
    "made_by": {"commit": "abc"},
}
Q000 = "attribution/a/q000.npy"
ARTIFACTS = {
    "scores/a.zip": [Q000, "attribution/a/q001.npy"],
    "encoders.zip": ["encoders/vae"],
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """What a study wrote."""
    folder = tmp_path / "results"
    for number, name in enumerate(ARTIFACTS["scores/a.zip"]):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.arange(number, 50, dtype=np.float32))
    vae = folder / "encoders" / "vae"
    vae.mkdir(parents=True)
    (vae / "config.json").write_text("{}")
    (vae / "weights.safetensors").write_bytes(b"weights")
    (vae / ".snakemake_timestamp").touch()
    return folder


@pytest.fixture
def bundle(results: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    pack(folder, results, ARTIFACTS, about=ABOUT, study={"experiment": "s", "methods": ["a"]})
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".snakemake_timestamp"
    }


def changed(bundle: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Rewrites the manifest."""
    path = bundle / MANIFEST
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def add_entry(bundle: Path, path: str = Q000, **changes: Any) -> None:
    """Another entry of the manifest, like that of the first query's scores."""
    changed(bundle, lambda c: c["files"].update({path: {**c["files"][Q000], **changes}}))


def write_scores(bundle: Path, first: bytes, *, mode: int = 0) -> None:
    """Replaces the archive of scores; the first query's are `first`."""
    with zipfile.ZipFile(bundle / "scores/a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo(Q000)
        info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
        file.writestr(info, first)
        file.writestr("attribution/a/q001.npy", b"")


def test_unpacking_gives_back_the_packed_files(bundle: Path, results: Path, tmp_path: Path) -> None:
    read = read_bundle(bundle)
    assert read.about == About(**ABOUT)
    assert read.folders == ["encoders/vae"]
    assert sorted(read.files) == ARTIFACTS["scores/a.zip"]
    assert sorted(path.name for path in read.archives) == ["a.zip", "encoders.zip"]
    unpack(read, tmp_path / "again")
    assert everything(tmp_path / "again") == everything(results)


def test_the_same_study_gives_the_same_bytes(bundle: Path, results: Path, tmp_path: Path) -> None:
    os.utime(results / "attribution/a/q000.npy", (1, 1))
    pack(tmp_path / "b", results, ARTIFACTS, about=ABOUT, study={"experiment": "s"})
    first, second = everything(bundle), everything(tmp_path / "b")
    assert {n: c for n, c in first.items() if n.endswith("zip")} == {
        n: c for n, c in second.items() if n.endswith("zip")
    }


@pytest.mark.parametrize(
    "path",
    ["../out.npy", "/tmp/out.npy", "a/../../out.npy", "a//b.npy", ".hidden/b.npy", "a\\b.npy", ""],
)
def test_a_path_that_climbs_out_is_refused(bundle: Path, path: str, tmp_path: Path) -> None:
    add_entry(bundle, path)
    with pytest.raises(InputError, match="corrupt or malicious"):
        read_bundle(bundle)


def test_an_archive_or_folder_elsewhere_is_refused(bundle: Path) -> None:
    add_entry(bundle, archive="../other.zip")
    with pytest.raises(InputError, match=r"other\.zip'.*corrupt or malicious"):
        read_bundle(bundle)
    changed(bundle, lambda content: content.update(folders=["../.."]))
    with pytest.raises(InputError, match="corrupt or malicious"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    "about",
    [
        *({"study": name} for name in ("../other", "a/b", "a b", None)),
        *({"methods": names} for names in (None, "a", [1], ["../a"])),
        {"made_by": "me"},
        {"settings": [1]},
    ],
)
def test_a_malformed_description_is_refused(bundle: Path, about: dict[str, Any]) -> None:
    [key] = about
    changed(bundle, lambda content: content["about"].update(about))
    with pytest.raises(InputError, match=f"'about.{key}.*corrupt or malicious"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["model.pt", "scores.pkl", "run.py", "weights.bin", "plain"])
def test_a_format_that_can_run_code_is_refused(bundle: Path, name: str) -> None:
    add_entry(bundle, f"attribution/{name}")
    with pytest.raises(InputError, match="not a format that a bundle may contain"):
        read_bundle(bundle)


def test_a_link_in_place_of_an_archive_is_refused(bundle: Path, tmp_path: Path) -> None:
    archive = bundle / "encoders.zip"
    archive.rename(tmp_path / "elsewhere.zip")
    archive.symlink_to(tmp_path / "elsewhere.zip")
    with pytest.raises(InputError, match=r"encoders\.zip: a link"):
        unpack(read_bundle(bundle), tmp_path / "out")


def test_a_linked_member_is_written_as_a_file_or_not_at_all(bundle: Path, tmp_path: Path) -> None:
    """A zip archive can say that a member is a link; its content, the target, has no checksum."""
    write_scores(bundle, b"/etc/passwd", mode=0o120777)
    with pytest.raises(InputError, match=r"q000.npy' differs from the manifest"):
        unpack(read_bundle(bundle), tmp_path / "out")
    assert everything(tmp_path / "out") == {}


def test_a_member_that_unpacks_to_more_is_not_read_to_its_end(bundle: Path, tmp_path: Path) -> None:
    write_scores(bundle, bytes(10**8))
    with pytest.raises(InputError, match="differs from the manifest"):
        unpack(read_bundle(bundle), tmp_path / "out")


def test_artifacts_larger_than_the_disk_are_refused_before_any_is_written(
    bundle: Path, tmp_path: Path
) -> None:
    add_entry(bundle, size=10**18)
    with pytest.raises(InputError, match=r"its artifacts take 1,000,000,000\.0 GB, but"):
        unpack(read_bundle(bundle), tmp_path / "out")
    assert everything(tmp_path / "out") == {}


def test_some_artifacts_may_be_left_out(bundle: Path, tmp_path: Path) -> None:
    whole = read_bundle(bundle)
    part = whole.without(["attribution/a/q000.npy", "encoders"])
    assert list(part.entries) == ["attribution/a/q001.npy"]
    assert part.digest != whole.digest
    os.utime(bundle / "encoders.zip", (1, 1))
    assert read_bundle(bundle).digest == whole.digest


def test_a_damaged_archive_is_refused(bundle: Path, tmp_path: Path) -> None:
    archive = bundle / "scores/a.zip"
    whole = archive.read_bytes()
    place = 80  # in the first member's compressed content
    archive.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    with pytest.raises(InputError, match="fetch the bundle again"):
        unpack(read_bundle(bundle), tmp_path / "out")
    archive.write_bytes(whole[:100])
    with pytest.raises(InputError, match=r"a.zip: not a complete zip .*fetch the bundle again"):
        unpack(read_bundle(bundle), tmp_path / "out")
    archive.unlink()
    with pytest.raises(InputError, match="there is no such file; fetch the bundle again"):
        unpack(read_bundle(bundle), tmp_path / "out")
    assert everything(tmp_path / "out") == {}


def test_a_folder_that_is_no_bundle_of_this_format_is_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is not the bundle of a study"):
        read_bundle(tmp_path / "nothing")
    changed(bundle, lambda content: content.update(format=2))
    with pytest.raises(InputError, match="format 2; this version reads format 1"):
        read_bundle(bundle)
    (bundle / MANIFEST).write_text('{"format": 1}')
    with pytest.raises(InputError, match="not a bundle's manifest"):
        read_bundle(bundle)
    (bundle / MANIFEST).write_text("{")
    with pytest.raises(InputError, match="not a bundle's manifest"):
        read_bundle(bundle)
