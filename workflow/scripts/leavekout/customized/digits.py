"""Scikit-learn's digits as a Customized Model benchmark: a pool, and exemplars that it lacks.

An *object* is a kind of digit that is not in the pool; a few of its images are the exemplars of a
model. A *style* is a change of the handwriting; its exemplars are a few changed images of other
digits, which are not in the pool either.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_digits

from leavekout.base.artifacts import atomic
from leavekout.base.errors import InputError
from leavekout.customized.tokens import PLACEHOLDER
from leavekout.data.coco import write_annotations
from leavekout.data.digits import WORDS, chosen_templates, fill, templates

EXEMPLARS = 5  # of each model, as in Custom Diffusion's own examples
_SCALE = 4  # styles are drawn at four times the size, so that a slant is a slant


def _slant(ink: np.ndarray) -> np.ndarray:
    shear = np.array([[1.0, 0.0], [0.55, 1.0]])  # higher rows move to the right
    centre = (np.array(ink.shape) - 1) / 2
    return ndimage.affine_transform(ink, shear, centre - shear @ centre, order=1)


def _hollow(ink: np.ndarray) -> np.ndarray:
    return ndimage.grey_dilation(ink, (3, 3)) - ndimage.grey_erosion(ink, (3, 3))


# Of ink in [0, 1], 32 x 32.
STYLES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "slanted": _slant,
    "bold": lambda ink: ndimage.grey_dilation(ink, (4, 4)),
    "hollow": _hollow,
    "inverted": lambda ink: 1 - ink,
}


def _split(
    objects: Sequence[str], styles: Sequence[str]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The images of the pool, and the exemplars of each model, by their numbers."""
    unknown = [name for name in objects if name not in WORDS]
    unknown += [name for name in styles if name not in STYLES]
    if unknown:
        raise InputError(
            f"customized: '{unknown[0]}' is no digit and no style; objects are {', '.join(WORDS)}, "
            f"styles {', '.join(STYLES)}."
        )
    labels = load_digits().target
    order = np.random.default_rng(0).permutation(len(labels))
    held_out = np.isin(labels, [WORDS.index(name) for name in objects])
    exemplars = {name: order[labels[order] == WORDS.index(name)][:EXEMPLARS] for name in objects}
    kinds = np.unique(labels[~held_out])
    for number, name in enumerate(styles):  # of as many kinds of digits as there are
        chosen = [kinds[i % len(kinds)] for i in range(EXEMPLARS)]
        places = [number * EXEMPLARS + i // len(kinds) for i in range(EXEMPLARS)]
        exemplars[name] = np.array(
            [
                order[labels[order] == kind][place]
                for kind, place in zip(chosen, places, strict=True)
            ]
        )
    of_styles = np.concatenate([np.empty(0, int), *(exemplars[name] for name in styles)])
    in_pool = ~held_out
    in_pool[of_styles] = False
    return np.flatnonzero(in_pool), exemplars


def write_pool(
    images: Path, annotations: Path, objects: Sequence[str], styles: Sequence[str]
) -> None:
    """Writes the pool: all digits except for objects and the styles' exemplars."""
    pool, _ = _split(objects, styles)
    _write_images(images, annotations, pool, lambda ink: ink, "{}")


def write_models(folder: Path, objects: Sequence[str], styles: Sequence[str]) -> None:
    """Writes each model's folder: `exemplars/`, `exemplars.json`, and prompts in `queries.json`.

    Prompts are made of the templates that no training caption is made of.
    """
    _, exemplars = _split(objects, styles)
    _, held_out = templates()
    others = [label for label, word in enumerate(WORDS) if word not in objects]
    for name, numbers in exemplars.items():
        of_object = name in objects
        word = PLACEHOLDER if of_object else f"{PLACEHOLDER} {{}}"
        change = (lambda ink: ink) if of_object else STYLES[name]
        target = folder / name
        _write_images(target / "exemplars", target / "exemplars.json", numbers, change, word)
        prompts = {
            text.format(word).format(WORDS[label] if spelled else label): None
            for label in others[: 1 if of_object else None]
            for text, spelled in held_out
        }
        write_annotations(target / "queries.json", [], [(0, prompt) for prompt in prompts])


def _write_images(
    folder: Path,
    annotations: Path,
    numbers: np.ndarray,
    change: Callable[[np.ndarray], np.ndarray],
    word: str,
) -> None:
    """Writes images and their captions, in which `word` replaces the digit's own word."""
    digits = load_digits()
    entries, captions = [], []
    folder.mkdir(parents=True, exist_ok=True)
    for number in np.sort(numbers).tolist():
        ink = np.kron(digits.images[number] / 16, np.ones((_SCALE, _SCALE)))
        pixels = (255 * np.clip(change(ink), 0, 1)).round().astype(np.uint8)
        name = f"{number:06d}.png"
        with atomic(folder / name) as temporary:
            Image.fromarray(pixels).save(temporary, format="png")
        entries.append({"id": number, "file_name": name, "height": len(ink), "width": len(ink)})
        label = int(digits.target[number])
        for text, spelled in chosen_templates(number):
            captions.append((number, fill((text.format(word), spelled), label)))
    write_annotations(annotations, entries, captions)
