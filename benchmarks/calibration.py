"""Do intervals and tests keep what they promise? Simulated studies with a known truth.

    PYTHONPATH=workflow/scripts python benchmarks/calibration.py [--studies 1000] [--processes 2]

Each simulated study has the design of a real one: queries, methods with a leave-K-out model for
each query, random sets nested in K that all queries share. What is drawn anew in each: queries,
retraining noise, and the error of each shared model, which is common to all queries. The statistics
are those of the workflow, called with its own functions.

Printed, and drawn into docs/figures/calibration.png: how often 95 % intervals hold the truth,
beside those of a standard error over queries alone; how often a study without any difference
reports one.
"""

import argparse
import textwrap
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from leavekout.leave_k_out.measures.registry import measure
from leavekout.leave_k_out.statistics.arms import Arms
from leavekout.leave_k_out.statistics.equivalents import Curves, monotone, random_curve
from leavekout.leave_k_out.statistics.estimates import mean_of_shared
from leavekout.leave_k_out.statistics.lds import lds, rank_correlations
from leavekout.statistics.paired import paired_means
from leavekout.statistics.resampling import Estimate
from leavekout.statistics.significance import holm, p_values

ROOT = Path(__file__).resolve().parents[1]
Key = tuple[str, str]  # name of a statistic, "ours" or "naive"
NAMES = {
    "mean of a control": "interval",
    "excess over random": "interval",
    "difference of two methods": "interval",
    "random equivalent": "interval",
    "linear datamodeling score": "interval",
    "any pair told apart, all being equal": "error",
    "any method ahead of random, none being": "error",
}


@dataclass(frozen=True)
class Design:
    """A study's size, and the scatter in it, in units of ΔL × 10³.

    Args:
        queries, methods, sets: Q, methods, random sets of each K.
        ks: the random sweep; the methods' K is its first.
        query: scatter of a method's effect between queries; alike: the share of its variance that
            methods have in common; skewness of its distribution.
        opposite: whether every other method's effects are skewed to the other side.
        clusters: the sizes of clusters of like queries; every other query stands alone.
        within: the share of an effect's variance that queries of a cluster have in common.
        retraining: noise of one model on one query.
        shared: error of a shared model that all queries have in common.
    """

    queries: int
    methods: int
    sets: int
    ks: tuple[int, ...]
    query: float
    alike: float
    skewness: float
    retraining: float
    shared: float
    opposite: bool = False
    clusters: tuple[int, ...] = ()
    within: float = 0.0

    @property
    def members(self) -> np.ndarray:
        """The cluster of each query: [Q]."""
        sizes = [*self.clusters, *[1] * (self.queries - sum(self.clusters))]
        return np.repeat(np.arange(len(sizes)), sizes)


DIGITS = (100, 200, 400, 900, 1300, 1600)
DESIGNS = {
    "12 queries, 5 sets": Design(12, 8, 5, DIGITS, 6.5, 0.6, 0.5, 1.6, 0.8),
    "12 queries, skewness 2.2 to both sides": Design(
        12, 8, 5, DIGITS, 6.5, 0.0, 2.2, 0.5, 0.3, opposite=True
    ),
    "40 queries, skewness 2.2 to both sides": Design(
        40, 8, 5, DIGITS, 6.5, 0.0, 2.2, 0.5, 0.3, opposite=True
    ),
    "noisy shared models": Design(24, 5, 5, DIGITS, 2.0, 0.5, 0.5, 1.5, 1.5),
    "12 queries in 3 clusters": Design(
        12, 8, 5, DIGITS, 6.5, 0.0, 0.5, 1.6, 0.8, clusters=(4,) * 3, within=0.6
    ),
    "40 queries in 10 clusters": Design(
        40, 8, 5, DIGITS, 6.5, 0.0, 0.5, 1.6, 0.8, clusters=(4,) * 10, within=0.6
    ),
    # As many and as unequal clusters as the study on digits has.
    "40 queries in 8 unequal clusters, 14 methods": Design(
        40,
        14,
        10,
        DIGITS,
        6.5,
        0.3,
        1.4,
        1.6,
        0.8,
        clusters=(11, 8, 7, 4, 3, 3, 2, 2),
        within=0.4,
    ),
    "COCO: 110 queries, 10 sets": Design(
        110, 6, 10, tuple(range(1000, 118000, 7500)), 2.5, 0.5, 1.0, 1.0, 0.3
    ),
}


def random_effect(k: np.ndarray | float, design: Design) -> np.ndarray:
    """The true mean effect of removing K random images, a concave curve up to 20."""
    return 20 * (1 - np.exp(-1.6 * np.asarray(k, float) / design.ks[-1]))


def drawn(rng: np.random.Generator, skewness: float, size: tuple[int, ...]) -> np.ndarray:
    """Mean 0, variance 1, and a skewness above 0: a shifted gamma distribution."""
    shape = 4 / skewness**2
    return (rng.gamma(shape, size=size) - shape) / np.sqrt(shape)


