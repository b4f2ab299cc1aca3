"""Draws each query with the top training images of every method."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.artifacts import load_image, load_npy, load_table
from leavekout.figures import draw_attributed, save
from leavekout.job import job
from leavekout.scores import read_scores, top_k

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    prompts = load_table(Path(snakemake.input.queries)).set_index("query")["prompt"]
    pixels = load_npy(Path(snakemake.input.pixels), mmap=True)
    ranked: dict[str, dict] = {query: {} for query in snakemake.params.names}
    for path in map(Path, snakemake.input.scores):
        query, method = path.stem, path.parent.name
        scores = read_scores(path, images=len(pixels), method=method)
        ranked[query][method] = top_k(scores, snakemake.params.top)
    for image, output in zip(snakemake.input.images, snakemake.output.figures, strict=True):
        query = Path(image).stem
        picture = load_image(Path(image))
        save(draw_attributed(picture, prompts[query], ranked[query], pixels), Path(output))
