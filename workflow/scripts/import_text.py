"""Imports published text states, after a check that they are of the captions."""

from pathlib import Path

from leavekout.base.artifacts import load_npy, load_table, save_checksum, save_npy
from leavekout.base.job import compute_job
from leavekout.base.rows import identity_of
from leavekout.encoders.published import import_text
from leavekout.encoders.text import TextEncoder

with compute_job(snakemake) as run:
    file = Path(run.params.file)
    load_npy(file, mmap=True)  # stops with an error if the file is missing
    encoder = TextEncoder.load(run.input.tokenizer, run.input.text_encoder, run.device)
    captions = load_table(run.input.images)["captions"].tolist()
    import_text(
        file,
        run.output.text,
        lambda texts: encoder(texts).cpu().numpy(),
        captions,
        identity=identity_of(dict(run.params), file.stat().st_mtime_ns, captions),
        save_seconds=run.resources.checkpoint_seconds,
    )
    save_npy(run.output.null_text, encoder([""])[0].half().cpu().numpy())
    save_checksum(run.output.checksum, run.output.text)