def simulate(rng: np.random.Generator, design: Design, means: np.ndarray) -> Arms:
    """One study, whose methods have the true means `means` [methods]."""
    d = design
    common = drawn(rng, d.skewness, (d.queries, 1))
    own = drawn(rng, d.skewness, (d.queries, d.methods))
    of_cluster = drawn(rng, d.skewness, own.shape)[d.members]  # the same for all its queries
    own = np.sqrt(1 - d.within) * own + np.sqrt(d.within) * of_cluster
    if d.opposite:
        own[:, 1::2] *= -1
    effects = np.sqrt(d.alike) * common + np.sqrt(1 - d.alike) * own
    noise = d.retraining * rng.standard_normal(effects.shape)
    cells = means + d.query * effects + noise
    # A set's error goes on from K to K, since the sets are nested; half of its variance is new.
    shared = _going_on(rng, (d.sets, len(d.ks)))
    on_query = _going_on(rng, (d.queries, d.sets, len(d.ks)))
    sensitivity = 1 + 0.3 * drawn(rng, d.skewness, (d.queries, 1, 1))
    sweep = (
        random_effect(np.array(d.ks), d) * sensitivity + d.shared * shared + d.retraining * on_query
    )
    return Arms(
        effects={(f"m{i}", d.ks[0]): cells[:, i] for i in range(d.methods)},
        random={k: sweep[:, :, j] for j, k in enumerate(d.ks)},
        sets={k: np.arange(d.sets) for k in d.ks},
        floor=np.empty((0, 0)),
        evaluation={},
        clusters=d.members,
    )


