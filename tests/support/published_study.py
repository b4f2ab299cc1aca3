"""The files that COCO's authors published, small: made by their formulas, in their layout."""

import json
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import py7zr
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import mse_loss

from leavekout.encoders.text import TextEncoder
from leavekout.encoders.vae import decode_latents, encode_images, load_vae

CPU = torch.device("cpu")
SIDE = 64  # pixels
QUERIES = 3
ALPHA, DAMPING = 1e-5, 0.1
TIMESTEPS, DRAWS = range(0, 1000, 50), 1000
# A random VAE and a random denoiser see little of a picture: the noise would hide it.
_STRETCHED, _LOUDER = 100, 20


@dataclass
class Training:
    """Their training set, in the order of the annotation file."""

    latents: Tensor  # [2N, 4, h, w], all images and then all flips
    text: Tensor  # [N, 5, T, E]


def write_published(coco: Path, diffusion: Path, hub: Path, unet: dict[str, Any]) -> None:
    """The two data sets below `hub`, for COCO's archives in `coco`.

    Args:
        diffusion: folder of VAE, text encoder and tokenizer; unet: arguments of the denoiser.
    """
    torch.manual_seed(1)
    _stretch(diffusion / "vae")
    vae = load_vae(diffusion / "vae", CPU)
    encoder = TextEncoder.load(diffusion / "tokenizer", diffusion / "text_encoder", CPU)
    model: Any = UNet2DConditionModel(**unet).eval()
    with torch.no_grad():
        model.conv_out.weight *= _LOUDER
    data = _training(coco, vae, encoder)
    factors = _factors(model)
    first, second = hub / "sywang" / "AttributeByUnlearning", hub / "sywang" / "FastGDA"
    _write_first(first / "mscoco", model, data)
    _write_second(second / "coco", model, factors, data, vae, encoder)


def _stretch(folder: Path) -> None:
    """Makes the means of a VAE's posteriors larger."""
    path = folder / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    means = len(weights["quant_conv.bias"]) // 2
    weights["quant_conv.weight"][:means] *= _STRETCHED
    save_file(weights, path, {"format": "pt"})


def _training(coco: Path, vae: Any, encoder: TextEncoder) -> Training:
    with zipfile.ZipFile(coco / "annotations_trainval2017.zip") as file:
        content = json.loads(file.read("annotations/captions_train2017.json"))
    captions: dict[int, list[str]] = {}
    for entry in content["annotations"]:
        captions.setdefault(entry["image_id"], []).append(entry["caption"])
    pictures = []
    with zipfile.ZipFile(coco / "train2017.zip") as archive:
        for image in content["images"]:
            with archive.open(f"train2017/{image['file_name']}") as file:
                picture = Image.open(file).convert("RGB")
            side = min(picture.size)
            left, top = (picture.width - side) / 2, (picture.height - side) / 2
            square = picture.crop((left, top, left + side, top + side))
            pictures.append(np.asarray(square.resize((SIDE, SIDE))))
    pixels = np.stack(pictures)
    both = [encode_images(vae, part, CPU) for part in (pixels, pixels[:, :, ::-1])]
    text = [encoder(captions[image["id"]][:5]) for image in content["images"]]
    return Training(torch.cat(both), torch.stack(text))


def _factors(model: Any) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """Bases of inputs and outputs, and mean eigenvalues, of each key and value of the text."""
    found = {}
    for name, weight in model.named_parameters():
        if "attn2.to_k" in name or "attn2.to_v" in name:
            out, width = weight.shape
            bases = (torch.linalg.qr(torch.randn(side, side))[0] for side in (width, out))
            found[name.removesuffix(".weight")] = (*bases, 1e-6 * (0.5 + torch.rand(out, width)))
    return found


