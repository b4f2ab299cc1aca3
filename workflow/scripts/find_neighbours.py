"""Finds the training images that are nearest to each of the teacher's queries."""

from leavekout.base.artifacts import load_npy, save_npy
from leavekout.base.job import compute_job
from leavekout.encoders.features import load_image_encoder
from leavekout.encoders.similarity import nearest
from leavekout.queries.loading import load_pictures

with compute_job(snakemake) as run:
    pictures = load_pictures(run.input.pictures, run.params.names)
    queries = load_image_encoder(run.input.encoder, run.device)(pictures)
    images = load_npy(run.input.features)[:, 0]
    save_npy(run.output.neighbours, nearest(queries, images, run.params.nearest))
