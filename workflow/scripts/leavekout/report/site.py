"""What pages of the site share: their places, their links, and tables as Markdown.

A page keeps its place in the repository, except that a `README.md` becomes the `index.md` of its
folder. Links that hold on GitHub are rewritten so that they hold on the site.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from os.path import normpath, relpath
from pathlib import Path, PurePosixPath

import pandas as pd

from leavekout.base.errors import InputError

# What docs/conf.py writes as it is: a link to a file of the site that is no page.
FILE_SCHEME = "here:"
# A fenced block, which is left alone; or a link or image: "!", text, address.
_LINK = re.compile(
    r"^ *```.*?^ *```|(!?)\[((?:[^\[\]]|\[[^\]]*\]\([^)]*\)|\[[^\]]*\])*)\]\(([^()\s]+)\)",
    re.M | re.S,
)
# Spaces of intervals, bounds, p-values and shares, at which no line ends.
_WITHIN_NUMBERS = re.compile(r"(?<=\d) to (?=[\d−>])|(?<=[<>=]) (?=\d)|(?<=p) (?=[=<])| (?=%|\\\*)")
_ELSEWHERE = re.compile(r"[a-z]+:|#")


@dataclass(frozen=True)
class Site:
    """Where the site's pages and files are.

    Args:
        root: the repository's folder.
        pages: files of the repository that are pages, relative to `root`.
        files: files of the repository that are copied, and no pages.
        repository: its public address; None if it has none, and links to it are plain text.
        images: filled with the images that pages show.
    """

    root: Path
    pages: Collection[str]
    files: Collection[str] = ()
    repository: str | None = None
    images: set[str] = field(default_factory=set)

    def rewritten(self, text: str, source: str, page: str) -> str:
        """Markdown of the file `source` of the repository, with links that hold on `page`.

        Raises:
            InputError: a link leads to no file.
        """
        folder = PurePosixPath(source).parent

        def link(match: re.Match[str]) -> str:
            image, label, address = match.groups()
            if address is None or _ELSEWHERE.match(address):
                return match[0]
            path, _, anchor = address.partition("#")
            target = normpath(folder / path)
            if not (self.root / target).exists():
                raise InputError(f"{source}: the link to '{address}' leads to no file.")
            if image:
                self.images.add(target)
                return f"![{label}]({relative(target, page)})"
            label = _LINK.sub(link, label)  # an image that is a link
            if target in self.pages:
                end = f"#{anchor}" if anchor else ""
                return f"[{label}]({relative(page_of(target), page)}{end})"
            if target in self.files:
                return f"[{label}]({FILE_SCHEME}{relative(target, page)})"
            if self.repository is None:
                return label
            kind = "tree" if (self.root / target).is_dir() else "blob"
            return f"[{label}]({self.repository}/{kind}/HEAD/{target})"

        return _LINK.sub(link, text)


@dataclass(frozen=True)
class Block:
    """A titled table of a page: cells are Markdown.

    Args:
        file: the table that it was made from, in the study's folder.
    """

    title: str
    table: pd.DataFrame
    note: str
    file: str


@dataclass(frozen=True)
class StudyResults:
    """What the site shows of a study.

    Args:
        main: each method's result, the best first; a column `method` has plain names.
        others: further tables.
        of_method: for each method its rows of this study, with the same columns.
        note: what these columns are.
        repeats: for each method what its scores cost, and how well they repeat.
    """

    main: Block
    others: list[Block]
    of_method: Mapping[str, pd.DataFrame]
    note: str
    repeats: Mapping[str, Mapping[str, str]]


def page_of(path: str) -> str:
    """The page of a file of the repository: `docs/README.md` → `docs/index.md`."""
    place = PurePosixPath(path)
    return str(place.with_name("index.md") if place.name == "README.md" else place)


def relative(target: str, page: str) -> str:
    """The address of a file of the site on a page."""
    return relpath(target, PurePosixPath(page).parent)


def markdown_table(table: pd.DataFrame) -> str:
    """A table whose cells and headings are Markdown. Intervals are not broken between lines."""
    rows = [[*map(str, table.columns)], ["---"] * table.shape[1]]
    rows += [[*map(str, row)] for row in table.itertuples(index=False)]
    escaped = [[_cell(text) for text in row] for row in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in escaped)


def _cell(text: str) -> str:
    one_line = " ".join(text.split()).replace("|", r"\|")
    return _WITHIN_NUMBERS.sub(lambda match: match[0].replace(" ", "\u00a0"), one_line)


def side_bar(pages: Iterable[str], caption: str = "") -> str:
    """Puts pages into the side bar, below the page that has this; without their endings."""
    options = ":hidden:\n" + (f":caption: {caption}\n" if caption else "")
    return f"```{{toctree}}\n{options}\n" + "".join(f"{page}\n" for page in pages) + "```\n"


def plain(text: str) -> str:
    """Text of a stranger as Markdown that shows it and does nothing else."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&$:])", r"\\\1", " ".join(text.split()))
