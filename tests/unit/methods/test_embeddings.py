"""Cosines of features, and the published mappers of *Attribution by Customization*."""

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from leavekout.base.errors import InputError
from leavekout.config.download import Download
from leavekout.encoders.fetching import fetch_published
from leavekout.methods.embeddings.mapper import read_mapper
from leavekout.methods.embeddings.scoring import embedding_scores
from loopback import loopback

WIDTH = 12
MEMBER = "mapper/clip_tuned.pth"


def features_of(*shape: int, seed: int) -> np.ndarray:
    """Raw features: of different lengths, and not centred."""
    rng = np.random.default_rng(seed)
    lengths = rng.uniform(0.5, 20, (*shape[:-1], 1))
    return ((rng.standard_normal(shape) + 0.5) * lengths).astype(np.float32)


QUERIES, IMAGES = features_of(3, WIDTH, seed=1), features_of(200, 2, WIDTH, seed=2)


def published(path: Path, **changes: Any) -> dict[str, torch.nn.Linear]:
    """Writes two layers as the authors save them, with some entries changed, and returns them."""
    torch.manual_seed(0)
    layers = {name: torch.nn.Linear(WIDTH, WIDTH) for name in ("real_mapper", "synth_mapper")}
    content: dict[str, Any] = {name: layer.state_dict() for name, layer in layers.items()}
    path.parent.mkdir(exist_ok=True)
    torch.save({k: v for k, v in {**content, **changes}.items() if v is not None}, path)
    return layers


def packed(archive: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    with tarfile.open(archive, "w:gz") as file:
        for about, content in members:
            about.size = len(content)
            file.addfile(about, io.BytesIO(content))


def test_scores_are_those_of_the_published_formula(tmp_path: Path) -> None:
    """From a file in an archive that is fetched; computed again with PyTorch's own modules."""
    layers = published(tmp_path / MEMBER)
    about = tarfile.TarInfo(f"./{MEMBER}")
    with loopback(tmp_path / "served") as server:
        content = (tmp_path / MEMBER).read_bytes()
        other = (tarfile.TarInfo("./mapper/dino_tuned.pth"), b"not read")
        packed(server.folder / "weights.tar.gz", other, (about, content))
        download = Download(url=f"{server.url}/weights.tar.gz", member=MEMBER)
        fetch_published(download, [MEMBER], tmp_path / "fetched")
    mapper = read_mapper(tmp_path / "fetched" / MEMBER)
    found = embedding_scores(QUERIES, IMAGES, mapper=mapper, over="max", batch=64)
    normalize = torch.nn.functional.normalize
    with torch.no_grad():
        query = normalize(layers["synth_mapper"](torch.from_numpy(QUERIES)), dim=-1)
        image = normalize(layers["real_mapper"](torch.from_numpy(IMAGES)), dim=-1)
    expected = torch.einsum("qd,nfd->qnf", query, image).amax(2).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(np.argsort(-found), np.argsort(-expected))
    # One layer for both sides is another method, and so are features of unit length.
    unit = [f / np.linalg.norm(f, axis=-1, keepdims=True) for f in (QUERIES, IMAGES)]
    one = {name.replace("images", "queries"): t for name, t in mapper.items() if "images" in name}
    others = embedding_scores(QUERIES, IMAGES, mapper={**mapper, **one}, over="max")
    assert np.abs(others - expected).max() > 0.05
    with pytest.raises(InputError, match="have unit length, as an older version wrote CLIP's"):
        embedding_scores(*unit, mapper=mapper, over="max")


@pytest.mark.parametrize("over", ["max", "mean"])
def test_scores_without_a_mapper_are_cosines(over: Any) -> None:
    found = embedding_scores(QUERIES, IMAGES, mapper=None, over=over, batch=64)
    cosine = torch.nn.functional.cosine_similarity
    each = cosine(torch.from_numpy(QUERIES)[:, None, None], torch.from_numpy(IMAGES)[None], dim=-1)
    np.testing.assert_allclose(found, getattr(np, over)(each.numpy(), axis=2), atol=1e-6)


@pytest.mark.parametrize("bias", [False, True])
def test_one_layer_is_applied_to_both_sides(tmp_path: Path, bias: bool) -> None:
    layer = torch.nn.Linear(WIDTH, 5, bias=bias)
    torch.save({f"head.{n}": t for n, t in layer.state_dict().items()}, tmp_path / "one.pth")
    save_file(layer.state_dict(), tmp_path / "one.safetensors")
    with torch.no_grad():
        query, image = layer(torch.from_numpy(QUERIES)), layer(torch.from_numpy(IMAGES))
    cosine = torch.nn.functional.cosine_similarity
    expected = cosine(query[:, None, None], image[None], dim=-1).amax(2)
    for name in ("one.pth", "one.safetensors"):
        mapper = read_mapper(tmp_path / name)
        found = embedding_scores(QUERIES, IMAGES, mapper=mapper, over="max")
        np.testing.assert_allclose(found, expected, atol=1e-6)


class Harmful:
    """What runs code when it is read."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> Any:
        return (Path.touch, (self.proof,))


LINEAR = torch.nn.Linear(WIDTH, WIDTH).state_dict()
NARROW = torch.nn.Linear(WIDTH - 1, WIDTH).state_dict()
NAN = {**LINEAR, "bias": torch.full((WIDTH,), torch.nan)}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"synth_mapper": None}, "has 'real_mapper' alone and no 'synth_mapper'; use the file"),
        ({"real_mapper": None}, "has 'synth_mapper' alone and no 'real_mapper'; use the file"),
        ({"synth_mapper": {"bias": LINEAR["bias"]}}, r"not one linear layer; .* \[\(12,\)\]"),
        ({"real_mapper": {**LINEAR, "bias": torch.ones(3)}}, "not one linear layer"),
        ({"real_mapper": NARROW}, r".* different shapes, \(12, 11\) and \(12, 12\)"),
        ({"real_mapper": NAN}, "values in the weight 'images.bias' are NaN or infinite"),
        ({"real_mapper": None, "synth_mapper": None}, "not one linear layer"),
    ],
)
def test_what_a_file_lacks_is_said(tmp_path: Path, changes: Any, sentence: str) -> None:
    published(tmp_path / MEMBER, **changes)
    with pytest.raises(InputError, match=f"clip_tuned.pth: {sentence}"):
        read_mapper(tmp_path / MEMBER)


def test_a_mapper_of_another_encoder_is_refused(tmp_path: Path) -> None:
    published(tmp_path / MEMBER)
    mapper = read_mapper(tmp_path / MEMBER)
    with pytest.raises(InputError, match=r"its matrix \(12, 12\) does not take features of 11"):
        embedding_scores(QUERIES[:, 1:], IMAGES[..., 1:], mapper=mapper, over="max")


def test_a_file_that_runs_code_or_is_broken_is_refused(tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    published(tmp_path / MEMBER, real_mapper=Harmful(proof))
    whole = (tmp_path / MEMBER).read_bytes()
    for content in (whole, whole[:500], b""):
        (tmp_path / MEMBER).write_bytes(content)
        with pytest.raises(InputError, match="not a complete file of tensors alone"):
            read_mapper(tmp_path / MEMBER)
    assert not proof.exists()
    with pytest.raises(InputError, match="there is no such file"):
        read_mapper(tmp_path / "absent.pth")
