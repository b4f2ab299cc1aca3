"""Teaches the text encoder the tokens of all customized models."""

from leavekout.base.artifacts import atomic_folder
from leavekout.base.job import compute_job
from leavekout.base.tensors import load_tensors
from leavekout.customized.tokens import add_tokens
from leavekout.encoders.text import TextEncoder

with compute_job(snakemake) as run:
    base = run.input.tokenizer, run.input.text_encoder
    encoder = TextEncoder.load(*base, run.device)
    tokens = {
        model: load_tensors(path)[0]["embedding"]
        for model, path in zip(run.params.models, run.input.tokens, strict=True)
    }
    add_tokens(encoder.tokenizer, encoder.model, tokens)
    with atomic_folder(run.output.tokenizer) as folder:
        encoder.tokenizer.save_pretrained(folder)
    with atomic_folder(run.output.text_encoder) as folder:
        encoder.model.save_pretrained(folder)
