"""Archives and models, served on loopback as their publishers do, with broken connections."""

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leavekout.base.errors import InputError
from leavekout.data import archives, download
from leavekout.data.archives import unpack
from leavekout.data.download import fetch_archive, require_unpacked
from leavekout.encoders import hub
from loopback import Loopback, loopback


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setattr(download, "_PAUSES_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(download, "_CHUNK_BYTES", 10_000)
    with loopback(tmp_path / "served") as state:
        yield state


def zipped(path: Path, members: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return hashlib.md5(path.read_bytes()).hexdigest()


MEMBERS = {
    "train/a.jpg": bytes(range(256)) * 5000,
    "annotations/c.json": b"{}",
    "annotations/other.json": b"{}",
}


def test_an_archive_is_fetched_checked_and_unpacked(tmp_path: Path, server: Loopback) -> None:
    md5 = zipped(server.folder / "coco.zip", MEMBERS)
    root = tmp_path / "root"
    archive = fetch_archive([f"{server.url}/coco.zip"], md5, root)
    unpack(archive, root, ["train", "annotations/c.json"])
    found = {p.relative_to(root).as_posix() for p in root.rglob("*.*")}
    assert found == {"coco.zip", "train/a.jpg", "annotations/c.json"}
    assert (root / "train/a.jpg").read_bytes() == MEMBERS["train/a.jpg"]
    fetch_archive([f"{server.url}/coco.zip"], md5, root)
    assert server.asked == [("coco.zip", 0)]  # not again


@pytest.mark.parametrize("whole_only", [False, True])  # whether the server cannot send parts
def test_a_broken_download_resumes(tmp_path: Path, server: Loopback, whole_only: bool) -> None:
    md5 = zipped(server.folder / "coco.zip", MEMBERS)
    server.breaks["coco.zip"], server.whole_only = 600_000, whole_only
    path = fetch_archive([f"{server.url}/coco.zip"], md5.upper(), tmp_path)
    (first, second) = server.asked
    assert first == ("coco.zip", 0)
    assert (second[1] == 0) if whole_only else (0 < second[1] <= 600_000)
    assert path.read_bytes() == (server.folder / "coco.zip").read_bytes()


@pytest.mark.parametrize(
    ("members", "part", "asked"),
    [
        (MEMBERS, lambda whole: whole[:1000], [1000]),
        (MEMBERS, lambda whole: whole, []),  # only the name was missing
        ({"a": b"a"}, lambda whole: b"x" * 5000, [5000, 0]),  # of another, longer archive
    ],
)
def test_a_killed_job_s_part_is_used_if_it_fits(
    tmp_path: Path, server: Loopback, members: Any, part: Any, asked: list[int]
) -> None:
    md5 = zipped(server.folder / "coco.zip", members)
    whole = (server.folder / "coco.zip").read_bytes()
    (tmp_path / "coco.zip.part").write_bytes(part(whole))
    assert fetch_archive([f"{server.url}/coco.zip"], md5, tmp_path).read_bytes() == whole
    assert [first for _, first in server.asked] == asked
    assert not (tmp_path / "coco.zip.part").exists()


def test_a_mirror_takes_over(tmp_path: Path, server: Loopback) -> None:
    (server.folder / "good").mkdir()
    md5 = zipped(server.folder / "good" / "coco.zip", MEMBERS)
    zipped(server.folder / "coco.zip", {"another": b"archive"})
    urls = [f"{server.url}/{path}/coco.zip" for path in ("absent", ".", "good")]
    path = fetch_archive(urls, md5, tmp_path)
    assert path.read_bytes() == (server.folder / "good" / "coco.zip").read_bytes()


def test_a_download_with_another_checksum_is_refused(tmp_path: Path, server: Loopback) -> None:
    zipped(server.folder / "coco.zip", {"a": b"a"})
    with pytest.raises(InputError, match="does not have the checksum 000"):
        fetch_archive([f"{server.url}/coco.zip"], "0" * 32, tmp_path / "root")
    assert list((tmp_path / "root").iterdir()) == []


def test_servers_that_do_not_answer_are_named(tmp_path: Path, server: Loopback) -> None:
    urls = [f"{server.url}/nothing.zip", "http://127.0.0.1:9/nothing.zip"]
    with pytest.raises(InputError, match=r"HTTP status 404\); .*:9/.* fetched \(ConnectionError"):
        fetch_archive(urls, "0" * 32, tmp_path / "root")


def test_an_archive_with_a_path_outside_its_folder_is_refused(tmp_path: Path) -> None:
    zipped(tmp_path / "bad.zip", {"train/a": b"a", "../evil": b"e"})
    with pytest.raises(InputError, match=r"'../evil' would leave the folder"):
        unpack(tmp_path / "bad.zip", tmp_path / "root", ["train"])
    assert not (tmp_path / "evil").exists()


def test_an_archive_larger_than_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped(tmp_path / "big.zip", MEMBERS)
    full = archives.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda path: full)
    with pytest.raises(InputError, match=r"unpacked it takes 0.0 GB, but .* has 0.0 GB left"):
        unpack(tmp_path / "big.zip", tmp_path / "root", ["train"])
    assert not (tmp_path / "root" / "train").exists()


def test_an_archive_that_lacks_a_part_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match=r"none of 'dataset.archives' holds 'annotations/c.json'"):
        require_unpacked(tmp_path, ["train", "annotations/c.json"])


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    zipped(tmp_path / "bad.zip", {"train/a": b"a" * 5000})
    (tmp_path / "bad.zip").write_bytes((tmp_path / "bad.zip").read_bytes()[:3000])
    with pytest.raises(InputError, match="not a complete zip archive"):
        unpack(tmp_path / "bad.zip", tmp_path / "root", ["train"])


