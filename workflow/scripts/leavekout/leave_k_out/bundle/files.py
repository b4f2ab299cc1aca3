"""A bundle's files: zip archives of artifacts, and a manifest with their checksums.

    manifest.json    description of the study; for each artifact its archive, size and checksum
    study.yaml       the study's configuration
    *.zip, */*.zip   the artifacts, by their paths below a study's results

A bundle may come from strangers. Archives are therefore never unpacked by the names inside them:
only artifacts of the manifest are read, checked, and written to the manifest's paths, which cannot
leave the results folder. All formats are plain data that no library executes.
"""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from leavekout.base.artifacts import ZIP_ERRORS, atomic, atomic_folder, reading_zip
from leavekout.base.errors import InputError
from leavekout.data import archives
from leavekout.data.download import fetch_archive
from leavekout.leave_k_out.bundle.manifest import FORMAT, MANIFEST, About, Entry, read_manifest

STUDY = "study.yaml"
_PIECE_BYTES = 2**20
_DATE = (1980, 1, 1, 0, 0, 0)  # of every member: the same content gives the same archive


@dataclass(frozen=True)
class Bundle:
    """A bundle with a valid manifest; `unpack` reads its archives.

    Args:
        about: the description of its study.
        entries: artifacts by their paths below a study's results.
        folders: those that are one artifact as a whole, such as an encoder's folder.
    """

    folder: Path
    about: About
    entries: Mapping[str, Entry]
    folders: Sequence[str]

    @property
    def study(self) -> Path:
        """The study's configuration."""
        return self.folder / STUDY

    @property
    def archives(self) -> list[Path]:
        """The archives, which have to be fetched with the manifest."""
        names = dict.fromkeys(entry.archive for entry in self.entries.values())
        return [self.folder / name for name in names]

    def without(self, folders: Sequence[str]) -> "Bundle":
        """The same bundle without some artifacts, and without all artifacts of some folders."""
        below = tuple(f"{folder}/" for folder in folders)
        kept = {
            name: entry
            for name, entry in self.entries.items()
            if name not in folders and not name.startswith(below)
        }
        return replace(self, entries=kept)

    def below(self, folders: Sequence[str]) -> "Bundle":
        """The same bundle, only with artifacts below some folders."""
        return replace(
            self,
            entries={n: e for n, e in self.entries.items() if n.partition("/")[0] in folders},
            folders=[name for name in self.folders if name.partition("/")[0] in folders],
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the names and checksums of all artifacts."""
        lines = "".join(f"{name} {self.entries[name].sha256}\n" for name in sorted(self.entries))
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def files(self) -> list[str]:
        """The artifacts that are in none of the `folders`."""
        below = tuple(f"{folder}/" for folder in self.folders)
        return [path for path in self.entries if not path.startswith(below)]


def read_bundle(folder: Path) -> Bundle:
    """Reads a bundle's manifest; raises InputError if it is missing or malformed."""
    manifest = read_manifest(folder)
    return Bundle(folder, manifest.about, manifest.files, manifest.folders)


def fetch_bundle(url: str, md5: str, folder: Path) -> None:
    """Downloads a bundle that is a zip archive, and unpacks it to `folder`.

    Raises:
        InputError: the address does not provide an archive with this checksum.
    """
    archive = fetch_archive([url], md5, folder.parent)
    with atomic_folder(folder) as temporary:
        archives.unpack(archive, temporary, ["."])


def unpack(bundle: Bundle, results: Path) -> None:
    """Writes a bundle's artifacts below `results`; each is checked before it gets its name.

    Raises:
        InputError: an archive is missing, damaged, or differs from the manifest; names it.
    """
    _require_room(bundle, results)
    loose: dict[str, list[str]] = {}
    for name in bundle.files:
        loose.setdefault(bundle.entries[name].archive, []).append(name)
    for archive, names in loose.items():
        with _opened(bundle, archive) as file:
            for name in names:
                with atomic(results / name) as temporary:
                    _write(bundle, file, name, temporary)
    for folder in bundle.folders:
        with atomic_folder(results / folder) as temporary:
            for name in (n for n in bundle.entries if n.startswith(f"{folder}/")):
                with _opened(bundle, bundle.entries[name].archive) as file:
                    target = temporary / name.removeprefix(f"{folder}/")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    _write(bundle, file, name, target)


@contextmanager
def _opened(bundle: Bundle, archive: str) -> Iterator[zipfile.ZipFile]:
    path = bundle.folder / archive
    if path.is_symlink() or not path.resolve().is_relative_to(bundle.folder.resolve()):
        raise InputError(f"{path}: a link; a bundle's archives must be files in its own folder.")
    if not path.exists():
        raise InputError(f"{path}: there is no such file; fetch the bundle again.")
    with reading_zip(path, "fetch the bundle again") as file:
        yield file


def _require_room(bundle: Bundle, results: Path) -> None:
    """Refuses to write anything if the disk has no room for all artifacts."""
    results.mkdir(parents=True, exist_ok=True)
    needed = sum(entry.size for entry in bundle.entries.values())
    if needed > (free := shutil.disk_usage(results).free):
        raise InputError(
            f"{bundle.folder}: its artifacts take {1e-9 * needed:,.1f} GB, but '{results}' has "
            f"{1e-9 * free:,.1f} GB left."
        )


def _write(bundle: Bundle, file: zipfile.ZipFile, name: str, target: Path) -> None:
    """Writes one artifact in pieces, and no more bytes than the manifest states."""
    entry = bundle.entries[name]
    where = f"{bundle.folder / entry.archive}: '{name}'"
    digest, left = hashlib.sha256(), entry.size + 1
    try:
        with file.open(name) as member, target.open("wb") as written:
            while piece := member.read(min(left, _PIECE_BYTES)):
                digest.update(piece)
                written.write(piece)
                left -= len(piece)
    except (KeyError, *ZIP_ERRORS) as error:
        raise InputError(f"{where} cannot be read ({error}); fetch the bundle again.") from error
    if left != 1 or digest.hexdigest() != entry.sha256:
        raise InputError(f"{where} differs from the manifest; fetch the bundle again.")


def pack(
    folder: Path,
    results: Path,
    artifacts: Mapping[str, Sequence[str]],
    *,
    about: Mapping[str, Any],
    study: Mapping[str, Any],
) -> None:
    """Writes a bundle, which replaces an earlier one as a whole.

    Args:
        artifacts: archive → paths of files or of whole folders below `results`.
        about: as in `Bundle`; study: the configuration.
    """
    entries: dict[str, dict[str, Any]] = {}
    folders = []
    with atomic_folder(folder) as temporary:
        for archive, paths in artifacts.items():
            target = temporary / archive
            target.parent.mkdir(parents=True, exist_ok=True)
            members = []
            for path in paths:
                whole = (results / path).is_dir()
                folders += [path] if whole else []
                members += _files_below(results, path) if whole else [path]
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
                for name in sorted(members):
                    content = (results / name).read_bytes()
                    file.writestr(_member(name), content, zipfile.ZIP_DEFLATED, 9)
                    digest = hashlib.sha256(content).hexdigest()
                    entries[name] = {"archive": archive, "size": len(content), "sha256": digest}
        manifest = {"format": FORMAT, "about": dict(about), "folders": folders, "files": entries}
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
        (temporary / STUDY).write_text(yaml.safe_dump(dict(study), sort_keys=False))


def _files_below(results: Path, folder: str) -> list[str]:
    paths = [path for path in (results / folder).rglob("*") if path.is_file()]
    return [str(path.relative_to(results)) for path in paths if path.name != ".snakemake_timestamp"]


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.external_attr = 0o644 << 16
    return info
