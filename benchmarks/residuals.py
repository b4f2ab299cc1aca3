"""Tests of pairs of methods on studies made of the published studies' own residuals.

    PYTHONPATH=workflow/scripts python benchmarks/residuals.py [--studies 1000] [--before 200]

Prints the tables of docs/derivations.md: how often a study reports a pair though all methods are
equal, and how many pairs it finds if methods differ as they were observed to. The test is compared
with itself without Hall's correction, with that without moderation, and with the test before (sign
flips, and Hall's t-test over clusters).

A made-up query is one of the 40 real ones, drawn at random, so methods vary together as they do.
With a correlation r within clusters, it is √(1 − r) of its own draw and √r of its cluster's.
"""

import argparse
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from leavekout.kinds import read_experiment
from leavekout.leave_k_out.statistics.clusters import clusters
from leavekout.statistics.looks import sequential
from leavekout.statistics.paired import cluster_variances, paired_means
from leavekout.statistics.resampling import numbered
from leavekout.statistics.significance import LEVEL, holm, p_values

ROOT = Path(__file__).resolve().parents[1]
STUDIES = {"digits": 100, "letters": 48}
# Differences [P, Q], clusters [Q] → corrected p-values [P].
Test = Callable[[np.ndarray, np.ndarray], np.ndarray]


def now(differences: np.ndarray, members: np.ndarray) -> np.ndarray:
    """The workflow's test."""
    return holm(p_values(paired_means(differences, members), differences, members))


