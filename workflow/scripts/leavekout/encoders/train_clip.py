"""Trains a small CLIP from scratch with open_clip, for experiments that download nothing.

Its text tower becomes the frozen text encoder of the diffusion model, in the format of
transformers. (Stable Diffusion 2 also uses the text tower of an open_clip model.) Its image tower
is for the CLIP measure.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from leavekout.config.encoders import ClipTraining
from leavekout.encoders.pretrained import require_trained, shuffled_batches, steps_of
from leavekout.encoders.text import padded_tokens
from leavekout.encoders.vae import to_signed_range

logger = logging.getLogger("leavekout")
_VOCABULARY = 49408
_START, _END = "<|startoftext|>", "<|endoftext|>"


def clip_config(config: ClipTraining, image_size: int) -> dict[str, Any]:
    """The model configuration in open_clip's format."""
    return {
        "embed_dim": config.width,
        "vision_cfg": {
            "image_size": image_size,
            "patch_size": config.patch_size,
            "width": config.width,
            "layers": config.layers,
            "head_width": config.width // config.heads,
        },
        "text_cfg": {
            "context_length": config.context_length,
            "vocab_size": _VOCABULARY,
            "width": config.width,
            "heads": config.heads,
            "layers": config.layers,
        },
    }


def train_clip(
    pixels: np.ndarray,
    captions: Sequence[Sequence[str]],
    config: ClipTraining,
    device: torch.device,
) -> CLIP:
    """Trains an open_clip `CLIP` on uint8 images [N, H, W, 3] and C captions of each.

    Each time an image is shown, one of its captions is drawn uniformly. Most tokens occur in no
    caption. They are not trained, and their embeddings are zeros.
    """
    tokenizer, length = build_tokenizer(config.context_length), config.context_length
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = CLIP(**clip_config(config, pixels.shape[1])).to(device)
        images = to_signed_range(pixels).to(device)
        tokens = torch.stack([padded_tokens(tokenizer, texts, length) for texts in captions])
        # Renumbered in order, because CLIP finds the end of a text by the highest number.
        used, tokens = torch.unique(tokens.to(device), return_inverse=True)
        whole = model.token_embedding
        weights = whole.weight[used].detach()
        model.token_embedding = nn.Embedding.from_pretrained(weights, freeze=False)
        size = len(images), config.batch_size, config.epochs
        optimizer = torch.optim.AdamW(model.parameters(), config.learning_rate, weight_decay=0.1)
        annealed = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps_of(*size))
        contrastive = open_clip.ClipLoss()
        for rows in shuffled_batches(*size, "training CLIP"):
            drawn = torch.randint(tokens.shape[1], (len(rows),))
            loss = contrastive(*model(images[rows], tokens[rows, drawn]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            annealed.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, np.log(100))  # as in CLIP's own training
    with torch.no_grad():
        whole.weight.zero_()[used] = model.token_embedding.weight
    model.token_embedding = whole
    require_trained("encoders.clip", loss, model.state_dict())
    logger.info("CLIP: contrastive loss %.3f", loss.item())
    return model.eval()


def save_clip(model: CLIP, config: ClipTraining, image_size: int, folder: Path) -> None:
    """Writes a folder for `open_clip.create_model_and_transforms('local-dir:…')`."""
    folder.mkdir(parents=True, exist_ok=True)
    half = [0.5, 0.5, 0.5]  # training used images in [-1, 1]
    content = {
        "model_cfg": clip_config(config, image_size),
        "preprocess_cfg": {"mean": half, "std": half, "interpolation": "bicubic"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(content, indent=2))
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")


def to_transformers(model: CLIP, config: ClipTraining) -> CLIPTextModel:
    """Converts the text tower to a transformers model with the same hidden states."""
    tower = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=_VOCABULARY,
            hidden_size=config.width,
            intermediate_size=4 * config.width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            max_position_embeddings=config.context_length,
            hidden_act="gelu",
            pad_token_id=0,
            bos_token_id=_VOCABULARY - 2,
            eos_token_id=_VOCABULARY - 1,
        )
    )
    source = model.state_dict()
    state: dict[str, Tensor] = {
        "embeddings.token_embedding.weight": source["token_embedding.weight"],
        "embeddings.position_embedding.weight": source["positional_embedding"],
    }
    names = {
        "self_attn.out_proj": "attn.out_proj",
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
    }
    for kind in ("weight", "bias"):
        state[f"final_layer_norm.{kind}"] = source[f"ln_final.{kind}"]
        for layer in range(config.layers):
            old, new = f"transformer.resblocks.{layer}", f"encoder.layers.{layer}"
            projections = source[f"{old}.attn.in_proj_{kind}"].chunk(3)
            for letter, tensor in zip("qkv", projections, strict=True):
                state[f"{new}.self_attn.{letter}_proj.{kind}"] = tensor
            state |= {f"{new}.{a}.{kind}": source[f"{old}.{b}.{kind}"] for a, b in names.items()}
    prefix = "text_model." if hasattr(tower, "text_model") else ""
    tower.load_state_dict({prefix + name: tensor for name, tensor in state.items()})
    return tower.eval()


def build_tokenizer(context_length: int) -> CLIPTokenizer:
    """CLIP's tokenizer for transformers, from the vocabulary that ships inside open_clip."""
    theirs = open_clip.SimpleTokenizer()
    *tokens, _, _ = theirs.encoder  # the last two, start and end, have other names there
    return CLIPTokenizer(
        vocab={token: number for number, token in enumerate([*tokens, _START, _END])},
        merges=list(theirs.bpe_ranks),
        pad_token="!",  # token 0, which open_clip pads with; Stable Diffusion 2 does the same
        model_max_length=context_length,
    )
