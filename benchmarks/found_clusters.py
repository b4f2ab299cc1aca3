"""Do tests keep their promise where like queries have to be found? Simulated studies.

    PYTHONPATH=workflow/scripts python benchmarks/found_clusters.py [--studies 400] [--processes 2]

`calibration.py` tells the tests which queries are alike. Here they find it as a study does, from
the training images nearest to each query. Pictures are points of a feature space: families of like
kinds, kinds, and the pictures of a kind, as many and as scattered as lets queries have as much in
common as those of the published studies. Methods' effects are random functions of the place that
change over a given length, so like pictures have like effects, plus what is the query's own. Every
study draws its families anew, of whose population no method is better than another, so a
difference that is told apart is an error.

Printed for each study and length: the correlation of effects by what two queries have in common,
and how often a study reports a difference, with clusters as the workflow finds them, and by other
rules.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd

from leavekout.methods.distilled.neighbours import nearest
from leavekout.leave_k_out.statistics.clusters import SHARED, clusters, in_common
from leavekout.statistics.significance import LEVEL, paired_tests

BINS = (SHARED, 0.35, 0.5)
WAVES = 1000  # of which a random function is made


@dataclass(frozen=True)
class Pictures:
    """A population of pictures, and how many of them a study has.

    Args:
        families, kinds, images, queries: how many there are; kinds are spread evenly over families.
        nearest: K, the nearest images that say what two queries have in common.
        dimension: of the feature space, in which families scatter by 1 along each axis.
        kind: scatter of a family's kinds; picture: of a kind's pictures.
        again: whether several queries may be of one kind.
    """

    families: int
    kinds: int
    images: int
    queries: int
    nearest: int
    dimension: int
    kind: float
    picture: float
    again: bool

    @property
    def variance(self) -> float:
        """Of a picture along each axis."""
        return 1 + self.kind**2 + self.picture**2


STUDIES = {
    "digits": Pictures(10, 10, 1797, 40, 100, 8, 0.0, 0.4, again=True),
    "letters": Pictures(24, 64, 1024, 40, 48, 8, 0.7, 0.7, again=False),
}
LENGTHS = (1.0, 2.0, 3.0)  # over which effects change, in units of the families' scatter


def draw(rng: np.random.Generator, of: Pictures) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Queries [Q, D], the rows of the images nearest to each [Q, K], each query's family [Q]."""
    families = rng.standard_normal((of.families, of.dimension))
    family = rng.permutation(np.arange(of.kinds) % of.families)
    kinds = families[family] + of.kind * rng.standard_normal((of.kinds, of.dimension))
    shape = (of.images, of.dimension)
    images = kinds[np.arange(of.images) % of.kinds] + of.picture * rng.standard_normal(shape)
    kind = rng.choice(of.kinds, of.queries, replace=of.again)
    queries = kinds[kind] + of.picture * rng.standard_normal((of.queries, of.dimension))
    return queries, nearest(queries, images, of.nearest), family[kind]


def effects(
    rng: np.random.Generator, queries: np.ndarray, variance: float, length: float, methods: int
) -> np.ndarray:
    """Random functions of variance 1 at the queries, whose mean over all pictures is 0: [Q, M].

    Sums of waves (Rahimi and Recht, 2007): the covariance of two places at a distance d is
    exp(−d² / 2 `length`²), less what makes the mean over N(0, `variance`) zero.
    """
    frequency = rng.standard_normal((queries.shape[1], WAVES)) / length
    phase = rng.uniform(0, 2 * np.pi, WAVES)
    waves = np.cos(queries @ frequency + phase)
    mean = np.cos(phase) * np.exp(-variance * (frequency**2).sum(axis=0) / 2)
    return np.sqrt(2 / WAVES) * (waves - mean) @ rng.standard_normal((WAVES, methods))


def one_study(
    seed: int, pictures: Pictures, length: float, smooth: float, methods: int, resamples: int
) -> dict[str, float]:
    """Whether each rule's tests erred, the clusters that it makes, and the correlations."""
    rng = np.random.default_rng([seed, 2])
    queries, near, families = draw(rng, pictures)
    own = rng.standard_normal((len(queries), methods))
    smooth_part = effects(rng, queries, pictures.variance, length, methods)
    cells = np.sqrt(smooth) * smooth_part + np.sqrt(1 - smooth) * own
    differences = np.stack([cells[:, i] - cells[:, j] for i, j in combinations(range(methods), 2)])
    common = np.array([in_common(a, b, images=pictures.images) for a, b in combinations(near, 2)])
    result = dict(_correlations(differences, common))
    names = [f"q{i:03}" for i in range(len(near))]
    by_name = dict(zip(names, near, strict=True)), dict(zip(names, names, strict=True))
    found = clusters(*by_name, images=pictures.images)
    chains = clusters(*by_name, images=pictures.images, by="single")
    rules: dict[str, np.ndarray] = {
        "found": np.unique(list(found.values()), return_inverse=True)[1],
        "chains": np.unique(list(chains.values()), return_inverse=True)[1],
        "alone": np.arange(len(near)),
        "families": families,
    }
    for rule, members in rules.items():
        _, corrected = paired_tests(differences, resamples=resamples, clusters=members)
        result[f"{rule}: errs"] = float(corrected.min() <= LEVEL)
        result[f"{rule}: clusters"] = len(np.unique(members))
    return result


def _correlations(differences: np.ndarray, common: np.ndarray) -> Iterator[tuple[str, float]]:
    """By what two queries have in common: differences' correlation, mean over pairs [P, Q]."""
    centred = differences - differences.mean(axis=1, keepdims=True)
    centred /= centred.std(axis=1, keepdims=True)
    between = (centred.T @ centred / len(centred))[np.triu_indices(centred.shape[1], 1)]
    places = np.digitize(common, BINS)
    for place, start in enumerate((0.0, *BINS)):
        chosen = between[places == place]
        yield f"r from {start}", float(chosen.mean()) if len(chosen) else np.nan
        yield f"pairs from {start}", len(chosen)


def main() -> None:
    """Simulates and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--resamples", type=int, default=400)
    parser.add_argument("--methods", type=int, default=8)
    parser.add_argument("--smooth", type=float, default=0.8, help="share of the variance")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    rows = {}
    for name, pictures in STUDIES.items():
        for length in LENGTHS:
            run = partial(
                one_study,
                pictures=pictures,
                length=length,
                smooth=arguments.smooth,
                methods=arguments.methods,
                resamples=arguments.resamples,
            )
            with ProcessPoolExecutor(arguments.processes) as pool:
                table = pd.DataFrame(list(pool.map(run, range(arguments.studies), chunksize=10)))
            rows[f"{name}, length {length:g}"] = table.mean()
    print(pd.DataFrame(rows).round(3).to_string())


if __name__ == "__main__":
    main()