@pytest.mark.parametrize(
    ("where", "value"), [((8, 10), 9), ((8, 10), 99), ((6, 8), 1)], ids=["deflate64", "?", "locked"]
)
def test_an_archive_that_python_cannot_unpack_is_refused(
    tmp_path: Path, where: tuple[int, int], value: int
) -> None:
    """Bytes of the local and the central header are the compression method or the encryption."""
    zipped(tmp_path / "bad.zip", {"train/a": b"a" * 5000})
    raw = bytearray((tmp_path / "bad.zip").read_bytes())
    for signature, offset in zip((b"PK\3\4", b"PK\1\2"), where, strict=True):
        raw[raw.find(signature) + offset] = value
    (tmp_path / "bad.zip").write_bytes(raw)
    with pytest.raises(
        InputError, match=r"bad.zip: not a .* Python can unpack \(.*another program"
    ):
        unpack(tmp_path / "bad.zip", tmp_path / "root", ["train"])


# Models of a hub.


@pytest.fixture
def model(server: Loopback) -> Path:
    """A repository of a folder `vae` and other things, with weights of 12 MB."""
    folder = server.folder / "hub" / "owner" / "name"
    (folder / "vae").mkdir(parents=True)
    (folder / "vae" / "config.json").write_text("{}")
    (folder / "vae" / "model.safetensors").write_bytes(bytes(range(256)) * 48000)
    (folder / "vae" / "model.bin").write_bytes(b"a pickle")
    (folder / "README.md").write_text("# Name")
    return folder


def test_one_folder_of_a_model_repository_is_fetched(
    tmp_path: Path, server: Loopback, model: Path
) -> None:
    target = tmp_path / "encoders" / "vae"
    hub.fetch_model("owner/name", "main", "vae", target, endpoint=server.url)
    assert {path.name for path in target.iterdir()} == {"config.json", "model.safetensors"}
    weights = "model.safetensors"
    assert (target / weights).read_bytes() == (model / "vae" / weights).read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["vae"]
    everything = tmp_path / "all"
    hub.fetch_model("owner/name", "main", "", everything, endpoint=server.url, weights=False)
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["README.md"]


