"""Removal policies: which models a study trains, and which rows each of them lacks.

A policy is a function that yields `Removal`s, and a case of `removed_rows`.
"""

import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leavekout.contract.removal import GROUP, NO_REMOVAL, RANDOM, REPLICA, TOPIC, Removal
from leavekout.leave_k_out.config import LeaveKOut

if TYPE_CHECKING:
    from leavekout.base.noise import Domain

_FIRST_UNION_SET = 1 << 31  # so that random sets of unions differ from those of the control


def study_models(e: LeaveKOut) -> list[Removal]:
    """Every model that a study trains, except for its tuning."""
    policies = (top_k, random_sets, topic_sets, again, no_removal, replica, groups, unions)
    return [removal for policy in policies for removal in policy(e)]


def tuning_models(e: LeaveKOut) -> list[Removal]:
    """The models that compare settings on tuning queries, with their controls."""
    if e.tuning is None:
        return []
    if e.tuning.together:
        return [*tuned_together(e), *no_removal(e)]
    cells = product(e.tuning.methods, e.tuning_queries(), e.tuning.k)
    controls = product(range(e.counterfactual.random.sets), e.tuning.k)
    return [
        *(_top(e, method, query, k) for method, query, k in cells),
        *(_random(e, number, k) for number, k in controls),
        *no_removal(e),
    ]


def ensemble_models(e: LeaveKOut, seeds: Collection[int]) -> list[Removal]:
    """The further source models that some methods average over, one for each training seed."""
    return [_no_removal(e, seed) for seed in sorted({*seeds} - {e.training.seed})]


def top_k(e: LeaveKOut) -> Iterator[Removal]:
    """`top`: D_ẑ^K, the K images that a method scores highest for a query.

    Models of the forgetting check are evaluated on other prompts, too.
    """
    check = e.forgetting
    for method in e.methods:
        for query in e.test_queries():
            for k in e.counterfactual.ks_of(method):
                removal = _top(e, method, query, k)
                if check and method in check.methods and k in check.k:
                    removal = checked_elsewhere(removal, e)
                yield removal


def _top(e: LeaveKOut, method: str, query: str, k: int) -> Removal:
    return _trained(
        f"{method}/{query}/k{k}",
        Removal("top", method, k, e.training.seed, targets=(query,)),
        table="measurements",
        pictured=True,
    )


def random_sets(e: LeaveKOut) -> Iterator[Removal]:
    """`random`: K images drawn uniformly, the control that all queries share.

    Sets of one number are nested in K: one for every K of the methods and of the random curve. Some
    more have half of the images.
    """
    config, half = e.counterfactual.random, e.dataset.images // 2
    ks = sorted({*e.counterfactual.all_ks(), *config.sizes()})
    sets = [*product(range(config.sets), ks), *product(range(config.half_size_sets), [half])]
    for number, k in dict.fromkeys(sets):
        yield _random(e, number, k)


def _random(e: LeaveKOut, number: int, k: int) -> Removal:
    seed, queries = e.counterfactual.random.seed, e.query_names()
    return _trained(
        f"{RANDOM}/s{number}/k{k}",
        Removal("random", RANDOM, k, e.training.seed, number, seed, others=queries),
        table="measurements",
        # Only the first random set, at the methods' values of K.
        pictured=number == 0 and k in e.counterfactual.all_ks(),
    )


def topic_sets(e: LeaveKOut) -> Iterator[Removal]:
    """`topic`: K images drawn from those on a query's topic, a control of this query alone.

    For the values of K that all methods have.
    """
    config = e.counterfactual.topic
    if config is None:
        return
    for query, number, k in product(e.test_queries(), range(config.sets), e.counterfactual.k):
        yield _trained(
            f"{TOPIC}/{query}-s{number}/k{k}",
            Removal("topic", TOPIC, k, e.training.seed, number, config.seed, targets=(query,)),
            table="measurements",
            pictured=number == 0,
        )


def no_removal(e: LeaveKOut) -> Iterator[Removal]:
    """`nothing`: models of other seeds without a removal, the noise floor."""
    for seed in e.counterfactual.retrain_seeds:
        yield _no_removal(e, seed)


