"""Removal: which rows a retrained model goes without, for which queries, and under which seed.

This is the one place of removal policies. A policy says which models a study trains under it
(`models`), which files name the rows (`files`), and the rows themselves (`rows`). What a model
stands for is a `Removal`; it travels with the model's outcome as data, and its `path` is only a
place to put files.

The Snakefile imports this module, so torch is imported only where rows are drawn.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from leavekout.config.leave_k_out import LeaveKOut

# The method's name in tables where no attribution method named the images.
RANDOM, NO_REMOVAL, GROUP, REPLICA = "random", "no_removal", "group", "replica"
CONTROLS = (RANDOM, NO_REMOVAL)
# Roles of the queries that a model is evaluated on.
TARGET, OTHER, RELATED = "target", "other", "related"
Table = Literal["measurements", "removals", "drift", "seeds"] | None
_FIRST_UNION_SET = 1 << 31  # random sets of unions are none of the control's


@dataclass(frozen=True)
class Removal:
    """What one retrained model lacks, and the queries it is evaluated on.

    Args:
        policy: the name of the policy, a key of `POLICIES`.
        method: who named the images: an attribution method, or a control's name.
        k: images removed, for unions by each target query.
        training_seed: seed of initial weights and stream; the source's own makes a paired training.
        number: of the random set, the group or the union; None where there is one model alone.
        set_seed: the seed behind random sets.
        targets: queries whose images are removed.
        others: further queries, which serve as controls.
        related: pictures of prompts related to a target's, for the forgetting check.
    """

    policy: str
    method: str
    k: int
    training_seed: int
    number: int | None = None
    set_seed: int | None = None
    targets: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    related: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where the model's files are, below `retrained/`."""
        return POLICIES[self.policy].path(self)

    @property
    def arm(self) -> str:
        """The method, the control or the policy among whose models it is measured."""
        return self.path.split("/")[0]

    @property
    def table(self) -> Table:
        """Where the model is reported."""
        return POLICIES[self.policy].table

    @property
    def files(self) -> dict[str, list[str]]:
        """The files that name its rows, below the study's results."""
        return POLICIES[self.policy].files(self)

    @property
    def roles(self) -> dict[str, str]:
        """The role of each query that the model is evaluated on."""
        return {
            **dict.fromkeys(self.targets, TARGET),
            **dict.fromkeys(self.others, OTHER),
            **dict.fromkeys(self.related, RELATED),
        }

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as a job's parameters and an outcome's description hold them."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Removal":
        """The inverse of `as_dict`."""
        fields: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in values.items()
        }
        return cls(**fields)


@dataclass(frozen=True)
class Study:
    """What policies need to know of a study to say which models it trains."""

    experiment: LeaveKOut
    test: Sequence[str]
    tuning: Sequence[str]

    @property
    def queries(self) -> tuple[str, ...]:
        """All queries, test queries first."""
        return (*self.test, *self.tuning)

    @property
    def seed(self) -> int:
        """The source model's training seed."""
        return self.experiment.training.seed


class Policy(Protocol):
    """How the rows of some models are chosen.

    `table` says where its models are reported: among the `measurements` that methods are compared
    by, in a table of further `removals`, in those of the `drift` of a join or of two `seeds`, or
    nowhere (None).
    `counted` is the role of queries that count there; None for every role.
    """

    table: Table
    counted: str | None

    def models(self, study: Study) -> Iterator[Removal]:
        """The models of the study itself; those of its tuning come from `tuning_models`."""

    def path(self, removal: Removal) -> str:
        """Where the model's files are: three parts, the method's name first."""

    def files(self, removal: Removal) -> dict[str, list[str]]:
        """The files that name its rows, below the study's results."""

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """The rows to remove of `images`: int64 [K]; `files` are those of `files`."""

    def is_pictured(self, removal: Removal, ks: Sequence[int]) -> bool:
        """Whether galleries show its pictures; `ks` are the methods' K."""


