"""Encodes the captions, and the empty caption."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.customized.tokens import captions_with_tokens
from leavekout.encoders.pretrained import TextEncoder, write_text
from leavekout.runtime.artifacts import load_table, save_checksum, save_npy
from leavekout.runtime.job import compute_job
from leavekout.runtime.rows import identity_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    folders = Path(snakemake.input.tokenizer), Path(snakemake.input.text_encoder)
    encoder = TextEncoder.load(*folders, device)
    captions = captions_with_tokens(load_table(Path(snakemake.input.images)))
    write_text(
        Path(snakemake.output.text),
        encoder,
        captions,
        batch=snakemake.resources.batch,
        identity=identity_of(dict(snakemake.params), captions, *folders),
        save_seconds=snakemake.resources.checkpoint_seconds,
    )
    save_npy(Path(snakemake.output.null_text), encoder([""])[0].half().cpu().numpy())
    save_checksum(Path(snakemake.output.checksum), Path(snakemake.output.text))
