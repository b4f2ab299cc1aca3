"""Captioned drawings of shapes, in each format that `make own` reads."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

_COLOURS, _SHAPES = ("red", "green", "blue"), ("circle", "square")


def drawing(number: int) -> tuple[Image.Image, str]:
    """A drawing of 48 x 40 pixels, and a caption that no other has."""
    x, y = (int(v) for v in np.random.default_rng(number).integers(2, 14, 2))
    colour, shape = _COLOURS[number % 3], _SHAPES[number // 3 % 2]
    picture = Image.new("RGB", (48, 40), "white")
    pen = ImageDraw.Draw(picture)
    draw = pen.ellipse if shape == "circle" else pen.rectangle
    draw((x, y, x + 24, y + 22), fill=colour)
    picture.putpixel((0, 0), (number, number, number))
    return picture, f"a {colour} {shape}, number {number}"


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    drawing(number)[0].save(buffer, "png")
    return buffer.getvalue()


def write_shapes(folder: Path, form: str, count: int) -> Path:
    """Drawings in a format: text, csv, jsonl, parquet, classes, webdataset or embedded."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(count)
    captions = [drawing(number)[1] for number in numbers]
    if form == "webdataset":
        for shard in range(2):
            with tarfile.open(folder / f"shard-{shard}.tar", "w") as tar:
                for number in numbers[shard::2]:
                    _add(tar, f"{number // 2:04d}.png", png(number))
                    _add(tar, f"{number // 2:04d}.json", _json({"caption": captions[number]}))
        return folder
    if form == "embedded":
        data = folder / "data"
        data.mkdir()
        held = [{"bytes": png(number), "path": None} for number in numbers]
        table = pd.DataFrame({"image": held, "text": captions})
        table.to_parquet(data / "train-00000-of-00001.parquet")
        return folder
    for number in numbers:
        shape = captions[number].split(",")[0].split()[-1]
        place = folder / shape if form == "classes" else folder
        place.mkdir(exist_ok=True)
        (place / f"{number:04d}.png").write_bytes(png(number))
        if form == "text":
            (place / f"{number:04d}.txt").write_text(captions[number])
    table = pd.DataFrame({"file_name": [f"{n:04d}.png" for n in numbers], "text": captions})
    match form:
        case "csv":
            table.rename(columns={"text": "Caption"}).to_csv(folder / "captions.csv", index=False)
        case "jsonl":
            table.to_json(folder / "metadata.jsonl", orient="records", lines=True)
        case "parquet":
            table.to_parquet(folder / "metadata.parquet")
    return folder


FORMATS = ("text", "csv", "jsonl", "parquet", "classes", "webdataset", "embedded")


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