class TopK:
    """The K images that a method scores highest for a query: D_ẑ^K."""

    table: Table = "measurements"
    counted: str | None = TARGET  # not those that the forgetting check looks at

    def models(self, study: Study) -> Iterator[Removal]:
        """A model for each method, test query and K."""
        e = study.experiment
        checked, related = (e.forgetting.k, e.forgetting.methods) if e.forgetting else ([], [])
        for method in e.methods:
            for query in study.test:
                for k in e.counterfactual.ks_of(method):
                    removal = Removal("top", method, k, study.seed, targets=(query,))
                    if e.forgetting and method in related and k in checked:
                        removal = looked_at_elsewhere(removal, study)
                    yield removal

    def path(self, removal: Removal) -> str:
        """`<method>/<query>/k<K>`."""
        return f"{removal.method}/{removal.targets[0]}/k{removal.k}"

    def files(self, removal: Removal) -> dict[str, list[str]]:
        """The method's scores of each target."""
        scores = [f"attribution/{removal.method}/{query}.npy" for query in removal.targets]
        return {"scores": scores}

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """The K best, best first."""
        return _best(removal, files, images)[0]

    def is_pictured(self, removal: Removal, ks: Sequence[int]) -> bool:
        """All."""
        return True


class RandomSets:
    """K images drawn uniformly: the control, shared by all queries."""

    table: Table = "measurements"
    counted: str | None = None

    def models(self, study: Study) -> Iterator[Removal]:
        """Sets nested in K at all K of methods and of the random curve, and sets of half."""
        e = study.experiment
        config = e.counterfactual.random
        ks = sorted({*e.counterfactual.all_ks(), *config.sizes()})
        half = e.dataset.images // 2
        numbers = [(number, k) for number in range(config.sets) for k in ks]
        numbers += [(number, half) for number in range(config.half_size_sets)]
        for number, k in dict.fromkeys(numbers):
            yield random_removal(study, number, k)

    def path(self, removal: Removal) -> str:
        """`random/s<number>/k<K>`."""
        return f"{RANDOM}/s{removal.number}/k{removal.k}"

    def files(self, removal: Removal) -> dict[str, list[str]]:
        """None."""
        return {}

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """The set of this number and seed."""
        assert removal.number is not None
        assert removal.set_seed is not None
        return random_set(images, removal.k, number=removal.number, seed=removal.set_seed)

    def is_pictured(self, removal: Removal, ks: Sequence[int]) -> bool:
        """Of the many random sets the first, at the methods' own K."""
        return removal.number == 0 and removal.k in ks


class Again(TopK):
    """Some of the top K's models from another seed: the retraining's share of an effect."""

    table: Table = "seeds"

    def models(self, study: Study) -> Iterator[Removal]:
        """For each method and K a model for every so many queries, methods taking turns."""
        e = study.experiment
        again = e.counterfactual.again
        if again is None:
            return
        for place, method in enumerate(e.methods):
            for query in study.test[place % again.every :: again.every]:
                for k in e.counterfactual.k:
                    yield Removal("again", method, k, again.seed, targets=(query,))

    def path(self, removal: Removal) -> str:
        """`again-<method>/<query>-seed<seed>/k<K>`: an arm of each method, as joins need."""
        name = f"{removal.targets[0]}-seed{removal.training_seed}"
        return f"again-{removal.method}/{name}/k{removal.k}"

    def is_pictured(self, removal: Removal, ks: Sequence[int]) -> bool:
        """None."""
        return False


class Nothing:
    """Nothing removed, trained from other seeds: the noise floor, and ensembles of methods."""

    table: Table = "measurements"
    counted: str | None = None

    def models(self, study: Study) -> Iterator[Removal]:
        """A model for each seed of `retrain_seeds`, and of the ensembles of influence methods."""
        e = study.experiment
        for seed in e.counterfactual.retrain_seeds:
            yield self.model(study, seed)

    def model(self, study: Study, seed: int) -> Removal:
        """The model of one seed."""
        return Removal("nothing", NO_REMOVAL, 0, seed, number=None, others=study.queries)

    def path(self, removal: Removal) -> str:
        """`no_removal/seed<seed>/k0`."""
        return f"{NO_REMOVAL}/seed{removal.training_seed}/k0"

    def files(self, removal: Removal) -> dict[str, list[str]]:
        """None."""
        return {}

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """No rows."""
        return np.empty(0, np.int64)

    def is_pictured(self, removal: Removal, ks: Sequence[int]) -> bool:
        """All."""
        return True