def _write_first(folder: Path, model: Any, data: Training) -> None:
    (folder / "latents_text_embeddings").mkdir(parents=True)
    torch.save(model.state_dict(), folder / "model.bin")
    fisher = {name: torch.rand(p.shape).double() * 1e-6 for name, p in model.named_parameters()}
    torch.save(fisher, folder / "fisher_info.pt")
    with py7zr.SevenZipFile(folder / "model_fisher.7z", "w") as archive:
        for name in ("model.bin", "fisher_info.pt"):
            archive.write(folder / name, name)
            (folder / name).unlink()
    arrays = {"latents": data.latents.float(), "text_embeddings": data.text.half()}
    whole = folder / "whole.7z"
    with py7zr.SevenZipFile(whole, "w") as archive:
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array.numpy())
            archive.write(folder / f"{name}.npy", f"coco17_train_{name}.npy")
            (folder / f"{name}.npy").unlink()
    raw = whole.read_bytes()
    whole.unlink()
    for number in range(3):
        part = raw[number * len(raw) // 3 : (number + 1) * len(raw) // 3]
        name = f"latents_text_embeddings.7z.{number + 1:03d}"
        (folder / "latents_text_embeddings" / name).write_bytes(part)


def _write_second(
    folder: Path, model: Any, factors: dict[str, Any], data: Training, vae: Any, encoder: Any
) -> None:
    queries = folder / "query_test"
    (queries / "images").mkdir(parents=True)
    prompts = [f"A {colour} kite of a query." for colour in ("green", "red", "blue")]
    (queries / "captions.txt").write_text("\n".join(prompts))
    latents = 0.5 * torch.randn(QUERIES, *data.latents.shape[1:])
    np.save(queries / "latents.npy", latents.numpy())
    for line, picture in enumerate(decode_latents(vae, latents)):
        Image.fromarray(picture).save(queries / "images" / f"{line}.png")
    (folder / "ekfac_fisher").mkdir()
    count = 50
    parts = (
        {name: u_a.contiguous() for name, (u_a, _, _) in factors.items()},
        {name: u_s.contiguous() for name, (_, u_s, _) in factors.items()},
        {name: count * values for name, (_, _, values) in factors.items()},
        {name: torch.tensor([count]) for name in factors},
    )
    names = ("activation_eigenvectors", "gradient_eigenvectors", "lambda_matrix")
    for name, content in zip((*names, "num_lambda_processed"), parts, strict=True):
        save_file(content, folder / "ekfac_fisher" / f"{name}.safetensors")
    before = _losses(model, data)
    scores = []
    for latent, prompt in zip(latents, prompts, strict=True):
        moved = _unlearned(model, factors, latent, encoder([prompt]), len(data.text))
        change = _losses(moved, data) - before
        scores.append(change.reshape(2, -1).max(axis=0))
    influence = np.stack(scores).astype(np.float32)
    content = {"random": {"influence": influence, "rank": np.argsort(-influence)}}
    (folder / "influence_test.pkl").write_bytes(pickle.dumps(content))


def _unlearned(model: Any, factors: Any, latent: Tensor, text: Tensor, images: int) -> Any:
    """θ + α/N U_S [(U_Sᵀ G U_A) / (Λ + λ mean Λ)] U_Aᵀ, G of random timesteps and noises."""
    scheduler, batch = DDPMScheduler(1000), 50
    moved = UNet2DConditionModel.from_config(model.config)
    moved.load_state_dict(model.state_dict())
    for _ in range(0, DRAWS, batch):
        x0 = latent.expand(batch, -1, -1, -1)
        noise, t = torch.randn_like(x0), torch.randint(0, 1000, (batch,))
        noisy = scheduler.add_noise(x0, noise, t)
        predicted = moved(noisy, t, text.expand(batch, -1, -1)).sample
        (mse_loss(predicted, noise) * batch / DRAWS).backward()
    with torch.no_grad():
        for name, (u_a, u_s, values) in factors.items():
            weight = moved.get_submodule(name).weight
            rotated = u_s.T @ weight.grad @ u_a / (values + DAMPING * values.mean())
            weight += ALPHA / images * u_s @ rotated @ u_a.T
    return moved.eval()


@torch.no_grad()
def _losses(model: Any, data: Training) -> np.ndarray:
    """The mean loss of each image, and then of each flip, over captions and timesteps: [2N]."""
    scheduler, found = DDPMScheduler(1000), []
    t = torch.tensor(TIMESTEPS).repeat(data.text.shape[1])
    generator = torch.Generator().manual_seed(0)  # the same noise for every model
    for row, latent in enumerate(data.latents):
        text = data.text[row % len(data.text)].repeat_interleave(len(TIMESTEPS), 0)
        x0 = latent.expand(len(t), -1, -1, -1)
        noise = torch.randn(x0.shape, generator=generator)
        predicted = model(scheduler.add_noise(x0, noise, t), t, text).sample
        found.append(float((predicted - noise).square().mean()))
    return np.array(found)