def _no_removal(e: LeaveKOut, seed: int) -> Removal:
    return _trained(
        f"{NO_REMOVAL}/seed{seed}/k0",
        Removal("nothing", NO_REMOVAL, 0, seed, others=e.query_names()),
        table="measurements",
        pictured=seed in e.counterfactual.retrain_seeds[:1],  # others look similar
    )


def replica(e: LeaveKOut) -> Iterator[Removal]:
    """`replica`: the source model, trained again in a study that joins another.

    With the same seed and no removal, it shows how much the two machines differ.
    """
    if e.joins and not e.joins.continues:
        seed = e.training.seed
        yield _trained(
            f"{REPLICA}/seed{seed}/k0",
            Removal("replica", REPLICA, 0, seed, others=e.query_names()),
            table="drift",
        )


def groups(e: LeaveKOut) -> Iterator[Removal]:
    """`group`: a group of similar images, for the oracle."""
    for number, size in enumerate(e.oracle.sizes(e.dataset.images) if e.oracle else []):
        yield _trained(
            f"{GROUP}/g{number}/k{size}",
            Removal("group", GROUP, size, e.training.seed, number, others=e.query_names()),
        )


def again(e: LeaveKOut) -> Iterator[Removal]:
    """`again`: some models of the top K from another seed, which show the noise of retraining.

    The queries depend on the method's name alone, so all parts of a study choose the same. Over all
    queries, each method has at least one.
    """
    config, pool, trained = e.counterfactual.again, e.pool(), e.test_queries()
    if config is None:
        return
    for method in e.methods:
        first = zlib.crc32(method.encode()) % min(config.every, len(pool))
        for query in sorted({*pool[first :: config.every]} & {*trained}):
            for k in e.counterfactual.k:
                yield _trained(
                    f"again-{method}/{query}-seed{config.seed}/k{k}",
                    Removal("again", method, k, config.seed, targets=(query,)),
                    table="seeds",
                )


def unions(e: LeaveKOut) -> Iterator[Removal]:
    """`union`: the top K of several queries removed together (MUCS's protocol).

    The control is the union of as many random sets of K.
    """
    config, pool = e.counterfactual.union, e.pool()
    if config is None:
        return
    for number in range(config.sets):
        first = number * config.queries
        rotated = (*pool[first:], *pool[:first])
        targets = rotated[: config.queries]
        others = rotated[config.queries : config.queries + config.others]
        for method in [*config.methods, RANDOM]:
            seed = e.counterfactual.random.seed if method == RANDOM else None
            removal = Removal(
                "union", method, config.k, e.training.seed, number, seed, targets, others
            )
            yield _trained(f"union/{method}-u{number}/k{config.k}", removal, table="removals")


def tuned_together(e: LeaveKOut) -> Iterator[Removal]:
    """`together`: the union of all tuning queries, one model for each setting.

    The control is the union of as many random sets.
    """
    assert e.tuning
    random, targets, seed = e.counterfactual.random, e.tuning_queries(), e.training.seed
    for k in e.tuning.k:
        for method in e.tuning.methods:
            removal = Removal("together", method, k, seed, targets=targets)
            yield _trained(f"{method}/together/k{k}", removal, table="measurements")
        for number in range(random.sets):
            removal = Removal("together", RANDOM, k, seed, number, random.seed, targets)
            yield _trained(f"{RANDOM}/together{number}/k{k}", removal, table="measurements")


def unlearned(e: LeaveKOut, method: str, query: str) -> Removal:
    """The model that unlearned a query, for the forgetting check; nothing is retrained for it."""
    removal = Removal("unlearned", method, 0, e.training.seed, targets=(query,))
    outcome = f"unlearned/{method}/{query}.safetensors"
    return replace(checked_elsewhere(removal, e), outcome=outcome, arm=method)


def checked_elsewhere(removal: Removal, e: LeaveKOut) -> Removal:
    """The same removal, evaluated on other test queries and on related prompts, too."""
    assert e.forgetting
    target = removal.targets[0]
    others = tuple(query for query in e.pool() if query != target)
    return replace(removal, others=others, related=related_names(target, e.forgetting.related))


