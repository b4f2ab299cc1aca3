"""Generates the queries."""

from leavekout.base.artifacts import load_npy, load_table
from leavekout.base.job import compute_job
from leavekout.config.experiment import Model, Sampling
from leavekout.data.coco import held_out_prompts
from leavekout.encoders.text import TextEncoder
from leavekout.encoders.vae import load_vae
from leavekout.models.denoiser import load_denoiser
from leavekout.models.process import build_process
from leavekout.queries.generation import encode_prompts, generate, write_queries
from leavekout.queries.prompts import choose_queries, require_apart

with compute_job(snakemake) as run:
    files, params, model = run.input, run.params, Model(**run.params.model)
    encoder = TextEncoder.load(files.tokenizer, files.text_encoder, run.device)
    teacher = params.get("teacher", [])
    if chosen := files.get("chosen"):
        known = load_table(chosen).drop(columns="line")
        table = known[known["query"].isin([*params.test, *params.tuning, *teacher])]
    else:
        prompts = held_out_prompts(files.prompts, files.images, encoder.readings)
        subjects = params.get("subjects")
        table = choose_queries(
            *(params.test, params.tuning, prompts, params.seed),
            **{"teacher": teacher, "subjects": subjects},
        )
    if teacher:  # the others are another job's
        table = table[table["query"].isin(teacher)].reset_index(drop=True)
        require_apart(table, load_table(files.drawn))
    encoder.report_cut(table["prompt"].tolist(), "prompts")
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