class Replica(Nothing):
    """The source model trained again, of a study that joins another: how far machines are apart.

    Same seed, nothing removed. On the machine that trained the source, it is the source.
    """

    table: Table = "drift"

    def models(self, study: Study) -> Iterator[Removal]:
        """One model, in a study that joins another."""
        if study.experiment.joins:
            yield Removal("replica", REPLICA, 0, study.seed, others=study.queries)

    def path(self, removal: Removal) -> str:
        """`replica/seed<seed>/k0`."""
        return f"{REPLICA}/seed{removal.training_seed}/k0"

    def is_pictured(self, removal: Removal, ks: Sequence[int]) -> bool:
        """No."""
        return False


class Groups:
    """A group of like images: the models behind the oracle."""

    table: Table = None
    counted: str | None = None

    def models(self, study: Study) -> Iterator[Removal]:
        """A model for each group."""
        e = study.experiment
        for number, size in enumerate(e.oracle.sizes(e.dataset.images) if e.oracle else []):
            yield Removal("group", GROUP, size, study.seed, number=number, others=study.queries)

    def path(self, removal: Removal) -> str:
        """`group/g<number>/k<size>`."""
        return f"{GROUP}/g{removal.number}/k{removal.k}"

    def files(self, removal: Removal) -> dict[str, list[str]]:
        """The group of each image."""
        return {"groups": ["data/groups.npy"]}

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """The group's members."""
        from leavekout.runtime.artifacts import load_npy

        return np.flatnonzero(load_npy(files["groups"][0]) == removal.number)

    def is_pictured(self, removal: Removal, ks: Sequence[int]) -> bool:
        """None."""
        return False


class Unions:
    """The top K of several queries removed together, from one model for all of them.

    The random union is that of as many random sets of K, the control to compare with.
    """

    table: Table = "removals"
    counted: str | None = None

    def models(self, study: Study) -> Iterator[Removal]:
        """Models of each method and of random removal, for consecutive runs of test queries."""
        e = study.experiment
        config = e.counterfactual.union
        if config is None:
            return
        for number in range(config.sets):
            first = number * config.queries
            turned = [*study.test[first:], *study.test[:first]]
            targets = tuple(turned[: config.queries])
            others = tuple(turned[config.queries : config.queries + config.others])
            for method in [*config.methods, RANDOM]:
                seed = e.counterfactual.random.seed if method == RANDOM else None
                yield Removal(
                    "union",
                    method,
                    config.k,
                    study.seed,
                    number=number,
                    set_seed=seed,
                    targets=targets,
                    others=others,
                )

    def path(self, removal: Removal) -> str:
        """`union/<method>-u<number>/k<K>`."""
        return f"union/{removal.method}-u{removal.number}/k{removal.k}"

    def files(self, removal: Removal) -> dict[str, list[str]]:
        """The method's scores of each target."""
        return {} if removal.method == RANDOM else POLICIES["top"].files(removal)

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """Every row that is in one of the sets, ascending."""
        if removal.method == RANDOM:
            assert removal.number is not None
            assert removal.set_seed is not None
            first = _FIRST_UNION_SET + removal.number * len(removal.targets)
            sets = [
                random_set(images, removal.k, number=first + i, seed=removal.set_seed)
                for i in range(len(removal.targets))
            ]
        else:
            sets = _best(removal, files, images)
        return np.unique(np.concatenate(sets))

    def is_pictured(self, removal: Removal, ks: Sequence[int]) -> bool:
        """None."""
        return False