def related_names(query: str, count: int) -> tuple[str, ...]:
    """The names of a query's related prompts: `q000-r00`, `q000-r01`, …"""
    return tuple(f"{query}-r{i:02d}" for i in range(count))


def _trained(path: str, removal: Removal, **where: Any) -> Removal:
    """The removal with its files. `path` is `<arm>/<model>/k<K>`."""
    inputs = {}
    if removal.policy == "group":
        inputs["groups"] = ["data/groups.npy"]
    elif removal.policy == "topic":
        inputs["topic"] = [f"topics/k{removal.k}/{query}.npy" for query in removal.targets]
    elif removal.targets and removal.method != RANDOM:
        inputs["scores"] = [f"attribution/{removal.method}/{q}.npy" for q in removal.targets]
    outcome = f"retrained/{path}/outcome.safetensors"
    return replace(removal, outcome=outcome, arm=path.split("/")[0], inputs=inputs, **where)


def removed_rows(removal: Removal, files: Mapping[str, list[Path]], *, images: int) -> np.ndarray:
    """The rows that a model lacks: int64, each once.

    Args:
        files: by the names of `removal.inputs`; images: N.
    """
    from leavekout.base.artifacts import load_npy  # here: the Snakefile imports this module
    from leavekout.contract.scores import read_scores, top_k

    def best() -> list[np.ndarray]:  # [K] of each target
        paths, method = files["scores"], removal.method
        scores = [read_scores(path, images=images, method=method) for path in paths]
        return [top_k(values, removal.k) for values in scores]

    def drawn(*numbers: int) -> list[np.ndarray]:
        assert removal.set_seed is not None
        seed = removal.set_seed
        return [random_set(images, removal.k, number=number, seed=seed) for number in numbers]

    number, targets = removal.number or 0, len(removal.targets)
    match removal.policy, removal.method:
        case "top" | "again", _:
            return best()[0]
        case "random", _:
            return drawn(number)[0]
        case "topic", _:
            assert removal.set_seed is not None
            topic, query, seed = load_npy(files["topic"][0]), removal.targets[0], removal.set_seed
            return topic_set(images, removal.k, topic, query=query, number=number, seed=seed)
        case "nothing" | "replica", _:
            return np.empty(0, np.int64)
        case "group", _:
            return np.flatnonzero(load_npy(files["groups"][0]) == number)
        case "union" | "together", "random":
            first = _FIRST_UNION_SET + number * targets
            return np.unique(np.concatenate(drawn(*range(first, first + targets))))
        case "union" | "together", _:
            return np.unique(np.concatenate(best()))
    raise ValueError(f"'{removal.policy}' is no removal policy")


def random_set(images: int, k: int, *, number: int, seed: int) -> np.ndarray:
    """K rows drawn uniformly: int64 [K]. Sets of one number are nested in K."""
    from leavekout.base.noise import Domain  # here: the Snakefile imports this module

    return _shuffled(images, seed, Domain.REMOVAL, number)[:k]


def topic_set(
    images: int, k: int, topic: np.ndarray, *, query: str, number: int, seed: int
) -> np.ndarray:
    """K rows drawn uniformly from a topic: int64 [K]; all of it and random others if it has fewer.

    Sets of one query and number are nested in K if their topics are the same.

    Args:
        topic: the rows on the query's topic; query: its name, such as `q007`.
    """
    from leavekout.base.noise import Domain

    order = _shuffled(images, seed, Domain.TOPIC, number, int(query[1:]))
    on_topic = np.isin(order, topic)
    return np.concatenate([order[on_topic], order[~on_topic]])[:k]


def _shuffled(images: int, seed: int, domain: "Domain", *identity: int) -> np.ndarray:
    """All rows in an order that is keyed to an identity: int64 [N]."""
    import torch

    from leavekout.base.noise import random_uint32

    words = random_uint32(seed, domain, torch.arange(images), *identity)
    return torch.argsort((words[0] << 31) | (words[1] >> 1), stable=True).numpy()
