"""Adds a method to a published study, at the cost of that method alone.

    python workflow/scripts/join_study.py --study digits-study --method mine [--scores FOLDER]

Writes config/<study>-with-<method>.yaml, unless it exists, and runs it. The method's scores come
from a folder of files (`external` in config/README.md), from a rule file, or from an entry that you
add to that configuration; see docs/joining.md.
"""

import argparse
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from leavekout.base.errors import InputError
from leavekout.config.fields import NAME
from leavekout.config.reading import read_yaml
from leavekout.kinds import read_experiment
from leavekout.leave_k_out.bundle.files import STUDY, Bundle, fetch_bundle, read_bundle
from plan_study import ROOT, in_project
from run_study import run_study


def bundle_of(study: str) -> Path:
    """The folder of a bundle, given the folder or the name of a study in results/."""
    return Path(study) if Path(study).is_dir() else Path("results") / study / "bundle"


def configuration(bundle: Bundle, method: str, scores: str | None) -> dict[str, Any]:
    """The content of a file in config/: the bundle's study with one more method.

    Raises:
        InputError: the study has a method of this name, or it is no name.
    """
    if not re.match(NAME, method):
        raise InputError(
            f"'{method}' cannot name a method: a name has small letters, digits, - and _, and "
            "begins with a letter."
        )
    methods = list(bundle.about.methods)
    if method in methods:
        raise InputError(
            f"'{method}' is already a method of the study; choose another name. The study has: "
            f"{', '.join(methods)}."
        )
    content = {
        "extends": os.path.relpath(bundle.folder / STUDY, "config"),
        "experiment": f"{bundle.about.study}-with-{method}",
        "joins": {"bundle": str(bundle.folder)},
        "methods": [*methods, method],
    }
    return content if scores is None else {**content, "external": {method: scores}}


def write_valid(file: Path, content: Mapping[str, Any], *, comment: str) -> Any:
    """Writes a configuration and returns its experiment; leaves no file that is not valid.

    Raises:
        InputError: what is wrong with it, such as a method's name that is taken.
    """
    file.write_text(f"# {comment}\n{yaml.safe_dump(content, sort_keys=False)}")
    try:
        return read_experiment({}, [file])
    except InputError:
        file.unlink()
        raise


def require_same_join(file: Path, content: Mapping[str, Any]) -> None:
    """Rejects an existing configuration that has another bundle or other scores.

    Raises:
        InputError: naming the key.
    """
    existing = read_yaml(file)
    for key in ("extends", "joins", "external"):
        if existing.get(key) != content.get(key):
            raise InputError(
                f"{file}: already exists, and its '{key}' is {existing.get(key)!r} in place of "
                f"{content.get(key)!r}; edit it, delete it, or rename the method."
            )


def write_configuration(folder: Path, method: str, scores: str | None) -> tuple[Path, Bundle]:
    """Writes the configuration of a study that joins the bundle in `folder`, unless it exists.

    Returns:
        Its file, and the bundle.

    Raises:
        InputError: the bundle cannot be joined under this name, or the file joins another or other
            scores.
    """
    bundle = read_bundle(folder)
    file = Path("config") / f"{bundle.about.study}-with-{method}.yaml"
    content = configuration(bundle, method, scores)
    if file.exists():
        require_same_join(file, content)
        return file, bundle
    comment = "Written by `make join`; yours to edit (docs/joining.md)."
    write_valid(file, content, comment=comment)
    return file, bundle


def main() -> None:
    """Writes the configuration, and runs it unless `--dry-run` is given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--study", help="a study in results/, or the folder of a bundle")
    where.add_argument("--url", help="address of a bundle, a zip archive; needs --md5")
    parser.add_argument("--md5", help="checksum of the archive")
    parser.add_argument("--method", required=True, help="name of the method that joins")
    parser.add_argument("--scores", help="folder with its scores, computed elsewhere")
    parser.add_argument("--dry-run", action="store_true", help="only write the configuration")
    arguments = parser.parse_args()
    if arguments.url and not arguments.md5:
        parser.error("--url needs --md5")
    if Path.cwd() != ROOT:
        for name in ("study", "scores"):
            if (given := getattr(arguments, name)) and Path(given).is_dir():
                setattr(arguments, name, str(in_project(Path(given))))
        os.chdir(ROOT)
    try:
        folder = Path("resources/bundles") / arguments.md5 if arguments.url else None
        if folder and not folder.exists():
            fetch_bundle(arguments.url, arguments.md5, folder)
        study = folder or bundle_of(arguments.study)
        file, _ = write_configuration(study, arguments.method, arguments.scores)
    except InputError as error:
        sys.exit(str(error))
    print(f"Configuration: {file}")
    if not arguments.dry_run:
        run_study([file])


if __name__ == "__main__":
    main()