def _going_on(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    steps = rng.standard_normal(shape)
    for j in range(1, shape[-1]):
        steps[..., j] = np.sqrt(0.5) * steps[..., j - 1] + np.sqrt(0.5) * steps[..., j]
    return steps


def datamodels(
    rng: np.random.Generator, design: Design, models: int
) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes and predictions [Q, S] with a rank correlation that differs between queries."""
    shape = (design.queries, models)
    rho = np.clip(0.4 + 0.2 * rng.standard_normal((design.queries, 1)), -0.95, 0.95)
    measured, error = (
        np.sqrt(0.3) * rng.standard_normal(models) + np.sqrt(0.7) * rng.standard_normal(shape)
        for _ in range(2)
    )
    return measured, rho * measured + np.sqrt(1 - rho**2) * error


def one_study(seed: int, design: Design, count: int, true_lds: float) -> dict[Key, float]:
    """For each statistic how often it held, or how often a test erred: a share of 1."""
    rng = np.random.default_rng([seed, 1])
    k = design.ks[0]
    equal = simulate(rng, design, np.full(design.methods, float(random_effect(k, design))))
    # Methods whose true equivalents lie within the sweep, away from its end.
    targets = np.linspace(1.5 * k, 0.6 * design.ks[-1], design.methods)
    study = simulate(rng, design, random_effect(targets, design))
    cells = [study.effects[f"m{i}", k] for i in range(design.methods)]
    sweep, end = study.random[k], float(random_effect(k, design))
    result: dict[Key, list[Any]] = {(n, who): [] for n in NAMES for who in ("ours", "naive")}

    def note(name: str, truth: float, estimate: Estimate) -> None:
        result[name, "ours"].append(estimate.low <= truth <= estimate.high)
        naive = abs(estimate.value - truth) <= 1.96 * estimate.query_error
        result[name, "naive"].append(naive)

    clusters = design.members
    note("mean of a control", end, mean_of_shared(sweep, clusters))
    excesses = np.stack(cells) - sweep.mean(axis=1)
    found_excesses = paired_means(excesses, clusters, shared=sweep)
    for i, target in enumerate(targets):
        note("excess over random", float(random_effect(target, design)) - end, found_excesses[i])
    true = np.array([random_effect(t, design) for t in targets])
    differences, truths = of_pairs(np.stack(cells)), of_pairs(true[:, None])[:, 0]
    pairs = paired_means(differences, clusters)
    held = (pairs.low <= truths) & (truths <= pairs.high)
    result["difference of two methods", "ours"] += list(held)
    held = abs(pairs.value - truths) <= 1.96 * stats.sem(differences, axis=1)
    result["difference of two methods", "naive"] += list(held)
    if count:
        bootstrapped(
            study,
            design,
            targets,
            true_lds=true_lds,
            count=count,
            seed=seed,
            note=note,
            result=result,
        )

    null = np.stack([equal.effects[f"m{i}", k] for i in range(design.methods)])
    differences = of_pairs(null)
    p = p_values(paired_means(differences, clusters), differences, clusters)
    result[list(NAMES)[5], "ours"].append(holm(p).min() <= 0.05)
    result[list(NAMES)[5], "naive"].append(
        np.min(stats.ttest_1samp(differences, 0, axis=1).pvalue) <= 0.05
    )
    excesses = null - equal.random[k].mean(axis=1)
    p = p_values(paired_means(excesses, clusters, shared=equal.random[k]), excesses, clusters)
    result[list(NAMES)[6], "ours"].append(holm(p).min() <= 0.05)
    p = np.asarray(stats.ttest_1samp(excesses, 0, axis=1).pvalue)
    result[list(NAMES)[6], "naive"].append(holm(p).min() <= 0.05)
    return {key: float(np.mean(values)) for key, values in result.items() if values}


def of_pairs(cells: np.ndarray) -> np.ndarray:
    """[M, …] → differences of all pairs [P, …]."""
    return np.stack([a - b for a, b in combinations(cells, 2)])


def bootstrapped(
    study: Arms,
    design: Design,
    targets: np.ndarray,
    *,
    true_lds: float,
    count: int,
    seed: int,
    note: Callable[[str, float, Estimate], None],
    result: dict[Key, list[Any]],
) -> None:
    """Notes whether the intervals of equivalents and linear datamodeling scores held."""
    cells = [study.effects[f"m{i}", design.ks[0]] for i in range(design.methods)]
    curve = random_curve(study, measure("delta_loss"))
    curves = Curves(curve, design.members, count, seed=seed)
    ks = np.array(design.ks, float)
    knots = monotone(ks, np.array([study.random[k].mean() for k in design.ks]), np.ones(len(ks)))
    for target, cell in zip(targets, cells, strict=True):
        found = curves.equivalent(cell)
        result["random equivalent", "ours"].append(
            found["low"] <= target and (target <= found["high"] or bool(found["high_censored"]))
        )
        margin = 1.96 * cell.std(ddof=1) / np.sqrt(len(cell))
        low, high = (np.interp(cell.mean() + s * margin, knots[1], knots[0]) for s in (-1, 1))
        open_end = cell.mean() + margin > knots[1][-1]
        result["random equivalent", "naive"].append(low <= target and (target <= high or open_end))
    measured, predicted = datamodels(np.random.default_rng([seed, 2]), design, 20)
    note(
        "linear datamodeling score", true_lds, lds(measured, predicted, resamples=count, seed=seed)
    )


def main() -> None:
    """Simulates, prints the table, draws the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument(
        "--resamples", type=int, default=1000, help="0 leaves out what is bootstrapped"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--figure", type=Path, default=ROOT / "docs/figures/calibration.png")
    arguments = parser.parse_args()
    tables = []
    for title, design in DESIGNS.items():
        rng = np.random.default_rng(0)
        true_lds = float(
            np.mean([rank_correlations(*datamodels(rng, design, 20)).mean() for _ in range(4000)])
        )
        run = partial(one_study, design=design, count=arguments.resamples, true_lds=true_lds)
        with ProcessPoolExecutor(arguments.processes) as pool:
            rows = pd.DataFrame(list(pool.map(run, range(arguments.studies), chunksize=10)))
        rows.columns = pd.MultiIndex.from_tuples([tuple(key) for key in rows.columns])
        table = rows.mean().unstack()
        table["± (two standard errors)"] = (
            2 * rows.xs("ours", axis=1, level=1).std() / np.sqrt(len(rows))
        )
        print(f"\n{title}; {arguments.studies:,} studies")
        table = table.loc[[name for name in NAMES if name in table.index]]
        print(table.round(3).to_string(), flush=True)
        tables.append(table.assign(design=title))
    draw(pd.concat(tables), arguments.figure)


def draw(table: pd.DataFrame, path: Path) -> None:
    """The measured rates beside the promised ones."""
    import matplotlib.pyplot as plt

    from leavekout.report.style import save

    names, designs = list(dict.fromkeys(table.index)), list(dict.fromkeys(table["design"]))
    figure, axes = plt.subplots(
        2, len(designs) // 2, figsize=(13, 8), sharex=True, sharey=True, layout="constrained"
    )
    for ax, title in zip(axes.flat, designs, strict=True):
        rows = table[table["design"] == title].loc[names]
        right = [NAMES[name] == "interval" for name in names]
        y = np.arange(len(names))[::-1]
        for column, color, marker, label in (
            ("naive", "#D55E00", "x", "over queries alone, uncorrected"),
            ("ours", "#0072B2", "o", "this workflow"),
        ):
            ax.scatter(100 * rows[column], y, color=color, marker=marker, label=label, zorder=3)
        for position, interval in zip(y, right, strict=True):
            low, high = (93, 97) if interval else (0, 5)
            ax.barh(position, high - low, 0.7, left=low, color="#DDDDDD", zorder=0)
        ax.set_xlim(-3, 103)
        ax.set_yticks(y, [n.replace(", ", ",\n") for n in names])
        ax.set_title(textwrap.fill(title, 26), fontsize=10)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[1]:
        ax.set_xlabel("per cent of studies")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    save(figure, [path])


if __name__ == "__main__":
    main()
