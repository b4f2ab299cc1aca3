"""Writes scikit-learn's handwritten digits in COCO's folder and annotation format.

The 1,797 images are the test set of *Optical Recognition of Handwritten Digits* (E. Alpaydin and
C. Kaynak, UCI Machine Learning Repository, 1998, CC BY 4.0) and ship inside scikit-learn.
"""

from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from leavekout.base.artifacts import atomic
from leavekout.data.coco import write_annotations

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_OPENINGS = ("", "a picture of ", "a scan of ", "a drawing of ")
_SUBJECTS = (
    "a handwritten {}",
    "the digit {}",
    "the number {}",
    "a {} written by hand",
    "the numeral {} in pencil",
)
CAPTIONS = 5  # of each image, as in COCO


def templates() -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Templates of training captions and of held-out captions.

    A template is (text, whether the digit is spelled out). Eight of the 40 combinations of opening,
    subject and spelling are held out. Each opening, subject and spelling also occurs in training
    captions, so held-out captions are new sentences of known words.
    """
    train: list[tuple[str, bool]] = []
    held_out: list[tuple[str, bool]] = []
    combinations = product(enumerate(_OPENINGS), enumerate(_SUBJECTS), (True, False))
    for (i, opening), (j, subject), spelled in combinations:
        kept = (i + 2 * j + 3 * spelled) % 5 != 0
        (train if kept else held_out).append((opening + subject, spelled))
    return train, held_out


def write_digits(images: Path, train: Path, prompts: Path) -> None:
    """Writes the image folder and the two annotation files."""
    digits = load_digits()
    _, prompt_templates = templates()
    entries, captions = [], []
    images.mkdir(parents=True, exist_ok=True)
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        name = f"{number:06d}.png"
        scaled = np.round(pixels * (255 / 16)).astype(np.uint8)  # 17 grey levels, 8 x 8
        with atomic(images / name) as temporary:
            Image.fromarray(scaled).save(temporary, format="png")
        entries.append({"id": number, "file_name": name, "height": 8, "width": 8})
        captions += [(number, fill(template, label)) for template in chosen_templates(number)]
    held_out = [(0, fill(t, label)) for label in range(10) for t in prompt_templates]
    write_annotations(train, entries, captions)
    write_annotations(prompts, [], held_out)  # without images, because none is held out


def chosen_templates(number: int) -> list[tuple[str, bool]]:
    """The templates of the captions of image `number`."""
    train, _ = templates()
    return [train[i] for i in np.random.default_rng(number).permutation(len(train))[:CAPTIONS]]


def fill(template: tuple[str, bool], label: int) -> str:
    """The caption of a digit."""
    text, spelled = template
    return text.format(WORDS[label] if spelled else label)
