"""Data sets in COCO's format: what is read, and which input is refused."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from leavekout.base import artifacts
from leavekout.base.errors import InputError
from leavekout.base.tensors import load_tensors, save_tensors
from leavekout.data import coco, digits, letters
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import build_denoiser, load_denoiser, select_weights
from leavekout.queries.prompts import choose_queries, require_apart
from world import CPU, MODEL, make_data, unet_with

IMAGES = [(30, "b.jpg"), (7, "a.jpg")]  # id and file name
CAPTIONS = [(30, "x"), (7, " y "), (7, "z"), (30, "w"), (7, "more")]


def table_of(folder: Path, images: list[Any], captions: list[Any]) -> pd.DataFrame:
    """The table of an annotation file with two images and two captions each."""
    entries = [{"id": i, "image_id": image, "caption": c} for i, (image, c) in enumerate(captions)]
    keys = "id", "file_name"
    listed = [dict(zip(keys, i, strict=False)) if isinstance(i, tuple) else i for i in images]
    path = folder / "captions.json"
    path.write_text(json.dumps({"images": listed, "annotations": entries}))
    return coco.training_table(path, images=2, captions=2)


def test_rows_are_in_the_order_of_image_ids(tmp_path: Path) -> None:
    table = table_of(tmp_path, IMAGES, CAPTIONS)
    assert table["image_id"].tolist() == [7, 30]
    assert table["file_name"].tolist() == ["a.jpg", "b.jpg"]
    assert table["captions"].tolist() == [["y", "z"], ["x", "w"]]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([(7, "a")], "holds 1 images, but 'dataset.images' is 2"),
        ([(7, "a"), (7, "a")], "image id 7 is repeated"),
        ([(7, "a"), (30, "a")], "two images have the file name 'a'; every file may be listed once"),
        ([(7,), (30, "b")], "image 7 has no 'file_name'"),
        ([(-1, "a"), (2, "b")], "whole numbers"),
        ([("7", "a"), ("b", "b")], "whole num"),
        ([(7.5, "a"), (30, "b")], "whole num"),
        ([(True, "a"), (30, "b")], "image ids must be whole numbers, but one is True"),
        ([(2**40, "a"), (30, "b")], "whole num"),
        ([(7, 1), (30, "b")], "'file_name' of image 7 is not plain text: 1"),
        ([(7, "a\ud83d"), (30, "b")], "'file_name' of image 7 is not plain text"),
        ([(7, ""), (30, "b")], "image 7 has no 'file_name'"),
        ([(7, "a"), (30, "./a")], r"file name './a'; every file may be listed once"),
        ([7, 8], "not COCO captions"),
    ],
)
def test_bad_images_are_refused(tmp_path: Path, images: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        table_of(tmp_path, images, CAPTIONS)


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        ([(7, "y"), (7, "z"), (30, "x")], "image 30 has 1"),
        ([(7, "y"), (7, "z")], "image 30 has 0"),
        ([], "2 images have fewer .* image 7 has 0"),
        ([("7", "y")], "annotations' image ids must be whole numbers, but one is '7'"),
        ([([7], "y")], r"image ids must be whole numbers, but one is \[7\]"),
        ([(7, ["y", "z"])], "the caption of annotation 0 is not plain text: .*one annotation"),
        ([(7, {"en": "y"})], "is not plain text"),
        ([(7, 7)], "is not plain text: 7"),
        ([(7, "half \ud83d")], "is not plain text"),
        ([(7, "a\0dog")], "is not plain text"),
        ([(7, "y"), (7, "z"), (30, "x"), (30, None)], "image 30 has 1"),
        ([(7, "y"), (7, "z"), (30, "x"), (30, "  ")], "image 30 has 1"),
    ],
)
def test_too_few_captions_are_refused(tmp_path: Path, captions: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        table_of(tmp_path, IMAGES, captions)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [', "not a complete JSON file"),
        ("{}", "not COCO captions"),
        ("[1]", "it does not hold an object"),
        ('{"images": [], "annotations": []}', "holds 0 images"),
        ('{"images": {}, "annotations": []}', "not COCO captions"),
        ('{"id": 1}\n{"id": 2}', "Extra data"),
        ("[" * 100_000, "not a complete JSON file"),
        (f'{{"images": {"9" * 5000}', "not a complete JSON file"),
        ("\xff\xfe", "not a complete JSON file"),
    ],
)
def test_files_that_are_no_annotations_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "captions.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=message):
        coco.training_table(path, images=1, captions=1)
    with pytest.raises(InputError, match="there is no such file"):
        coco.prompts(tmp_path / "nothing.json")


def written_captions(folder: Path, entries: list[dict[str, Any]], encoding: str = "utf-8") -> Path:
    path = folder / "captions.json"
    image = {"id": 1, "file_name": "a"}
    path.write_text(json.dumps({"images": [image], "annotations": entries}), encoding)
    return path


def test_captions_are_in_the_order_of_their_ids_or_of_the_file(tmp_path: Path) -> None:
    texts = [f"c{i}" for i in range(40)]
    named: Any = [{"image_id": 1, "caption": text} for text in texts]
    same = [{**entry, "id": 0} for entry in named]
    floats = [{**entry, "id": float(i)} for i, entry in enumerate(named)]
    for entries in (named, same, floats):
        assert coco.prompts(written_captions(tmp_path, entries)) == texts
    mixed: Any = [{"id": i, "image_id": 1, "caption": "c"} for i in ("7", 8)]
    for entries in (mixed, mixed[:1], [mixed[1], {"image_id": 1}]):
        with pytest.raises(InputError, match="annotation ids must be whole numbers, but one is"):
            coco.prompts(written_captions(tmp_path, entries))
    with pytest.raises(InputError, match="no annotation has a 'caption'"):
        coco.prompts(written_captions(tmp_path, [{"id": 1, "image_id": 1, "bbox": []}]))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks_are_no_part_of_a_caption(tmp_path: Path, encoding: str) -> None:
    entries = [{"id": 1, "image_id": 1, "caption": "\ufeffa café "}]
    assert coco.prompts(written_captions(tmp_path, entries, encoding)) == ["a café"]


def test_images_are_cropped_at_the_centre_and_resized(tmp_path: Path) -> None:
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 200
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    assert (coco.read_image(tmp_path / "wide.png", 5, "white") == 200).all()


def written(path: Path, image: Image.Image, **options: Any) -> np.ndarray:
    image.save(path, **options)
    return coco.read_image(path, 2, "#ff0000")


def test_transparent_parts_show_the_background(tmp_path: Path) -> None:
    pixels = np.full((2, 2, 4), 80, np.uint8)
    pixels[..., 3] = [[0, 255], [255, 128]]  # the first pixel's colour is hidden
    found = written(tmp_path / "rgba.png", Image.fromarray(pixels))
    mixed = np.round(80 * 128 / 255 + np.array([255, 0, 0]) * 127 / 255)
    np.testing.assert_array_equal(found[0], [[255, 0, 0], [80, 80, 80]])
    np.testing.assert_allclose(found[1, 1], mixed, atol=1)
    grey = np.array([[[0, 0], [0, 255]], [[9, 255], [9, 255]]], np.uint8)
    found = written(tmp_path / "la.png", Image.fromarray(grey, "LA"))
    np.testing.assert_array_equal(found[0], [[255, 0, 0], [0, 0, 0]])
    palette = Image.new("P", (2, 2), 1)
    palette.putpalette([7, 7, 7, 20, 30, 40])
    palette.putpixel((0, 0), 0)
    found = written(tmp_path / "p.png", palette, transparency=0)
    np.testing.assert_array_equal(found[0], [[255, 0, 0], [20, 30, 40]])


def test_sixteen_bits_are_scaled_to_eight(tmp_path: Path) -> None:
    grey = np.array([[0, 257], [128 * 257, 65535]], np.uint16)
    for ending in ("png", "tif"):
        found = written(tmp_path / f"grey.{ending}", Image.fromarray(grey))
        np.testing.assert_array_equal(found[..., 0], [[0, 1], [128, 255]])


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8] = 255  # bright above, in a file to be turned by 180 degrees
    exif = Image.Exif()
    exif[0x0112] = 3
    found = written(tmp_path / "turned.png", Image.fromarray(pixels), exif=exif)
    assert found[0].max() < 60
    assert found[1].min() > 200


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_pixels_without_a_known_range_are_refused(tmp_path: Path, kind: type) -> None:
    with pytest.raises(InputError, match="whose black and white are not known"):
        written(tmp_path / "a.tif", Image.fromarray(np.ones((2, 2), kind)))


@pytest.mark.parametrize(
    "error",
    [Image.DecompressionBombError("too large"), ValueError("text chunk"), IndexError(), OSError(1)],
)
def test_whatever_pillow_raises_names_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(image: Image.Image) -> Image.Image:
        raise error

    monkeypatch.setattr(coco.ImageOps, "exif_transpose", fail)
    with pytest.raises(InputError, match=r"a.png: not a complete picture \(.+\); mend it"):
        written(tmp_path / "a.png", Image.new("L", (2, 2)))


def test_warnings_name_the_picture(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (4, 4)).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        coco.read_image(path, 2, "white")
        large = Image.new("L", (10_000, 9_000))  # more than Pillow's warning, less than its limit
        large.save(tmp_path / "b.png")
        coco.read_image(tmp_path / "b.png", 2, "white")
    (message,) = caplog.messages
    assert message.startswith(f"{path}: Corrupt EXIF data.")


def test_missing_pictures_are_counted_before_any_is_read(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_text("no picture")
    with pytest.raises(InputError, match=r"5 of 6 images are missing: '0.png', .* and 2 more"):
        list(coco.read_images(tmp_path, [f"{i}.png" for i in range(6)], 8, "white"))


@pytest.mark.parametrize("damage", ["truncated", "text", "missing", "outside"])
def test_images_that_cannot_be_read_are_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "image.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    name = "image.png"
    match damage:
        case "truncated":
            path.write_bytes(path.read_bytes()[:2000])
        case "text":
            path.write_text("not an image")
        case "missing":
            path.unlink()
        case "outside":
            name = "../image.png"
    with pytest.raises(
        InputError, match=r"image.png: not a complete|(missing|outside.*): '.*image"
    ):
        list(coco.read_images(tmp_path, [name], 8, "white"))


def test_digits_are_all_there_with_held_out_prompts(tmp_path: Path) -> None:
    digits.write_digits(tmp_path / "train", tmp_path / "train.json", tmp_path / "val.json")
    table = coco.training_table(tmp_path / "train.json", images=1797, captions=5)
    prompts = coco.prompts(tmp_path / "val.json")
    used = {text for captions in table["captions"] for text in captions}
    assert len(prompts) == 80
    assert not used & set(prompts)
    words = {word for text in used for word in text.split()}
    assert {word for text in prompts for word in text.split()} <= words
    first = coco.read_image(tmp_path / "train" / table["file_name"][0], 8, "white")
    assert np.array_equal(first[..., 0], np.round(load_digits().images[0] * 255 / 16))


def test_letters_are_all_there_with_a_held_out_prompt_of_each(tmp_path: Path) -> None:
    letters.write_letters(tmp_path / "train", tmp_path / "train.json", tmp_path / "val.json")
    table = coco.training_table(tmp_path / "train.json", images=1024, captions=5)
    prompts = coco.prompts(tmp_path / "val.json")
    used = {text for captions in table["captions"] for text in captions}
    kinds = [letters.kind_of(character) for character in letters.CHARACTERS]
    assert len(set(kinds)) == len(kinds) == 64
    assert all(kind in prompt for kind, prompt in zip(kinds, prompts, strict=True))
    assert not used & set(prompts)
    words = {word for text in used for word in text.split()}
    assert {word for text in prompts for word in text.split()} <= words
    names = table["file_name"].tolist()
    pictures = np.stack(list(coco.read_images(tmp_path / "train", names, 64, "white")))
    assert len(np.unique(pictures.reshape(1024, -1), axis=0)) == 1024  # no two are the same
    assert all(pictures[:, rim].max() < 128 for rim in (0, -1))  # nothing is cut off
    assert all(pictures[:, :, rim].max() < 128 for rim in (0, -1))


def test_more_queries_than_prompts_are_refused() -> None:
    with pytest.raises(InputError, match=r"3 queries .* has 2 distinct captions"):
        choose_queries(["q000", "q001"], ["t000"], ["a", "b"], seed=0)


def test_queries_do_not_change_when_more_are_asked_for() -> None:
    prompts = [f"prompt {i}" for i in range(20)]
    few = choose_queries(["q000", "q001"], ["t000"], prompts, seed=0)
    many = choose_queries([f"q{i:03d}" for i in range(9)], ["t000", "t001"], prompts, seed=0)
    pd.testing.assert_frame_equal(few.head(2), many.head(2))
    assert few["prompt"][2] == many["prompt"][9]  # no tuning prompt becomes a test prompt
    assert many["prompt"].is_unique
    assert many["noise_seed"].is_unique


# Artifacts of our own, damaged.


def test_truncated_artifacts_are_refused(tmp_path: Path) -> None:
    artifacts.save_npy(tmp_path / "a.npy", np.zeros(1000))
    artifacts.save_json(tmp_path / "a.json", {"x": list(range(100))})
    artifacts.save_table(tmp_path / "a.parquet", pd.DataFrame({"x": range(100)}))
    artifacts.save_image(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint8))
    save_tensors(tmp_path / "a.safetensors", {"x": torch.zeros(1000)})
    readers: list[Callable[[Path], Any]] = [artifacts.load_npy, artifacts.load_json]
    readers += [artifacts.load_table, artifacts.load_image, load_tensors]
    for ending, read in zip(("npy", "json", "parquet", "png", "safetensors"), readers, strict=True):
        path = tmp_path / f"a.{ending}"
        read(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(InputError, match=f"{path.name}: not a complete .*; delete it"):
            read(path)
        path.unlink()
        with pytest.raises(InputError, match=f"{path.name}: there is no such file"):
            read(path)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(InputError, match="not a complete npy array"):
        artifacts.load_npy(tmp_path / "a.npy")


@pytest.mark.parametrize("write", [np.savetxt, lambda p, x: torch.save(torch.tensor(x), p)])
def test_an_array_in_another_format_is_refused(tmp_path: Path, write: Any) -> None:
    write(tmp_path / "a.txt", np.ones(3))
    with pytest.raises(InputError, match=r"a.txt: .*\((it is a zip archive|it does not begin)"):
        artifacts.load_npy(tmp_path / "a.txt")


@pytest.mark.parametrize("header", [b"(30, ", b"(9**9,)", b"'30'  ", b"(30,),,"])
def test_an_array_with_a_damaged_header_is_refused(tmp_path: Path, header: bytes) -> None:
    np.save(tmp_path / "a.npy", np.zeros(30))
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content.replace(b"(30,),", header))
    with pytest.raises(InputError, match=r"a.npy: not a complete npy array"):
        artifacts.load_npy(tmp_path / "a.npy")


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def fail_halfway() -> None:
        with artifacts.atomic(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert list(tmp_path.iterdir()) == []


def test_artifacts_carry_their_provenance(tmp_path: Path) -> None:
    save_tensors(tmp_path / "a.safetensors", {"x": torch.zeros(1)}, {"seed": 3})
    notes = load_tensors(tmp_path / "a.safetensors")[1]
    assert notes["seed"] == 3
    assert {"commit", "torch", "diffusers"} <= notes.keys()


def test_artifacts_can_be_read_by_whom_the_user_lets(tmp_path: Path) -> None:
    save_tensors(tmp_path / "a.safetensors", {"x": torch.zeros(1)})
    (tmp_path / "plain").touch()
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    denoiser = build_denoiser(unet_with(cross_attention_dim=10), seed=0, device=CPU)
    save_tensors(tmp_path / "w.safetensors", denoiser.state_dict())
    with pytest.raises(InputError, match=r"does not fit the configuration.*to_k.weight.*\(8, 10\)"):
        load_denoiser(MODEL, tmp_path / "w.safetensors", device=CPU)


def test_a_unet_that_diffusers_refuses_or_without_the_weight_subset_is_refused() -> None:
    with pytest.raises(InputError, match=r"model\.unet: diffusers refuses these values"):
        build_denoiser(unet_with(colour=3), seed=0, device=CPU)
    plain = unet_with(
        down_block_types=["DownBlock2D"] * 2, up_block_types=["UpBlock2D"] * 2, mid_block_type=None
    )
    denoiser = build_denoiser(plain, seed=0, device=CPU)
    with pytest.raises(InputError, match="no weights of the subset 'cross_attention_kv'"):
        select_weights(denoiser, "cross_attention_kv")


@pytest.mark.parametrize("name", ["latents", "text"])
def test_arrays_of_another_length_than_the_table_are_refused(name: str) -> None:
    data = make_data()
    arrays = {"latents": data.latents.array, "text": data.text.array}
    arrays[name] = arrays[name][:5]
    others = data.null_text.numpy(), data.image_ids.numpy()
    with pytest.raises(InputError, match=rf"data/{name}.npy: \(5, .*does not hold 12 images"):
        EncodedData(arrays["latents"], arrays["text"], *others, device=CPU)


def test_a_teacher_s_queries_have_prompts_of_their_own() -> None:
    prompts = [f"prompt {i}" for i in range(12)]
    study = choose_queries(["q000", "q001"], ["t000"], prompts, 3)
    teacher = choose_queries([], ["t000"], prompts, 3, teacher=["d000", "d001"])
    more = choose_queries(["q000", "q001", "q002"], ["t000"], prompts, 3)
    assert teacher["prompt"].nunique() == 3
    assert teacher["prompt"][0] == study["prompt"][2]  # the tuning query
    own = teacher[teacher["query"] != "t000"]
    require_apart(own, study)
    require_apart(own, more)
    all_prompts = choose_queries([f"q{i:03d}" for i in range(11)], ["t000"], prompts, 3)
    with pytest.raises(InputError, match="2 of the 2 teacher queries have the prompt of a test"):
        require_apart(own, all_prompts)
