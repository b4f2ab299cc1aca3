"""Generates pictures of prompts that are related to the queries', for the forgetting check."""

from leavekout.base.artifacts import load_npy, load_table
from leavekout.base.job import compute_job
from leavekout.config.experiment import Model, Sampling
from leavekout.data.coco import held_out_prompts
from leavekout.encoders.features import load_text_encoder
from leavekout.encoders.text import TextEncoder
from leavekout.encoders.vae import load_vae
from leavekout.leave_k_out.related import choose_related
from leavekout.models.denoiser import load_denoiser
from leavekout.models.process import build_process
from leavekout.queries.generation import encode_prompts, generate, write_queries

with compute_job(snakemake) as run:
    files, params, model = run.input, run.params, Model(**run.params.model)
    encoder = TextEncoder.load(files.tokenizer, files.text_encoder, run.device)
    queries = load_table(files.queries).set_index("query")
    table = choose_related(
        queries.loc[list(params.names)],
        held_out_prompts(files.prompts, files.train_images, encoder.readings),
        load_text_encoder(files.clip, run.device),
        names=params.names,
        seed=params.seed,
    )
    text = encode_prompts(encoder, table["prompt"].tolist())
    latents, pictures = generate(
        load_denoiser(model, files.weights, device=run.device),
        load_vae(files.vae, run.device),
        text,
        load_npy(files.null_text),
        table["noise_seed"].tolist(),
        Sampling(**params.sampling),
        build_process(model),
        batch=run.resources.batch,
    )
    write_queries(table, latents, text, pictures, run.output)
