"""Does training in bfloat16 change what is learned? The trainings of a finished study, again in it.

    PYTHONPATH=workflow/scripts python benchmarks/bfloat16.py --configfile config/digits.yaml

Trains the source model and every leave-K-out model of the study (same seeds, same removal sets) in
the other precision, measures ΔL of the same queries, and writes to `--output`:

- bfloat16.csv: ΔL of each method, query and K in both precisions;
- bfloat16.png: both training curves of the source model, and ΔL against ΔL.

Each ΔL compares models of one precision. Printed is what its table rests on: each method's mean and
standard error in both, and the mean of the paired difference with its own.
"""

import argparse
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one core each, before NumPy and torch come

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy.stats import sem

from leavekout.leave_k_out.config import LeaveKOut
from leavekout.config.reading import read_yaml
from leavekout.data.encoded import EncodedData
from leavekout.kinds import read_experiment
from leavekout.models.denoiser import build_denoiser
from leavekout.models.process import build_process
from leavekout.leave_k_out.evaluation import losses_on_queries
from leavekout.queries.loading import Queries
from leavekout.contract.outcome import Outcome
from leavekout.removal import Study, models_of
from leavekout.training.training import train

CPU = torch.device("cpu")


def train_and_measure(
    e: LeaveKOut, results: Path, precision: str, removal: Path | None
) -> tuple[np.ndarray, np.ndarray]:
    """Losses at each training step, and of each query at each timestep [Q, T']."""
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoded = results / "data"
    files = {name: encoded / f"{name}.npy" for name in ("latents", "text", "null_text")}
    files |= {f"{name}_checksum": encoded / f"{name}.json" for name in ("latents", "text")}
    files["images"] = encoded / "images.parquet"
    data = EncodedData.load(files, device, e.hardware)
    denoiser = build_denoiser(e.model, seed=e.training.seed, device=device)
    removed = np.empty(0, np.int64) if removal is None else Outcome.load(removal).removed
    curve: list[torch.Tensor] = []
    with tempfile.TemporaryDirectory() as folder:
        train(
            denoiser,
            build_process(e.model),
            data,
            e.training.model_copy(update={"precision": precision}),
            removed=torch.from_numpy(removed),
            state=Path(folder) / "state",
            save_state_seconds=1e9,
            compiled=e.hardware.compile,
            what=f"{precision} {removal or 'source'}",
            on_step=lambda step, loss: curve.append(loss),
        )
    files = {
        "query_table": results / "queries" / "queries.parquet",
        "query_latents": results / "queries" / "latents.npy",
        "query_text": results / "queries" / "text.npy",
    }
    names = pd.read_parquet(files["query_table"])["query"].tolist()
    queries = Queries.load(files, names, device)
    losses = losses_on_queries(
        denoiser, e.model, e.evaluation, queries, batch=e.hardware.forward_batch
    )
    return torch.stack(curve).cpu().numpy(), losses


def main() -> None:
    """Trains, measures, prints and draws."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--configfile", type=Path, required=True)
    parser.add_argument("--results", type=Path, help="default: results/<experiment>")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, default=Path("."))
    arguments = parser.parse_args()
    e = read_experiment(read_yaml(arguments.configfile), [arguments.configfile])
    results = arguments.results or Path("results") / e.experiment
    measurements = pd.read_parquet(results / "tables" / "measurements.parquet")
    before = measurements.query("measure == 'delta_loss' and method != 'no_removal'").rename(
        columns={"value": "delta_loss"}
    )
    names = [str(n) for n in pd.read_parquet(results / "queries" / "queries.parquet")["query"]]
    tested = [name for name in names if name.startswith("q")]
    ks = e.counterfactual.k
    models = models_of(Study(e, tested, []))
    removals = {
        (one.method, one.targets or tuple(tested), one.k): results
        / "retrained"
        / one.path
        / "outcome.safetensors"
        for one in models
        if one.policy in ("top", "random") and one.k in ks
    }
    with ProcessPoolExecutor(arguments.jobs) as pool:
        sources = {
            p: pool.submit(train_and_measure, e, results, p, None) for p in ("float32", "bfloat16")
        }
        others = {
            key: pool.submit(train_and_measure, e, results, "bfloat16", path)
            for key, path in removals.items()
        }
        curves = {precision: future.result()[0] for precision, future in sources.items()}
        source = sources["bfloat16"].result()[1]
        rows = []
        for (method, queries, k), future in others.items():
            losses = future.result()[1]
            for query in queries:
                at = names.index(query)
                change = losses[at].mean() - source[at].mean()
                rows.append({"method": method, "query": query, "k": k, "bfloat16": change})
    after = pd.DataFrame(rows).groupby(["method", "query", "k"], as_index=False).mean()
    keys = ["method", "query", "k"]
    float32 = before.groupby(keys)["delta_loss"].mean().rename("float32").reset_index()
    table = float32.merge(after, on=keys)
    table.to_csv(arguments.output / "bfloat16.csv", index=False, float_format="%.6g")
    for cell, part in table.groupby(["method", "k"]):
        difference = part["bfloat16"] - part["float32"]
        cells = [
            f"{1e3 * x.mean():6.2f} ± {1e3 * sem(x):.2f}"
            for x in (part["float32"], part["bfloat16"], difference)
        ]
        print(f"{cell}: ΔL·10³ float32 {cells[0]}, bfloat16 {cells[1]}, difference {cells[2]}")
    correlation = np.corrcoef(table["float32"], table["bfloat16"])[0, 1]
    print(f"correlation of ΔL over {len(table)} cells: {correlation:.3f}")
    draw(curves, table, arguments.output / "bfloat16.png")


def draw(curves: dict[str, np.ndarray], table: pd.DataFrame, path: Path) -> None:
    """Training curves, smoothed over a fiftieth of the steps, and ΔL against ΔL."""
    mpl.use("Agg")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for (precision, curve), style in zip(curves.items(), ("-", "--"), strict=True):
        width = max(1, len(curve) // 50)
        smooth = np.convolve(curve, np.ones(width) / width, "valid")
        left.plot(np.arange(width, len(curve) + 1), smooth, style, label=precision)
        print(f"{precision}: mean loss of the last tenth {curve[-len(curve) // 10 :].mean():.5f}")
    left.set(xlabel="step", ylabel="training loss", yscale="log", title="source model")
    left.legend(frameon=False)
    for method, part in table.groupby("method"):
        right.plot(1e3 * part["float32"], 1e3 * part["bfloat16"], "o", ms=4, label=method)
    ends = [
        1e3 * table[["float32", "bfloat16"]].min().min(),
        1e3 * table[["float32", "bfloat16"]].max().max(),
    ]
    right.plot(ends, ends, color="grey", lw=0.8)
    right.set(xlabel="ΔL × 10³, float32", ylabel="ΔL × 10³, bfloat16", title="leave-K-out models")
    right.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
