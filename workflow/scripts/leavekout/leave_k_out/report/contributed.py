"""Rows that others contributed: a folder `contributed/<study>/<method>/` for each."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leavekout.base.artifacts import load_csv
from leavekout.base.errors import InputError
from leavekout.leave_k_out.bundle.contribution import ABOUT, ROWS, About, read_about
from leavekout.report.site import plain


@dataclass(frozen=True)
class Contributed:
    """One method's rows of a study, and who contributed them.

    Args:
        rows: as the study's estimates.
    """

    study: str
    about: About
    rows: pd.DataFrame

    @property
    def method(self) -> str:
        """Its name."""
        return self.about.method

    def credit(self) -> str:
        """Who contributed it, and links, as Markdown."""
        links = (_link(self.about.paper, "paper"), _link(self.about.code, "code"))
        return ", ".join(
            [
                f"contributed by {plain(self.about.who)}, {self.about.date}",
                *(link for link in links if link),
                f"licence {plain(self.about.licence)}",
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
    for path in sorted(folder.glob(f"*/*/{ABOUT}")):
        study, method = path.parts[-3:-1]
        about = read_about(path.parent)
        if study not in studies:
            raise InputError(f"{path}: there is no published study '{study}'; rename the folder.")
        if method in taken:
            raise InputError(f"{path}: a method of this repository is called '{method}'; rename.")
        rows = load_csv(path.with_name(ROWS))
        if set(rows.get("method", ())) != {method}:
            raise InputError(f"{path.with_name('rows.csv')}: has to have rows of '{method}' alone.")
        found.append(Contributed(study, about, rows))
    return found
