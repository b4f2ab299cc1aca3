"""Trains the small encoder `params.encoder` on the training images."""

from leavekout.base.artifacts import atomic_folder, load_npy, load_table
from leavekout.base.job import compute_job
from leavekout.config.encoders import ClipTraining, DinoTraining, VaeTraining
from leavekout.data.table import trained_rows
from leavekout.encoders.train_clip import build_tokenizer, save_clip, to_transformers, train_clip
from leavekout.encoders.train_dino import save_dino, train_dino
from leavekout.encoders.train_vae import train_vae

with compute_job(snakemake) as run:
    table, settings = load_table(run.input.images), run.params.training
    rows = trained_rows(table)
    pixels = load_npy(run.input.pixels)[rows]
    match run.params.encoder:
        case "vae":
            vae = train_vae(pixels, VaeTraining(**settings), run.device)
            with atomic_folder(run.output.vae) as folder:
                vae.save_pretrained(folder)
        case "clip":  # its text tower is also the denoiser's text encoder
            config = ClipTraining(**settings)
            clip = train_clip(pixels, table["captions"][rows].tolist(), config, run.device)
            with atomic_folder(run.output.clip) as folder:
                save_clip(clip, config, pixels.shape[1], folder)
            with atomic_folder(run.output.text_encoder) as folder:
                to_transformers(clip, config).save_pretrained(folder)
            with atomic_folder(run.output.tokenizer) as folder:
                build_tokenizer(config.context_length).save_pretrained(folder)
        case "dino":
            dino = train_dino(pixels, DinoTraining(**settings), run.device)
            with atomic_folder(run.output.dino) as folder:
                save_dino(dino, pixels.shape[1], folder)
