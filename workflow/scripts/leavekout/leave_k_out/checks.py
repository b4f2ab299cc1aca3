"""Refuses leave-K-out experiments with nothing to train or to compare, in one sentence."""

from collections.abc import Iterator

from leavekout.base.errors import InputError
from leavekout.config.checks import FileOf, require_within_schedule
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.methods import registry


def check(e: LeaveKOut, file_of: FileOf) -> None:
    """Refuses values that are valid alone and wrong together; raises InputError."""
    stride = e.evaluation.timestep_stride
    require_within_schedule(e, file_of, "evaluation.timestep_stride", stride)
    for key, reason in _reasons(e):
        raise InputError(f"{file_of(*key.split('.'))}: {reason}")


def _reasons(e: LeaveKOut) -> Iterator[tuple[str, str]]:
    """What is wrong with an experiment: the key and a sentence."""
    if e.dataset.source == "archives" and not e.dataset.archives:
        yield (
            "dataset.archives",
            "'dataset.archives' names no archive to fetch; for files that are there already, set "
            "'dataset.source' to 'folder'.",
        )
    if e.dataset.pictures and e.dataset.source != "archives":
        yield (
            "dataset.pictures",
            "'dataset.pictures' is an address to fetch from, which only 'dataset.source: archives' "
            "does.",
        )
    yield from _of_tuning_and_forgetting(e)
    yield from _of_sizes(e)
    yield from _of_controls(e)
    yield from _of_topics(e)
    yield from _of_queries(e)
    yield from _of_unions(e)


def _of_tuning_and_forgetting(e: LeaveKOut) -> Iterator[tuple[str, str]]:
    for method in e.forgetting.methods if e.forgetting else []:
        family = registry.family_of(e, method)
        if family is None or not family.unlearns(e, method):
            yield (
                "forgetting.methods",
                f"'forgetting.methods' names '{method}', which makes no unlearned model from the "
                "query alone.",
            )
    if e.tuning and e.tuning.settings and e.tuning.criterion not in e.measures:
        yield (
            "tuning.criterion",
            f"'tuning.criterion' is '{e.tuning.criterion}', none of the measures "
            f"({', '.join(e.measures)}).",
        )
    if e.tuning and e.tuning.settings and not e.tuning.k:
        yield (
            "tuning.k",
            "'tuning.k' is empty, and settings are chosen by the effect of their removal.",
        )


def _of_sizes(e: LeaveKOut) -> Iterator[tuple[str, str]]:
    n, union, more = e.dataset.images, e.counterfactual.union, e.counterfactual.more
    at_once = e.queries.tuning if e.tuning and e.tuning.together else 1
    ks = {
        "tuning.k": [k * at_once for k in e.tuning.k] if e.tuning else [],
        "forgetting.k": e.forgetting.k if e.forgetting else [],
        "counterfactual.k": e.counterfactual.k,
        "counterfactual.more.k": more.k if more else [],
        "counterfactual.random.k": e.counterfactual.random.sizes(),
        "counterfactual.union.k": [union.k * union.queries] if union else [],
    }
    for key, values in ks.items():
        for k in values:
            if k >= n:
                yield (
                    key,
                    f"K = {k:,} leaves nothing of the {n:,} training images of experiment "
                    f"'{e.experiment}' ({key}).",
                )
    if more and (twice := sorted({*more.k} & {*e.counterfactual.k})):
        yield (
            "counterfactual.more",
            f"K = {twice[0]:,} is in 'counterfactual.k' and in 'counterfactual.more.k'.",
        )
    if untrained := sorted({*(e.forgetting.k if e.forgetting else [])} - {*e.counterfactual.k}):
        yield (
            "forgetting.k",
            f"'forgetting.k' holds {untrained[0]:,}, but only models of 'counterfactual.k' are "
            "trained; add it there, too.",
        )
    if e.losses.refine:
        share = e.losses.refine.share
        removed = [*e.counterfactual.all_ks(), *(e.tuning.k if e.tuning else [])]
        removed += [union.k] if union else []
        if share * n < max(removed):
            yield (
                "losses.refine.share",
                f"'losses.refine.share' is {share}, which is {share * n:,.0f} images, fewer than "
                f"the {max(removed):,} that are removed.",
            )


