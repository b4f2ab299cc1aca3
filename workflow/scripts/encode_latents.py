"""Encodes the training images, and their flips, to latents."""

from leavekout.base.artifacts import load_json, load_npy, load_table, save_checksum
from leavekout.base.job import compute_job
from leavekout.base.rows import identity_of
from leavekout.encoders.vae import load_vae, write_latents

with compute_job(snakemake) as run:
    vae, sampled = run.input.vae, run.params.get("latents") == "sampled"
    write_latents(
        run.output.latents,
        load_vae(vae, run.device),
        load_npy(run.input.pixels, mmap=True),
        flips=run.params.flips,
        batch=run.resources.batch,
        device=run.device,
        identity=identity_of(dict(run.params), load_json(run.input.pixels_checksum), vae),
        save_seconds=run.resources.checkpoint_seconds,
        sampled_by=load_table(run.input.images)["image_id"].to_numpy() if sampled else None,
    )
    save_checksum(run.output.checksum, run.output.latents)
