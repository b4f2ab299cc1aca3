"""Customizes a diffusion model on a few exemplars, as Custom Diffusion does."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from leavekout.base.errors import InputError
from leavekout.base.job import progress
from leavekout.base.noise import Domain, normal, random_uint32, scale_to
from leavekout.base.tensors import require_finite
from leavekout.customized.config import Customization
from leavekout.customized.tokens import add_tokens, token_of
from leavekout.data.encoded import EncodedData
from leavekout.encoders.text import TextEncoder
from leavekout.models.denoiser import Denoiser, select_weights
from leavekout.models.loss import denoising_loss
from leavekout.models.process import Process

# Third words of counters, so that exemplars and pool have different draws.
_EXEMPLARS, _POOL = 0, 1


def customize(
    denoiser: Denoiser,
    process: Process,
    encoder: TextEncoder,
    data: EncodedData,
    captions: Mapping[int, Sequence[str]],
    model: str,
    config: Customization,
) -> tuple[dict[str, Tensor], Tensor]:
    """Learns V* and the cross-attention's K and V from exemplars; changes `denoiser` and `encoder`.

    Minimizes the DDPM loss of the exemplars, each with a caption that contains V*, plus
    `prior_weight` times that of images of the pool with their own captions, which preserves the
    rest of the model (Kumari et al., CVPR 2023, eq. 3 and Section 3.1).

    Args:
        encoder: the base model's; it gets the new token.
        data: pool and exemplars, encoded.
        captions: of each exemplar, by its row in `data`, with the model's token.
        model: the customized model's name, for its token.

    Returns:
        K and V by name, and the token's embedding [E].

    Raises:
        InputError: the initial word is not one token, or the loss is not finite.
    """
    embedding = nn.Parameter(_initial_embedding(encoder, config.initial_word))
    add_tokens(encoder.tokenizer, encoder.model, {model: embedding.detach()})
    token = encoder.tokenizer.convert_tokens_to_ids(token_of(model))
    denoiser.requires_grad_(False)
    weights = select_weights(denoiser, "cross_attention_kv")
    for parameter in weights.values():
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(
        [*weights.values(), embedding], config.learning_rate, weight_decay=config.weight_decay
    )
    rows = torch.tensor(sorted(captions))
    pool = torch.ones(data.images, dtype=torch.bool)
    pool[data.held_out] = False
    others = pool.nonzero()[:, 0]

    def place(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return torch.where((inputs[0] == token)[..., None], embedding, output)

    hook = encoder.model.get_input_embeddings().register_forward_hook(place)
    try:
        for step in progress(range(config.steps), f"customizing {model}", total=config.steps):
            positions = torch.arange(config.batch_size) + step * config.batch_size
            chosen, draws = _draw(config.seed, positions, _EXEMPLARS, rows)
            texts = [_pick(captions[row], word) for row, word in zip(chosen, draws, strict=True)]
            loss = _loss(
                denoiser,
                process,
                data,
                config,
                positions,
                _EXEMPLARS,
                chosen,
                encoder.with_gradient(texts),
            ).mean()
            if config.prior_weight:
                chosen, draws = _draw(config.seed, positions, _POOL, others)
                picked = scale_to(torch.tensor(draws), data.captions)
                text = data.text[torch.tensor(chosen), picked]
                kept = _loss(denoiser, process, data, config, positions, _POOL, chosen, text)
                loss = loss + config.prior_weight * kept.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    finally:
        hook.remove()
    if not torch.isfinite(loss):
        raise InputError(
            f"customizing {model}: the loss is {loss.item()}; lower the learning rate."
        )
    require_finite({**weights, "V*": embedding}, f"customizing {model}", "lower the learning rate")
    return {name: p.detach() for name, p in weights.items()}, embedding.detach()


def _draw(seed: int, positions: Tensor, kind: int, rows: Tensor) -> tuple[list[int], list[int]]:
    """Rows, drawn uniformly, and a word for each that picks its caption."""
    word = random_uint32(seed, Domain.CUSTOMIZATION, positions, kind)
    return rows[scale_to(word[0], len(rows))].tolist(), word[1].tolist()


def _pick(texts: Sequence[str], word: int) -> str:
    return texts[int(scale_to(torch.tensor(word), len(texts)))]


def _loss(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    config: Customization,
    positions: Tensor,
    kind: int,
    rows: Sequence[int],
    text: Tensor,
) -> Tensor:
    """L of a batch of images with these text states: [B]."""
    word = random_uint32(config.seed, Domain.CUSTOMIZATION, positions, kind)
    flips = scale_to(word[2], data.flips)
    t = scale_to(word[3], process.timesteps).to(data.device)
    identity = positions.to(data.device), torch.full_like(positions, kind).to(data.device)
    noise = normal(config.seed, Domain.CUSTOMIZATION, *identity, shape=data.latent_shape)
    x0 = data.latents[torch.tensor(rows), flips]
    return denoising_loss(denoiser, process, x0, t, noise.to(x0), text.to(x0))


def _initial_embedding(encoder: TextEncoder, word: str) -> Tensor:
    """The embedding of a known word, from which V* starts: [E]."""
    tokenizer: Any = encoder.tokenizer
    ids = tokenizer(word, add_special_tokens=False).input_ids
    if len(ids) != 1:
        raise InputError(
            f"customized.training.initial_word: '{word}' is {len(ids)} tokens, but should be one."
        )
    return encoder.model.get_input_embeddings().weight[ids[0]].detach().clone()
