"""Takes published text states of the captions, after a look whether they are."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.encoders.pretrained import TextEncoder
from leavekout.encoders.published import import_text
from leavekout.runtime.artifacts import load_npy, load_table, save_checksum, save_npy
from leavekout.runtime.job import compute_job
from leavekout.runtime.rows import identity_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    file = Path(snakemake.params.file)
    load_npy(file, mmap=True)  # or it is said that there is none
    folders = Path(snakemake.input.tokenizer), Path(snakemake.input.text_encoder)
    encoder = TextEncoder.load(*folders, device)
    captions = load_table(Path(snakemake.input.images))["captions"].tolist()
    import_text(
        file,
        Path(snakemake.output.text),
        lambda texts: encoder(texts).cpu().numpy(),
        captions,
        identity=identity_of(dict(snakemake.params), file.stat().st_mtime_ns, captions),
        save_seconds=snakemake.resources.checkpoint_seconds,
    )
    save_npy(Path(snakemake.output.null_text), encoder([""])[0].half().cpu().numpy())
    save_checksum(Path(snakemake.output.checksum), Path(snakemake.output.text))
