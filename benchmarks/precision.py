"""Which precision may a sweep have? Scores of a finished study in float32, TF32 and bfloat16.

    PYTHONPATH=workflow/scripts python benchmarks/precision.py --configfile config/digits.yaml

For every query of the study and the first entry of `unlearning`, scores come from the sweeps before
and after unlearning in each precision, and once with the two in different ones; and with the Fisher
in bfloat16, the sweeps in float32. Likewise for the first entry of `influence`, its gradients in
bfloat16. Printed, against all in float32: Spearman's correlation of
the scores, and the share of the K best that stay, mean and worst over queries.

On a CPU, TF32 is emulated: the factors of every product are rounded to 10 bits of mantissa, as a
tensor core does, and summed in float32.
"""

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from leavekout.curvature.fisher import diagonal_fisher
from leavekout.sweeps.gradients import GradientProjector, query_gradients, training_gradients
from leavekout.methods.influence.solvers import Features, ridge_scores
from leavekout.contract.scores import top_k
from leavekout.sweeps.losses import training_losses
from leavekout.methods.unlearning.steps import unlearned_denoiser
from leavekout.config.experiment import Experiment
from leavekout.config.reading import read_yaml
from leavekout.data.encoded import EncodedData
from leavekout.kinds import read_experiment
from leavekout.models.denoiser import load_denoiser, select_weights
from leavekout.models.process import build_process
from leavekout.queries.loading import Queries
from leavekout.base.tensors import save_tensors

_PRODUCTS = {
    functional.linear,
    functional.conv2d,
    torch.matmul,
    torch.Tensor.matmul,
    torch.Tensor.__matmul__,
    torch.bmm,
    torch.baddbmm,
}


