"""Trains CLIP, and writes its text tower and tokenizer for transformers."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.config.encoders import ClipTraining
from leavekout.customized.exemplars import pool_rows
from leavekout.encoders.train_clip import build_tokenizer, save_clip, to_transformers, train_clip
from leavekout.runtime.artifacts import atomic_folder, load_npy, load_table
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    config = ClipTraining(**snakemake.params.training)
    table = load_table(Path(snakemake.input.images))
    pixels = load_npy(Path(snakemake.input.pixels))[pool_rows(table)]
    captions = table["captions"][pool_rows(table)].tolist()
    model = train_clip(pixels, captions, config, device)
    with atomic_folder(Path(snakemake.output.clip)) as folder:
        save_clip(model, config, pixels.shape[1], folder)
    with atomic_folder(Path(snakemake.output.text_encoder)) as folder:
        to_transformers(model, config).save_pretrained(folder)
    with atomic_folder(Path(snakemake.output.tokenizer)) as folder:
        build_tokenizer(config.context_length).save_pretrained(folder)
