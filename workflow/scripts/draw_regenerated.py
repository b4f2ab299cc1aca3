"""Draws each query as every leave-K-out model generates it."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.artifacts import load_image, load_json, load_table
from leavekout.evaluation import split_pictures
from leavekout.figures import draw_regenerated, save
from leavekout.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    prompts = load_table(Path(snakemake.input.queries)).set_index("query")["prompt"]
    lines: dict[str, dict] = {query: {} for query in snakemake.params.names}
    for path in map(Path, [*snakemake.input.methods, *snakemake.input.controls]):
        about = load_json(path)
        queries = [row["query"] for row in about["queries"]]
        pictures = split_pictures(load_image(path.with_suffix(".png")), len(queries))
        label = f"K = {about['k']:,}" if about["k"] else path.parent.name.replace("seed", "seed ")
        for query, picture in zip(queries, pictures, strict=True):
            if query in lines:
                lines[query].setdefault(about["method"], {})[label] = picture
    for image, output in zip(snakemake.input.images, snakemake.output.figures, strict=True):
        query = Path(image).stem
        figure = draw_regenerated(load_image(Path(image)), prompts[query], lines[query])
        save(figure, Path(output))
