"""Imports published text states, after a check that they are of the captions."""

from pathlib import Path

import numpy as np

from leavekout.base.artifacts import load_npy, load_table, save_checksum, save_npy
from leavekout.base.job import compute_job
from leavekout.base.rows import identity_of
from leavekout.data.file_order import caption_places, image_places
from leavekout.encoders.published import import_text
from leavekout.encoders.text import TextEncoder

with compute_job(snakemake) as run:
    file, annotations = Path(run.params.file), run.input.get("annotations")
    load_npy(file, mmap=True)  # stops with an error if the file is missing
    encoder = TextEncoder.load(run.input.tokenizer, run.input.text_encoder, run.device)
    table = load_table(run.input.images)
    captions = table["captions"].tolist()
    images, count = len(captions), len(captions[0])
    import_text(
        file,
        run.output.text,
        lambda texts: encoder(texts).cpu().numpy(),
        captions,
        image_places(annotations, table) if annotations else np.arange(images),
        caption_places(annotations, table) if annotations else np.tile(range(count), (images, 1)),
        identity=identity_of(dict(run.params), file.stat().st_mtime_ns, captions),
        save_seconds=run.resources.checkpoint_seconds,
    )
    save_npy(run.output.null_text, encoder([""])[0].half().cpu().numpy())
    save_checksum(run.output.checksum, run.output.text)