class Together(TopK):
    """The top K of all tuning queries removed together: one model shows what a setting is worth."""

    def models(self, study: Study) -> Iterator[Removal]:
        """None: they are of the tuning alone."""
        yield from ()

    def path(self, removal: Removal) -> str:
        """`<method>/together/k<K>`."""
        return f"{removal.method}/together/k{removal.k}"

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """Every row that is among the K best of one of the queries, ascending."""
        return np.unique(np.concatenate(_best(removal, files, images)))


POLICIES: dict[str, Policy] = {
    "top": TopK(),
    "together": Together(),
    "random": RandomSets(),
    "again": Again(),
    "nothing": Nothing(),
    "replica": Replica(),
    "group": Groups(),
    "union": Unions(),
}


def models_of(study: Study) -> list[Removal]:
    """Every model that a study retrains, those of its tuning left out."""
    return [removal for policy in POLICIES.values() for removal in policy.models(study)]


def pictured(study: Study) -> list[Removal]:
    """The models whose pictures galleries show."""
    ks = study.experiment.counterfactual.all_ks()
    return [one for one in models_of(study) if POLICIES[one.policy].is_pictured(one, ks)]


def tuning_models(study: Study) -> list[Removal]:
    """The models by which methods are compared on tuning queries, with their controls."""
    e = study.experiment
    if e.tuning is None:
        return []
    if e.tuning.together:
        policy, targets = "together", [tuple(study.tuning)]
    else:
        policy, targets = "top", [(query,) for query in study.tuning]
    return [
        *(
            Removal(policy, method, k, study.seed, targets=names)
            for method in e.tuning.methods
            for names in targets
            for k in e.tuning.k
        ),
        *(
            random_removal(study, number, k)
            for number in range(e.counterfactual.random.sets)
            for k in e.tuning.k
        ),
        *POLICIES["nothing"].models(study),
    ]


def ensemble_models(study: Study) -> list[Removal]:
    """The further source models that influence methods average over."""
    seeds = {s for method in study.experiment.influence.values() for s in method.source_seeds}
    return [Nothing().model(study, seed) for seed in sorted(seeds - {study.seed})]


def random_removal(study: Study, number: int, k: int) -> Removal:
    """The random set of a number and size, evaluated on all queries."""
    seed = study.experiment.counterfactual.random.seed
    return Removal("random", RANDOM, k, study.seed, number, seed, others=study.queries)


def looked_at_elsewhere(removal: Removal, study: Study) -> Removal:
    """The same, evaluated on the other test queries and the target's related prompts, too."""
    target, config = removal.targets[0], study.experiment.forgetting
    assert config
    return replace(
        removal,
        others=tuple(query for query in study.test if query != target),
        related=tuple(related_names(target, config.related)),
    )


def related_names(query: str, count: int) -> list[str]:
    """The names of a query's related prompts: `q000-r00`, `q000-r01`, …"""
    return [f"{query}-r{i:02d}" for i in range(count)]


def rows_to_remove(removal: Removal, files: Mapping[str, list[Path]], *, images: int) -> np.ndarray:
    """The rows that a model goes without: int64, each once."""
    return POLICIES[removal.policy].rows(removal, files, images)


def _best(removal: Removal, files: Mapping[str, list[Path]], images: int) -> list[np.ndarray]:
    from leavekout.attribution.scores import read_scores, top_k  # here: they read arrays

    return [
        top_k(read_scores(path, images=images, method=removal.method), removal.k)
        for path in files["scores"]
    ]


def random_set(images: int, k: int, *, number: int, seed: int) -> np.ndarray:
    """K rows drawn uniformly: int64 [K].

    Sets of one number are nested in K, so a curve over K follows growing sets.
    """
    import torch  # here, as the module is imported wherever a workflow is parsed

    from leavekout.noise import Domain, words

    order = words(seed, Domain.REMOVAL, torch.arange(images), number)
    return torch.argsort((order[0] << 31) | (order[1] >> 1), stable=True)[:k].numpy()
