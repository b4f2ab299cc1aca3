"""Rows that others contributed: a folder `contributed/<study>/<method>/` for each."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leavekout.base.artifacts import load_csv
from leavekout.base.errors import InputError
from leavekout.config.reading import read_yaml
from leavekout.report.site import plain

KEYS = ("method", "who", "paper", "code", "licence", "date")


@dataclass(frozen=True)
class Contributed:
    """One method's rows of a study, and who contributed them.

    Args:
        about: the texts of `about.yaml`, by key.
        rows: as the study's estimates.
    """

    study: str
    about: dict[str, str]
    rows: pd.DataFrame

    @property
    def method(self) -> str:
        """Its name."""
        return self.about["method"]

    def credit(self) -> str:
        """Who contributed it, and links, as Markdown."""
        links = (_link(self.about[key], key) for key in ("paper", "code"))
        return ", ".join(
            [
                f"contributed by {plain(self.about['who'])}, {plain(self.about['date'])}",
                *(link for link in links if link),
                f"licence {plain(self.about['licence'])}",
            ]
        )


def _link(address: str, what: str) -> str:
    """A link to a web address; what else it says, as text; nothing for `none`."""
    if address == "none":
        return ""
    if address.startswith(("https://", "http://")) and not set(address) & set(" <>()[]|\"'`\\"):
        return f"[{what}]({address})"
    return f"{what}: {plain(address)}"


def read_contributed(
    folder: Path, studies: Collection[str], taken: Collection[str]
) -> list[Contributed]:
    """All contributed rows, in order of their names; none if there is no such folder.

    Args:
        studies: the published studies; taken: names of methods that are ours.

    Raises:
        InputError: a folder is not as it has to be; says what is wrong.
    """
    found = []
    for path in sorted(folder.glob("*/*/about.yaml")):
        study, method = path.parts[-3:-1]
        about = {key: str(value) for key, value in read_yaml(path).items()}
        for key in KEYS:
            if about.get(key, "") in ("", "None"):
                raise InputError(f"{path}: '{key}' is missing or empty; fill it in.")
        if study not in studies:
            raise InputError(f"{path}: there is no published study '{study}'; rename the folder.")
        if about["method"] != method:
            raise InputError(f"{path}: 'method' has to be the folder's name, '{method}'.")
        if method in taken:
            raise InputError(f"{path}: a method of this repository is called '{method}'; rename.")
        rows = load_csv(path.with_name("rows.csv"))
        if set(rows.get("method", ())) != {method}:
            raise InputError(f"{path.with_name('rows.csv')}: has to have rows of '{method}' alone.")
        found.append(Contributed(study, about, rows))
    return found