def scores_of(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """τ (eq. 6) of losses [N, F], the better of an image and its flip."""
    return (after - before).max(axis=1)


def rounded(x: Any) -> Any:
    """A float32 tensor to TF32: 10 bits of mantissa, to nearest."""
    if not isinstance(x, torch.Tensor) or x.dtype != torch.float32:
        return x
    bits = x.detach().contiguous().view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


class EmulatedTF32(TorchFunctionMode):
    """Rounds the factors of every product; forward passes only."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function in _PRODUCTS:
            args = tuple(rounded(a) if i < 2 else a for i, a in enumerate(args))
        return function(*args, **(kwargs or {}))


def compared(exact: np.ndarray, scores: np.ndarray, k: int) -> dict[str, float]:
    """How alike two rankings of the images are."""
    same = len(np.intersect1d(top_k(scores, k), top_k(exact, k)))
    return {"spearman": float(spearmanr(scores, exact).statistic), "overlap": same / k}


def influence_scores(
    e: Experiment, denoiser: Any, data: EncodedData, results: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Scores [Q, N] of the first entry of `influence` with gradients in float32 and bfloat16."""
    method = next(iter(e.influence.values()))
    process = build_process(e.model)
    paths = {name: str(results / "queries" / f"{name}.npy") for name in ("latents", "text")}
    table = results / "queries" / "queries.parquet"
    names = pd.read_parquet(table)["query"].tolist()
    queries = Queries.load({**paths, "queries": str(table)}, names, data.device)

    def scored(precision: str) -> np.ndarray:
        config = e.gradients[method.gradients].model_copy(update={"precision": precision})
        projector = GradientProjector(denoiser, config, model_seed=0, device=data.device)
        parts = training_gradients(
            denoiser, process, data, projector, batch=e.hardware.per_sample_batch
        )
        features = torch.cat([part.cpu() for part in parts]).numpy()
        of_queries = query_gradients(
            denoiser,
            process,
            queries,
            projector,
            draws=method.query_draws,
            timestep=method.query_timestep,
            batch=e.hardware.gradient_batch,
        )
        options: Any = {"damping": method.damping, "device": data.device}
        return ridge_scores(Features(features), of_queries.mean(1), **options).max(2)

    return scored("float32"), scored("bfloat16")


def main() -> None:
    """Scores, compares and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--configfile", type=Path, required=True)
    parser.add_argument("--results", type=Path, help="default: results/<experiment>")
    arguments = parser.parse_args()
    e = read_experiment(read_yaml(arguments.configfile), [arguments.configfile])
    results = arguments.results or Path("results") / e.experiment
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    arrays = {
        name: str(results / "data" / f"{name}.npy") for name in ("latents", "text", "null_text")
    }
    sums = {
        f"{name}_checksum": str(results / "data" / f"{name}.json") for name in ("latents", "text")
    }
    data = EncodedData.load(
        {**arrays, **sums, "images": str(results / "data" / "images.parquet")}, device, e.hardware
    )
    weights = results / "source" / "model.safetensors"
    source = load_denoiser(e.model, weights, device=device)
    process = build_process(e.model)
    variant = next(iter(e.unlearning.values()))
    names = pd.read_parquet(results / "queries" / "queries.parquet")["query"].tolist()
    assert e.counterfactual
    k = e.counterfactual.k[0]

    def sweep(denoiser: Any, precision: str) -> np.ndarray:
        config = e.losses.model_copy(update={"precision": precision})

        def run() -> np.ndarray:
            return training_losses(denoiser, process, data, config, batch=e.hardware.forward_batch)

        if precision == "tf32" and device.type == "cpu":
            with EmulatedTF32():
                return run()
        return run()

    def unlearned(query: str, fisher: Path) -> Any:
        files = {"weights": str(weights), "fisher": str(fisher)}
        files["queries"] = str(results / "queries" / "queries.parquet")
        files |= {f"query_{n}": str(results / "queries" / f"{n}.npy") for n in ("latents", "text")}
        return unlearned_denoiser(
            files,
            e.model,
            variant,
            query=query,
            box=None,
            images=data.images,
            batch=e.hardware.gradient_batch,
            device=device,
        )

    precisions = ("float32", "tf32", "bfloat16")
    before = {precision: sweep(source, precision) for precision in precisions}
    kept = results / "fisher" / f"{variant.weights}.safetensors"
    rough = results / "fisher" / f".{variant.weights}.bfloat16.safetensors"
    save_tensors(
        rough,
        diagonal_fisher(
            source,
            process,
            data,
            select_weights(source, variant.weights),
            **e.fisher.model_copy(update={"precision": "bfloat16"}).model_dump(),
            batch=e.hardware.per_sample_batch,
        ),
    )
    rows = []
    for query in names:
        denoiser = unlearned(query, kept)
        after = {precision: sweep(denoiser, precision) for precision in precisions}
        exact = scores_of(after["float32"], before["float32"])
        cases = {
            "sweeps in tf32": scores_of(after["tf32"], before["tf32"]),
            "sweeps in bfloat16": scores_of(after["bfloat16"], before["bfloat16"]),
            "one sweep in tf32, one in float32": scores_of(after["float32"], before["tf32"]),
            "one sweep in bfloat16, one in float32": scores_of(
                after["float32"], before["bfloat16"]
            ),
            "Fisher in bfloat16": scores_of(
                sweep(unlearned(query, rough), "float32"), before["float32"]
            ),
        }
        for case, scores in cases.items():
            rows.append({"case": case, **compared(exact, scores, k)})
    rough.unlink()
    case = "projected gradients in bfloat16"
    for exact, scores in zip(*influence_scores(e, source, data, results), strict=True):
        rows.append({"case": case, **compared(exact, scores, k)})
    table = pd.DataFrame(rows).groupby("case", sort=False).agg(["mean", "min"])
    print(f"{len(names)} queries, K = {k}, on {device}")
    print(table.to_string(float_format=lambda x: f"{x:.4f}"))


if __name__ == "__main__":
    main()
