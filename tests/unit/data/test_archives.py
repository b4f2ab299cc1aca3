"""Archives of all formats: unpacked, whole and in parts, and refused where they are hostile."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import py7zr
import pytest

from leavekout.base.errors import InputError
from leavekout.data.archives import unpack

MEMBERS = {
    "data/latents.npy": os.urandom(70_000),
    "data/more/text.npy": b"text" * 5000,
    "other.txt": b"other",
}


def packed(path: Path) -> Path:
    """An archive of the members, in the format of its name."""
    if path.suffix == ".7z":
        with py7zr.SevenZipFile(path, "w") as seven:
            for name, content in MEMBERS.items():
                seven.writestr(content, name)
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, content in MEMBERS.items():
                zipped.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
            for name, content in MEMBERS.items():
                entry = tarfile.TarInfo(f"./{name}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return path


def split(path: Path, parts: int = 3) -> list[Path]:
    content, names = path.read_bytes(), [Path(f"{path}.{i + 1:03d}") for i in range(parts)]
    size = -(-len(content) // parts)
    for i, name in enumerate(names):
        name.write_bytes(content[i * size : (i + 1) * size])
    return names


@pytest.mark.parametrize("name", ["a.7z", "a.zip", "a.tar", "a.tar.gz"])
@pytest.mark.parametrize("in_parts", [False, True])
def test_wanted_members_are_unpacked(tmp_path: Path, name: str, in_parts: bool) -> None:
    archive = packed(tmp_path / name)
    unpack(split(archive) if in_parts else archive, tmp_path / "out", ["data"])
    found = {p.relative_to(tmp_path / "out").as_posix(): p for p in (tmp_path / "out").rglob("*.*")}
    assert found.keys() == {"data/latents.npy", "data/more/text.npy"}
    assert all(path.read_bytes() == MEMBERS[name] for name, path in found.items())


@pytest.mark.parametrize("name", ["a.7z", "a.zip", "a.tar", "a.tar.gz"])
def test_a_damaged_or_incomplete_archive_is_refused_in_one_sentence(
    tmp_path: Path, name: str
) -> None:
    parts = split(packed(tmp_path / name))
    with pytest.raises(InputError, match=rf"{name}.001: not a .*archive.* \(.*; delete it"):
        unpack(parts[:2], tmp_path / "out", ["."])
    content = bytearray((tmp_path / name).read_bytes())
    content[:600] = os.urandom(600)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: not a .*archive"):
        unpack(tmp_path / name, tmp_path / "again", ["."])


@pytest.mark.parametrize(("entry", "kind"), [("link", "2"), ("hard", "1"), ("device", "3")])
def test_a_tar_with_links_or_devices_is_refused(tmp_path: Path, entry: str, kind: str) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        member = tarfile.TarInfo(entry)
        member.type, member.linkname = kind.encode(), "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(InputError, match=f"'{entry}' is a link or a device"):
        unpack(tmp_path / "a.tar", tmp_path / "out", ["."])


@pytest.mark.parametrize("name", ["/absolute", "../outside", "in/../../outside"])
def test_a_member_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(InputError, match=f"'{name}' would leave the folder"):
        unpack(tmp_path / "a.tar", tmp_path / "out", ["."])
    assert not (tmp_path / "out").exists()


def test_a_7z_archive_with_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to("/etc/passwd")
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as seven:
        seven.write(tmp_path / "in" / "link", "link")
    with pytest.raises(InputError, match="'link' is a link or a device"):
        unpack(tmp_path / "a.7z", tmp_path / "out", ["."])


def test_a_locked_7z_archive_is_refused(tmp_path: Path) -> None:
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w", password="secret") as seven:
        seven.writestr(b"text", "a.txt")
    with pytest.raises(InputError, match="7z archive that can be unpacked"):
        unpack(tmp_path / "a.7z", tmp_path / "out", ["."])
