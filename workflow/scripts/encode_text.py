"""Encodes the captions, and the empty caption."""

from leavekout.base.artifacts import load_table, save_checksum, save_npy
from leavekout.base.job import compute_job
from leavekout.base.rows import identity_of
from leavekout.data.table import texts_for
from leavekout.encoders.text import TextEncoder, write_text

with compute_job(snakemake) as run:
    folders = run.input.tokenizer, run.input.text_encoder
    encoder = TextEncoder.load(*folders, run.device)
    captions = [list(t) for t in texts_for(load_table(run.input.images), "captions", "denoiser")]
    encoder.report_cut([text for own in captions for text in own], "captions")
    write_text(
        run.output.text,
        encoder,
        captions,
        batch=run.resources.batch,
        identity=identity_of(dict(run.params), captions, *folders),
        save_seconds=run.resources.checkpoint_seconds,
    )
    save_npy(run.output.null_text, encoder([""])[0].half().cpu().numpy())
    save_checksum(run.output.checksum, run.output.text)
