"""Archives and models, served on loopback as their publishers do, and broken off half-way."""

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from leavekout.base.errors import InputError
from leavekout.data import download
from leavekout.data.download import fetch_archive, require_unpacked, unpack
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


def test_a_download_that_breaks_goes_on_where_it_was(tmp_path: Path, server: Loopback) -> None:
    md5 = zipped(server.folder / "coco.zip", MEMBERS)
    server.breaks["coco.zip"] = 600_000
    path = fetch_archive([f"{server.url}/coco.zip"], md5, tmp_path)
    (first, second) = server.asked
    assert first == ("coco.zip", 0)
    assert 0 < second[1] <= 600_000
    assert path.read_bytes() == (server.folder / "coco.zip").read_bytes()


def test_a_job_that_was_killed_goes_on_where_it_was(tmp_path: Path, server: Loopback) -> None:
    md5 = zipped(server.folder / "coco.zip", MEMBERS)
    whole = (server.folder / "coco.zip").read_bytes()
    (tmp_path / "coco.zip.part").write_bytes(whole[:1000])
    assert fetch_archive([f"{server.url}/coco.zip"], md5, tmp_path).read_bytes() == whole
    assert server.asked == [("coco.zip", 1000)]
    assert not (tmp_path / "coco.zip.part").exists()


def test_a_server_without_parts_sends_all_again(tmp_path: Path, server: Loopback) -> None:
    md5 = zipped(server.folder / "coco.zip", MEMBERS)
    server.whole_only = True
    server.breaks["coco.zip"] = 600_000
    path = fetch_archive([f"{server.url}/coco.zip"], md5, tmp_path)
    assert path.read_bytes() == (server.folder / "coco.zip").read_bytes()


def test_what_lies_there_of_another_archive_is_begun_anew(tmp_path: Path, server: Loopback) -> None:
    md5 = zipped(server.folder / "coco.zip", {"a": b"a"})
    (tmp_path / "coco.zip.part").write_bytes(b"x" * 5000)
    assert fetch_archive([f"{server.url}/coco.zip"], md5, tmp_path).exists()
    assert [first for _, first in server.asked] == [5000, 0]


def test_a_whole_download_that_has_no_name_yet_is_not_fetched_again(
    tmp_path: Path, server: Loopback
) -> None:
    md5 = zipped(server.folder / "coco.zip", MEMBERS)
    (server.folder / "coco.zip").rename(tmp_path / "coco.zip.part")
    assert fetch_archive([f"{server.url}/coco.zip"], md5, tmp_path).exists()
    assert server.asked == []


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


def test_servers_that_do_not_answer_are_said(tmp_path: Path, server: Loopback) -> None:
    urls = [f"{server.url}/nothing.zip", "http://127.0.0.1:9/nothing.zip"]
    with pytest.raises(InputError, match=r"HTTP status 404\); .*:9/.* fetched \(ConnectionError"):
        fetch_archive(urls, "0" * 32, tmp_path / "root")


def test_an_archive_that_climbs_out_is_refused(tmp_path: Path) -> None:
    zipped(tmp_path / "bad.zip", {"train/a": b"a", "../evil": b"e"})
    with pytest.raises(InputError, match=r"'../evil' would leave the folder"):
        unpack(tmp_path / "bad.zip", tmp_path / "root", ["train"])
    assert not (tmp_path / "evil").exists()


def test_an_archive_larger_than_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped(tmp_path / "big.zip", MEMBERS)
    full = download.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: full)
    with pytest.raises(InputError, match=r"unpacked it takes 0.0 GB, but .* has 0.0 GB left"):
        unpack(tmp_path / "big.zip", tmp_path / "root", ["train"])
    assert not (tmp_path / "root" / "train").exists()


def test_an_archive_that_lacks_a_part_is_said(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match=r"none of 'dataset.archives' holds 'annotations/c.json'"):
        require_unpacked(tmp_path, ["train", "annotations/c.json"])


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    zipped(tmp_path / "bad.zip", {"train/a": b"a" * 5000})
    (tmp_path / "bad.zip").write_bytes((tmp_path / "bad.zip").read_bytes()[:3000])
    with pytest.raises(InputError, match="not a complete zip archive"):
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
    hub.fetch_model("owner/name", "main", "", tmp_path / "all", endpoint=server.url)
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["README.md"]


def test_a_server_of_the_configuration_s_is_not_told_who_asks(
    tmp_path: Path, server: Loopback, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.HfApi(endpoint=server.url).model_info("owner/name", revision="main")
    assert server.authorized == ["Bearer hf_secret"]  # what the library would do
    hub.fetch_model("owner/name", "main", "vae", tmp_path / "vae", endpoint=server.url)
    assert server.authorized == ["Bearer hf_secret"]


def test_a_model_that_broke_off_goes_on_where_it_was(
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


def test_models_that_are_not_there_are_said(tmp_path: Path, server: Loopback, model: Path) -> None:
    with pytest.raises(InputError, match=r"owner/other@main: cannot be fetched"):
        hub.fetch_model("owner/other", "main", "vae", tmp_path / "vae", endpoint=server.url)
    with pytest.raises(InputError, match=r"not an id@main: cannot be fetched \(HFValidation"):
        hub.fetch_model("not an id", "main", "vae", tmp_path / "vae", endpoint=server.url)
    with pytest.raises(InputError, match=r"owner/name@main: has no folder 'unet'"):
        hub.fetch_model("owner/name", "main", "unet", tmp_path / "vae", endpoint=server.url)
    with pytest.raises(InputError, match=r"owner/name@main: cannot be fetched \(ConnectError"):
        hub.fetch_model(
            "owner/name", "main", "vae", tmp_path / "vae", endpoint="http://127.0.0.1:9"
        )
    assert not (tmp_path / "vae").exists()


def test_a_model_may_lie_in_a_local_folder(tmp_path: Path, model: Path) -> None:
    hub.fetch_model(str(model), "main", "vae", tmp_path / "vae")
    assert {p.name for p in (tmp_path / "vae").iterdir()} == {"config.json", "model.safetensors"}
    with pytest.raises(InputError, match="unet: there are no files of a model"):
        hub.fetch_model(str(model), "main", "unet", tmp_path / "unet")