def test_the_user_s_token_is_not_sent_to_a_server_of_the_configuration(
    tmp_path: Path, server: Loopback, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.HfApi(endpoint=server.url).model_info("owner/name", revision="main")
    assert server.authorized == ["Bearer hf_secret"]  # what the library would do
    hub.fetch_model("owner/name", "main", "vae", tmp_path / "vae", endpoint=server.url)
    assert server.authorized == ["Bearer hf_secret"]


def test_a_broken_download_of_a_model_resumes(
    tmp_path: Path, server: Loopback, model: Path
) -> None:
    path = "owner/name/resolve/0123456789abcdef0123456789abcdef01234567/vae/model.safetensors"
    server.breaks[path] = 11_000_000  # its client writes 10 MiB at a time
    target = tmp_path / "vae"
    hub.fetch_model("owner/name", "main", "vae", target, endpoint=server.url)
    asked = [first for asked, first in server.asked if asked == path]
    assert asked[0] == 0
    assert asked[-1] > 0
    assert (target / "model.safetensors").stat().st_size == 256 * 48000


def test_a_model_that_is_not_as_published_is_refused(
    tmp_path: Path, server: Loopback, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_sha256", lambda path: "0" * 64)
    with pytest.raises(InputError, match=r"'vae/model.safetensors' does not have the published"):
        hub.fetch_model("owner/name", "main", "vae", tmp_path / "vae", endpoint=server.url)
    assert not (tmp_path / "vae").exists()


def test_absent_models_are_refused(tmp_path: Path, server: Loopback, model: Path) -> None:
    for name, folder, url, message in (
        ("owner/other", "vae", server.url, r"owner/other@main: cannot be fetched"),
        ("not an id", "vae", server.url, r"not an id@main: cannot be fetched \(HFValidation"),
        ("owner/name", "unet", server.url, r"owner/name@main: has no folder 'unet'"),
        ("owner/name", "vae", "http://127.0.0.1:9", r"@main: cannot be fetched \(ConnectError"),
    ):
        with pytest.raises(InputError, match=message):
            hub.fetch_model(name, "main", folder, tmp_path / "vae", endpoint=url)
    assert not (tmp_path / "vae").exists()


@pytest.mark.parametrize("name", ["model.bin", "model.fp16.safetensors", "model.pt", None])
@pytest.mark.parametrize("local", [False, True])
def test_a_model_without_weights_that_we_read_is_refused(
    tmp_path: Path, server: Loopback, model: Path, name: str | None, local: bool
) -> None:
    for path in (model / "vae").glob("model.*"):
        path.unlink()
    if name:
        (model / "vae" / name).write_bytes(b"weights")
    message = f"vae: has its weights only as '{name}'" if name else "vae: has no weights"
    repo = str(model) if local else "owner/name"
    with pytest.raises(InputError, match=message):
        hub.fetch_model(repo, "main", "vae", tmp_path / "vae", endpoint=server.url)
    assert [path for path in server.asked if "config.json" in path[0]] == []
    hub.fetch_model(repo, "main", "vae", tmp_path / "v", endpoint=server.url, weights=False)


def test_a_model_may_be_in_a_local_folder(tmp_path: Path, model: Path) -> None:
    hub.fetch_model(str(model), "main", "vae", tmp_path / "vae")
    assert {p.name for p in (tmp_path / "vae").iterdir()} == {"config.json", "model.safetensors"}
    with pytest.raises(InputError, match="unet: there are no files of a model"):
        hub.fetch_model(str(model), "main", "unet", tmp_path / "unet")


# Data sets of a hub.

PARTS = {f"a.7z.00{i}": bytes([i]) * 3_000_000 for i in (1, 2)}


@pytest.fixture
def data_set(server: Loopback) -> Path:
    """A data set with an archive in two parts, and a file beside them."""
    folder = server.folder / "hub" / "datasets" / "owner" / "name"
    (folder / "a").mkdir(parents=True)
    for name, content in {**PARTS, "README.md": b"# a"}.items():
        (folder / "a" / name).write_bytes(content)
    return folder


def fetch_parts(server: Loopback, folder: Path, pattern: str = "a/a.7z*") -> dict[str, bytes]:
    paths = hub.fetch_files("owner/name", "main", pattern, folder, endpoint=server.url)
    return {path.name: path.read_bytes() for path in paths}


def test_files_of_a_data_set_are_fetched_once(
    tmp_path: Path, server: Loopback, data_set: Path
) -> None:
    folder = tmp_path / "parts"
    path = "datasets/owner/name/resolve/0123456789abcdef0123456789abcdef01234567/a/a.7z.002"
    server.breaks[path] = 1_000_000
    assert fetch_parts(server, folder) == PARTS
    asked = len(server.asked)
    assert fetch_parts(server, folder) == PARTS
    assert not [path for path, _ in server.asked[asked:] if "resolve" in path]
    local = hub.fetch_files(str(data_set), "", "a/a.7z*", tmp_path / "unused")
    assert local == [data_set / "a" / name for name in PARTS]  # where they are


def test_a_data_set_that_is_not_as_published_is_refused(
    tmp_path: Path, server: Loopback, data_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"owner/name@main: has no file 'b/\*'"):
        fetch_parts(server, tmp_path, "b/*")
    with pytest.raises(InputError, match=r"owner/none@main: cannot be fetched"):
        hub.fetch_files("owner/none", "main", "a/*", tmp_path, endpoint=server.url)
    full = hub.shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    with monkeypatch.context() as patch:
        patch.setattr(hub.shutil, "disk_usage", lambda path: full)
        with pytest.raises(InputError, match=r"main: 0.0 GB are to be downloaded, but .* has 0.0"):
            fetch_parts(server, tmp_path)
    monkeypatch.setattr(hub, "_sha256", lambda path: "0" * 64)
    with pytest.raises(InputError, match=r"'a/a.7z.001' does not have the published checksum"):
        fetch_parts(server, tmp_path)