def _of_controls(e: LeaveKOut) -> Iterator[tuple[str, str]]:
    sets, halves = e.counterfactual.random.sets, e.counterfactual.random.half_size_sets
    seeds, again = e.counterfactual.retrain_seeds, e.counterfactual.again
    if halves == 1 or (halves and abs(halves - sets) == 1):
        yield (
            "counterfactual.random.half_size_sets",
            f"'counterfactual.random.half_size_sets' is {halves} beside {sets} sets. This leaves "
            "one model alone, which does not show its noise; choose 0, as many as 'sets', or at "
            "least two more or fewer.",
        )
    if e.training.seed in seeds:
        yield (
            "counterfactual.retrain_seeds",
            f"'counterfactual.retrain_seeds' holds {e.training.seed}, the source model's own seed "
            "('training.seed'): this retraining gives the source model again, not the noise floor.",
        )
    if again and again.seed not in seeds:
        yield (
            "counterfactual.again",
            f"'counterfactual.again.seed' is {again.seed}, and none of "
            "'counterfactual.retrain_seeds'; the others are compared with the model of that seed "
            "that has no removal.",
        )


def _of_topics(e: LeaveKOut) -> Iterator[tuple[str, str]]:
    topic, n = e.counterfactual.topic, e.dataset.images
    drawn_from = topic.nearest * max(e.counterfactual.k) if topic else 0
    if topic and not e.dataset.topics and drawn_from > n:
        yield (
            "counterfactual.topic",
            f"'counterfactual.topic.nearest' · K = {drawn_from:,} is more than the {n:,} training "
            "images; lower it, or name the captions' topics in 'dataset.topics'.",
        )


def _of_queries(e: LeaveKOut) -> Iterator[tuple[str, str]]:
    trained, test = e.counterfactual.queries, e.queries.test
    subjects = e.queries.subjects
    if subjects and e.published.queries:
        yield (
            "queries.subjects",
            "'queries.subjects' draws prompts, and 'published.queries' gives them; leave one out.",
        )
    if subjects and len(subjects) < max(test, e.queries.tuning):
        yield (
            "queries.subjects",
            f"'queries.subjects' names {len(subjects)}, fewer than the queries of different "
            f"subjects ({max(test, e.queries.tuning)}).",
        )
    if trained and trained > test:
        yield (
            "counterfactual.queries",
            f"'counterfactual.queries' is {trained}, but there are {test} test queries "
            "('queries.test').",
        )
    looks, now = e.counterfactual.looks, len(e.test_queries())
    if looks and (looks != sorted({*looks}) or looks[-1] > test):
        yield (
            "counterfactual.looks",
            f"'counterfactual.looks' is {looks}; its numbers should ascend, to at most the {test} "
            "test queries ('queries.test').",
        )
    if looks and now not in looks:
        yield (
            "counterfactual.looks",
            f"'counterfactual.looks' is {looks}, but models are trained for {now} queries, which "
            "is none of the planned looks; change 'counterfactual.queries'.",
        )


def _of_unions(e: LeaveKOut) -> Iterator[tuple[str, str]]:
    union, test, trained = e.counterfactual.union, e.queries.test, len(e.test_queries())
    if union and union.sets * union.queries > trained:
        yield (
            "counterfactual.union",
            f"'counterfactual.union' has {union.sets} unions of {union.queries} queries, more than "
            f"the {trained} test queries that models are trained for.",
        )
    if union and union.queries + union.others > test:
        yield (
            "counterfactual.union",
            f"'counterfactual.union' takes {union.queries} queries and {union.others} others of "
            f"the {test} test queries.",
        )