def by_t(differences: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Without Hall's correction."""
    return holm(paired_means(differences, members).p_value())


def plain(differences: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Without it and without moderation."""
    variances, freedom = cluster_variances(differences, members)
    t = differences.mean(axis=1) / np.sqrt(variances / len(members))
    return holm(2 * stats.t.sf(np.abs(t), freedom))


def before(differences: np.ndarray, members: np.ndarray) -> np.ndarray:
    """The test before: the larger p-value of sign flips, with the step-down maximum, and Hall's."""
    sums = np.stack([np.bincount(members, row) for row in differences])
    units = sums / np.sqrt(np.square(sums).sum(axis=1, keepdims=True))
    order = np.argsort(-np.abs(units.sum(axis=1)))
    limits = np.abs(units.sum(axis=1))[order] - 1e-9
    flips = np.random.default_rng(0).choice([-1.0, 1.0], (1000, sums.shape[1]))
    flips[0] = 1
    chance = np.abs(flips @ units[order].T)  # [B, P]
    largest = np.maximum.accumulate(chance[:, ::-1], axis=1)[:, ::-1]
    p = np.empty(len(sums))
    p[order] = np.maximum.accumulate((largest >= limits).mean(axis=0))
    n, mean = sums.shape[1], sums.mean(axis=1)
    g, x = stats.skew(sums, axis=1), mean / sums.std(axis=1, ddof=1)
    t = np.sqrt(n) * (x + g * x**2 / 3 + g**2 * x**3 / 27 + g / (6 * n))
    return np.maximum(p, holm(2 * stats.t.sf(np.abs(t), n - 1)))


TESTS: dict[str, Test] = {"now": now, "t": by_t, "plain": plain, "before": before}


def effects(study: str, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """The effects of a published study [M, Q], and the clusters of its queries [Q]."""
    folder = ROOT / f"results/{study}-study/tables"
    table = pd.read_parquet(folder / "measurements.parquet")
    table = table[(table["measure"] == measure) & (table["k"] == STUDIES[study])]
    table = table[~table["method"].isin(["random", "no_removal"])]
    cells = table.pivot(index="method", columns="query", values="value")
    prompts = pd.read_csv(folder / "clusters.csv").set_index("query")["prompt"]
    topics = read_experiment({}, [ROOT / f"config/{study}-study.yaml"]).dataset.topics
    of = clusters({str(query): prompt for query, prompt in prompts.items()}, topics)
    return cells.to_numpy(), numbered(np.array([of[query] for query in cells.columns]))


def pairs_of(cells: np.ndarray) -> np.ndarray:
    """[M, Q] → [P, Q]."""
    return np.stack([a - b for a, b in combinations(cells, 2)])


def drawn(
    rng: np.random.Generator, residuals: np.ndarray, members: np.ndarray, alike: float
) -> np.ndarray:
    """The residuals [M, Q] of a made-up study."""
    queries = residuals.shape[1]
    own = residuals[:, rng.integers(queries, size=len(members))]
    common = residuals[:, rng.integers(queries, size=members.max() + 1)][:, members]
    return np.sqrt(1 - alike) * own + np.sqrt(alike) * common


def rates(
    residuals: np.ndarray,
    means: np.ndarray,
    *,
    true: np.ndarray,
    used: np.ndarray,
    alike: float,
    studies: dict[str, int],
) -> dict[str, tuple[float, float]]:
    """For each test the percentage of studies with an error, and the mean number of pairs found."""
    found: dict[str, tuple[float, float]] = {}
    for name, count in studies.items():
        errors, power = [], []
        for seed in range(count):
            cells = drawn(np.random.default_rng(seed), residuals, true, alike)
            errors.append(TESTS[name](pairs_of(cells), used).min() <= LEVEL)
            if seed < 100:
                power.append((TESTS[name](pairs_of(cells + means), used) <= LEVEL).sum())
        found[name] = 100 * float(np.mean(errors)), float(np.mean(power))
    return found


def few_methods(
    residuals: np.ndarray, members: np.ndarray, few: int, studies: dict[str, int]
) -> dict[str, float]:
    """The percentage of studies of a few methods, drawn from all, with an error."""
    rng = np.random.default_rng(0)
    errors: dict[str, list[bool]] = {name: [] for name in studies}
    for study in range(max(studies.values())):
        chosen = rng.choice(len(residuals), few, replace=False)
        cells = drawn(rng, residuals[chosen], members, 0.15)
        for name, count in studies.items():
            if study < count:
                errors[name].append(bool(TESTS[name](pairs_of(cells), members).min() <= LEVEL))
    return {name: 100 * float(np.mean(values)) for name, values in errors.items()}


def looked_at(
    residuals: np.ndarray, members: np.ndarray, looks: list[int], studies: int
) -> tuple[float, float]:
    """The percentage of growing studies with an error at some look: corrected for looks, and not.

    Args:
        looks: numbers of queries; queries come in random order, with their clusters.
    """
    errors, naive = [], []
    for seed in range(studies):
        rng = np.random.default_rng(seed)
        differences = pairs_of(drawn(rng, residuals, members, 0.15))
        order = rng.permutation(len(members))
        at_once = []
        for look in looks:
            chosen = order[:look]
            few, of = differences[:, chosen], members[chosen]
            p = p_values(paired_means(few, of), few, of)
            at_once.append((holm(sequential(p, look, looks)).min(), holm(p).min()))
        lowest = np.min(at_once, axis=0)
        errors.append(lowest[0] <= LEVEL)
        naive.append(lowest[1] <= LEVEL)
    return 100 * float(np.mean(errors)), 100 * float(np.mean(naive))


def main() -> None:
    """Simulates and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--before", type=int, default=200, help="studies of the slow test before")
    arguments = parser.parse_args()
    counts = dict.fromkeys(("now", "t", "plain"), arguments.studies)
    counts["before"] = arguments.before
    for study, measure in ((s, m) for s in STUDIES for m in ("delta_loss", "mse", "clip")):
        cells, members = effects(study, measure)
        means = cells.mean(axis=1, keepdims=True)
        residuals = cells - means
        real = {
            n: int((test(pairs_of(cells), members) <= LEVEL).sum()) for n, test in TESTS.items()
        }
        print(f"\n{study}, {measure}; pairs of the study itself: {real}")
        queries = len(members)
        truths = {"the clusters used": members}
        if study == "digits":
            truths["two digits each"] = members // 2
            truths["8 across digits"] = np.random.default_rng(3).integers(8, size=queries)
        else:
            truths["20 of two"] = np.arange(queries) // 2
            truths["10 of four"] = np.arange(queries) // 4
        for name, true in truths.items():
            for alike in (0.0, 0.15, 0.33) if name == "the clusters used" else (0.15, 0.33):
                found = rates(
                    residuals, means, true=true, used=members, alike=alike, studies=counts
                )
                text = "; ".join(f"{n} {e:.1f} % ({p:.0f})" for n, (e, p) in found.items())
                print(
                    f"  truly alike: {name}, r = {alike}: errors (pairs found): {text}", flush=True
                )
        for few in (2, 3, 4):
            rates_of = few_methods(residuals, members, few, counts)
            text = "; ".join(f"{name} {rate:.1f} %" for name, rate in rates_of.items())
            print(f"  {few} methods, r = 0.15: errors: {text}", flush=True)
        for looks in ([20, 40], [10, 20, 40], [10, 20, 30, 40]):
            rate, naive = looked_at(residuals, members, looks, arguments.studies)
            print(f"  looks at {looks}: errors {rate:.1f} %, uncorrected {naive:.1f} %", flush=True)


if __name__ == "__main__":
    main()
