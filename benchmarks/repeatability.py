r"""What draws of noise buy: how well unlearning's scores repeat, against the passes of a sweep.

Needs a finished study's source model, Fisher information and queries:

    snakemake --configfile config/digits-study.yaml \
        --until estimate_fisher estimate_ekfac evaluate_source
    PYTHONPATH=workflow/scripts python benchmarks/repeatability.py

For each query every design is swept twice, with two seeds and nothing else changed. The table has,
for each, the passes of an image and flip, the share of them that refinement spends, the rank
correlation of the two scorings and the overlap of their top K, measured, and as two halves of one
scoring foretell it (`statistics/repeatability.py`).
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from leavekout.sweeps.passes import Passes
from leavekout.methods.unlearning.readout import best_share, halves_of, read_out, scores_of
from leavekout.sweeps.losses import training_loss_parts
from leavekout.methods.unlearning.steps import unlearned_denoiser
from leavekout.config.experiment import LossSweep
from leavekout.config.reading import read_yaml
from leavekout.data.encoded import EncodedData
from leavekout.kinds import read_experiment
from leavekout.models.denoiser import load_denoiser
from leavekout.models.process import Process, build_process
from leavekout.leave_k_out.statistics.lds import rank_correlations
from leavekout.leave_k_out.statistics.repeatability import overlap, repeatability_table

CPU = torch.device("cpu")
SEEDS = (1001, 1002)
# Draws for each caption and timestep of the sweep that the first rows are subsets of.
MOST = 20
SMALLER = (1, 2, 5, 10, 20)
# Designs of as many passes as four draws.
DESIGNS: dict[str, dict[str, Any]] = {
    "four draws": {"draws": 4},
    "four draws, stratified": {"draws": 4, "timesteps": "stratified"},
    "two draws and their negatives": {"draws": 4, "antithetic": True},
    "the same, stratified": {"draws": 4, "antithetic": True, "timesteps": "stratified"},
    "four captions": {"captions": 4},
}
REFINED = ((0.2, 10), (0.1, 10), (0.2, 5))  # share of the images, and their draws


def losses(denoiser: Any, process: Process, data: EncodedData, passes: Passes) -> Tensor:
    """All losses of a sweep: float32 [N, F, P]."""
    return torch.cat(list(training_loss_parts(denoiser, process, data, passes, batch=256)))


def subset(passes: Passes, draws: range) -> tuple[Passes, Tensor]:
    """The same sweep with some of its draws, and where these are among its passes."""
    smaller = Passes(passes.config, passes.timesteps, draws.start, len(draws))
    draw = torch.arange(passes.count) // len(passes.strata) % passes.draws
    return smaller, torch.isin(draw, torch.tensor(draws)).nonzero()[:, 0]


def parts_of(after: Tensor, before: Tensor, passes: Passes) -> np.ndarray:
    """What each half contributes to the scores: [N, F, 2]."""
    return read_out(after, before, passes, "difference").numpy()


def scorings(
    after: Tensor, before: Tensor, passes: Passes
) -> Iterator[tuple[str, float, np.ndarray]]:
    """Design, passes of an image and parts, of all that one large sweep holds."""
    for draws in SMALLER:
        some, places = subset(passes, range(draws))
        parts = parts_of(after[..., places], before[..., places], some)
        yield f"{some.count} passes", some.count, parts
    first, places = subset(passes, range(1))
    coarse = parts_of(after[..., places], before[..., places], first)
    for share, draws in REFINED:
        fine, places = subset(passes, range(1, 1 + draws))
        rows, parts = best_share(coarse, share), coarse.copy()
        parts[rows] = parts_of(after[rows][..., places], before[rows][..., places], fine)
        name = f"{first.count} passes, the best {100 * share:.0f} % again with {fine.count}"
        yield name, first.count + share * fine.count, parts


def main() -> None:
    """Sweeps, compares and prints."""
    parser = argparse.ArgumentParser(description="Cost of a sweep against its repeatability.")
    parser.add_argument("--configfile", type=Path, default=Path("config/digits-study.yaml"))
    parser.add_argument("--methods", nargs="+", default=["unlearning", "abu-plus"])
    parser.add_argument("--queries", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    e = read_experiment(read_yaml(arguments.configfile), [arguments.configfile])
    results, k = Path("results") / e.experiment, e.counterfactual.k[0]
    resources = argparse.Namespace(device_data_gb=4)
    names = ("latents", "text", "null_text")
    files = {name: results / "data" / f"{name}.npy" for name in names}
    files |= {f"{name}_checksum": results / "data" / f"{name}.json" for name in names[:2]}
    files["images"] = results / "data" / "images.parquet"
    data, process = EncodedData.load(files, CPU, resources), build_process(e.model)
    queries = {f"query_{part}": results / "queries" / f"{part}.npy" for part in ("latents", "text")}
    queries["query_table"] = results / "queries" / "queries.parquet"

    def sweeps(**changes: Any) -> list[Passes]:
        base = e.losses.model_dump() | changes
        configs = [LossSweep(**{**base, "seed": seed}) for seed in SEEDS]
        return [Passes(config, process.timesteps, 0, config.draws) for config in configs]

    large = sweeps(draws=MOST)
    designs = {name: sweeps(**changes) for name, changes in DESIGNS.items()}
    source = load_denoiser(e.model, results / "source" / "model.safetensors", device=CPU)
    all_sweeps = [*large, *(one for pair in designs.values() for one in pair)]
    before = {id(one): losses(source, process, data, one) for one in all_sweeps}
    rows = []
    for method in arguments.methods:
        config = e.unlearning[method]
        folder = "ekfac" if config.curvature == "ekfac" else "fisher"
        for query in [f"t{i:03d}" for i in range(arguments.queries)]:
            denoiser = unlearned_denoiser(
                {
                    **queries,
                    "weights": results / "source" / "model.safetensors",
                    "fisher": results / folder / f"{config.weights}.safetensors",
                },
                e.model,
                config,
                query=query,
                box=None,
                images=data.images,
                batch=128,
                device=CPU,
            )
            after = {id(one): losses(denoiser, process, data, one) for one in all_sweeps}
            twice = [list(scorings(after[id(one)], before[id(one)], one)) for one in large]
            for name, pair in designs.items():
                for scored, sweep in zip(twice, pair, strict=True):
                    parts = parts_of(after[id(sweep)], before[id(sweep)], sweep)
                    scored.append((name, sweep.count, parts))
            for (design, passes, first), (_, _, second) in zip(*twice, strict=True):
                one, two = scores_of(first), scores_of(second)
                found = repeatability_table([(method, query, halves_of(first))], [k]).iloc[0]
                rows.append(
                    {
                        "method": method,
                        "design": design,
                        "passes": passes,
                        "rank correlation": float(rank_correlations(one, two)),
                        "foretold correlation": found["rank_correlation"],
                        "top K in common": overlap(one, two, k),
                        "foretold overlap": found["overlap"],
                    }
                )
            table = pd.DataFrame(rows).groupby(["method", "design"], sort=False).mean()
            print(f"\nafter {query}, K = {k}\n{table.round(2).to_string()}", flush=True)


if __name__ == "__main__":
    main()
