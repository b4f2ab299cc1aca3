"""How many pairs of methods a study tells apart, by how its queries are grouped.

    PYTHONPATH=workflow/scripts python benchmarks/groupings.py results/digits-study

Tests count clusters of queries that resemble each other, so what a study shows depends on the rule
that finds them. This repeats its tests with other rules: other thresholds, single linkage, as many
nearest images as each K of the methods, every query for itself, and a grouping of your own.

It needs the study's tables/measurements.parquet, queries/, encoders/clip and data/; in a clone that
has only the published tables, those of a study that joins it.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from leavekout.methods.distilled.neighbours import nearest
from leavekout.encoders.features import load_image_encoder
from leavekout.base.errors import InputError
from leavekout.base.artifacts import load_image, load_npy, load_table
from leavekout.leave_k_out.statistics.arms import arms_of
from leavekout.leave_k_out.statistics.clusters import SHARED, clusters
from leavekout.leave_k_out.statistics.comparisons import comparisons_table

# Thresholds beside the workflow's.
OTHERS = (0.15, 0.35, 0.5)
BATCH = 256  # pictures


def groupings(folder: Path, ks: list[int]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Rules by name, and the cluster of each test query by each rule."""
    table = load_table(folder / "queries" / "queries.parquet")
    table = table[table["query"].str.startswith("q")]
    names = table["query"].tolist()
    prompts = dict(zip(names, table["prompt"], strict=True))
    encode = load_image_encoder(folder / "encoders" / "clip", torch.device("cpu"))
    pixels = load_npy(folder / "data" / "pixels.npy")
    images = np.concatenate([encode(pixels[i : i + BATCH]) for i in range(0, len(pixels), BATCH)])
    queries = encode(np.stack([load_image(folder / f"queries/images/{q}.png") for q in names]))
    for k in ks:
        near = dict(zip(names, nearest(queries, images, k), strict=True))
        for shared in sorted({SHARED, *OTHERS}):
            found = clusters(near, prompts, images=len(images), shared=shared)
            yield f"{k} nearest images, {shared:.2f} in common", found
        found = clusters(near, prompts, images=len(images), by="single")
        yield f"{k} nearest images, {SHARED:.2f} in common, single linkage", found
    yield "each query for itself", {name: name for name in names}


def main() -> None:
    """Prints a table: a row for each rule, a column for each K of the methods and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="results/<experiment>")
    parser.add_argument("--measurements", type=Path, help="other than <folder>'s")
    parser.add_argument("--methods", nargs="+", help="these alone")
    parser.add_argument("--clusters", type=Path, help="CSV with columns 'query' and 'cluster'")
    parser.add_argument("--resamples", type=int, default=20_000, help="sign flips at most")
    arguments = parser.parse_args()
    folder = arguments.folder
    try:
        measured = load_table(arguments.measurements or folder / "tables" / "measurements.parquet")
        arms = arms_of(measured, measured["measure"].iloc[0])
        rules: dict[str, Mapping[str, str]] = dict(groupings(folder, arms.ks()))
    except InputError as error:
        parser.error(str(error))
    if arguments.methods:
        known = {method for method, _ in arms.effects}
        if unknown := set(arguments.methods) - known:
            parser.error(f"{folder} has no method '{unknown.pop()}'")
        measured = measured[~measured["method"].isin(known - set(arguments.methods))]
    if arguments.clusters:
        own = pd.read_csv(arguments.clusters)
        rules[arguments.clusters.name] = dict(zip(own["query"], own["cluster"], strict=True))
        if missing := set(measured["query"]) - set(own["query"]):
            parser.error(f"{arguments.clusters} has no query '{missing.pop()}'")
    rows = {}
    for rule, of_query in rules.items():
        grouped = measured.assign(cluster=measured["query"].map(dict(of_query)))
        pairs = comparisons_table(grouped, resamples=arguments.resamples)
        told = pairs.groupby(["k", "measure"], sort=False)["distinguishable"]
        rows[rule] = {
            "clusters": len(set(of_query.values())),
            **{f"{m}, K = {k}": f"{p.sum()} of {len(p)}" for (k, m), p in told},
        }
    print(pd.DataFrame(rows).T.to_string())


if __name__ == "__main__":
    main()
