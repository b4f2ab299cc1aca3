"""Draws printed letters in COCO's folder and annotation format: 64 characters in 16 typefaces.

The typefaces ship inside matplotlib: DejaVu (Bitstream Vera and Arev licences) and STIX (SIL Open
Font License). Queries of different characters share few nearest images: 40 queries form 23
clusters (`leave_k_out/statistics/clusters.py`), where 40 queries of ten digits form ten.
"""

import unicodedata
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from leavekout.base.artifacts import atomic
from leavekout.data.coco import write_annotations

# Characters that look like others are left out: O and 0, Greek and Cyrillic capitals as in Latin.
CHARACTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabdefghjmnqrty23456789αβγδθλμξπσφψωДЖЭЮЯ"
_FILES = {  # regular, bold, italic, bold italic
    "sans serif": [f"DejaVuSans{s}" for s in ("", "-Bold", "-Oblique", "-BoldOblique")],
    "slab serif": [f"DejaVuSerif{s}" for s in ("", "-Bold", "-Italic", "-BoldItalic")],
    "typewriter": [f"DejaVuSansMono{s}" for s in ("", "-Bold", "-Oblique", "-BoldOblique")],
    "roman": [f"STIXGeneral{s}" for s in ("", "Bol", "Italic", "BolIta")],
}
_STYLES = ("", "bold ", "italic ", "bold italic ")
_OPENINGS = ("", "a picture of ", "a print of ", "a scan of ")
_SUBJECTS = (
    "the {kind}",
    "the {family} {kind}",
    "the {kind} in {style}{family}",
    "a {style}{family} {kind}",
    "{kind}, {style}{family}",
)
CAPTIONS = 5  # of each image, as in COCO

_SIDE = 64  # pixels
_EM = 45  # pixels
_BASELINE = 48  # pixels from the top


@dataclass(frozen=True)
class Typeface:
    """A typeface of one style: its name in words, and its file in matplotlib."""

    family: str
    style: str
    file: str


TYPEFACES = tuple(
    Typeface(family, style, file)
    for family, files in _FILES.items()
    for style, file in zip(_STYLES, files, strict=True)
)


def kind_of(character: str) -> str:
    """A character's name: `latin capital b`, `greek small alpha`, `digit seven`."""
    return unicodedata.name(character).lower().replace(" letter", "")


def templates() -> tuple[list[str], list[str]]:
    """Templates of training captions, and held-out templates for prompts.

    Four of the 20 combinations of opening and subject are held out. Each opening and each subject
    also occurs in training captions.
    """
    train: list[str] = []
    held_out: list[str] = []
    for i, opening in enumerate(_OPENINGS):
        for j, subject in enumerate(_SUBJECTS):
            (held_out if j == 1 + i else train).append(opening + subject)
    return train, held_out


def draw(character: str, typeface: Typeface) -> Image.Image:
    """Draws a character, white on black, centred, on a common baseline."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    font = ImageFont.truetype(
        folder / f"{typeface.file}.ttf", _EM, layout_engine=ImageFont.Layout.BASIC
    )
    picture = Image.new("L", (_SIDE, _SIDE))
    left, _, right, _ = font.getbbox(character, anchor="ls")
    start = (_SIDE - left - right) / 2
    ImageDraw.Draw(picture).text((start, _BASELINE), character, fill=255, font=font, anchor="ls")
    return picture


def write_letters(images: Path, train: Path, prompts: Path) -> None:
    """Writes the image folder and the two annotation files; one prompt for each character."""
    training_templates, prompt_templates = templates()
    entries, captions, held_out = [], [], []
    images.mkdir(parents=True, exist_ok=True)
    for number, (character, typeface) in enumerate(product(CHARACTERS, TYPEFACES)):
        name = f"{number:06d}.png"
        with atomic(images / name) as temporary:
            draw(character, typeface).save(temporary, format="png")
        entries.append({"id": number, "file_name": name, "height": _SIDE, "width": _SIDE})
        chosen = np.random.default_rng(number).permutation(len(training_templates))[:CAPTIONS]
        captions += [(number, fill(training_templates[i], character, typeface)) for i in chosen]
    for number, character in enumerate(CHARACTERS):
        rng = np.random.default_rng(number)
        template = prompt_templates[rng.integers(len(prompt_templates))]
        typeface = TYPEFACES[rng.integers(len(TYPEFACES))]
        held_out.append((0, fill(template, character, typeface)))
    write_annotations(train, entries, captions)
    write_annotations(prompts, [], held_out)  # without images, because none is held out


def fill(template: str, character: str, typeface: Typeface) -> str:
    """The caption of a character in a typeface."""
    words = {"kind": kind_of(character), "family": typeface.family, "style": typeface.style}
    return template.format(**words).replace("a italic", "an italic")
