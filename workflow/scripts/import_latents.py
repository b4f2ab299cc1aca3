"""Takes published latents of the training images, after a look whether they are."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.encoders.pretrained import encode_images, load_vae
from leavekout.encoders.published import import_latents
from leavekout.runtime.artifacts import load_json, load_npy, save_checksum
from leavekout.runtime.job import compute_job
from leavekout.runtime.rows import identity_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    file = Path(snakemake.params.file)
    load_npy(file, mmap=True)  # or it is said that there is none
    vae = load_vae(Path(snakemake.input.vae), device)
    import_latents(
        file,
        Path(snakemake.output.latents),
        lambda pixels: encode_images(vae, pixels, device).cpu().numpy(),
        load_npy(Path(snakemake.input.pixels), mmap=True),
        flips=snakemake.params.flips,
        identity=identity_of(
            dict(snakemake.params),
            file.stat().st_mtime_ns,
            load_json(Path(snakemake.input.pixels_checksum)),
        ),
        save_seconds=snakemake.resources.checkpoint_seconds,
    )
    save_checksum(Path(snakemake.output.checksum), Path(snakemake.output.latents))
