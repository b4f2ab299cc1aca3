"""Refuses leave-K-out experiments that leave nothing to train or to compare, in one sentence."""

from leavekout.base.errors import InputError
from leavekout.config.checks import FileOf, require_within_schedule
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.methods import registry


def check(e: LeaveKOut, file_of: FileOf) -> None:
    """Refuses values that are fine alone and wrong together; raises InputError."""
    stride = e.evaluation.timestep_stride
    require_within_schedule(e, file_of, "evaluation.timestep_stride", stride)
    if e.dataset.source == "archives" and not e.dataset.archives:
        raise InputError(
            f"{file_of('dataset', 'archives')}: 'dataset.archives' names no archive to "
            "fetch; for files that are there already, set 'dataset.source' to 'folder'."
        )
    for method in e.forgetting.methods if e.forgetting else []:
        family = registry.family_of(e, method)
        if family is None or not family.unlearns(e, method):
            raise InputError(
                f"{file_of('forgetting', 'methods')}: 'forgetting.methods' names '{method}', which "
                "makes no unlearned model from the query alone."
            )
    if e.tuning and e.tuning.settings and e.tuning.criterion not in e.measures:
        raise InputError(
            f"{file_of('tuning', 'criterion')}: 'tuning.criterion' is '{e.tuning.criterion}', none "
            f"of the measures ({', '.join(e.measures)})."
        )
    if e.tuning and e.tuning.settings and not e.tuning.k:
        raise InputError(
            f"{file_of('tuning', 'k')}: 'tuning.k' is empty, and settings are chosen by what their "
            "removal costs."
        )
    _check_sizes(e, file_of)
    _check_forgetting(e, file_of)
    _check_controls(e, file_of)
    _check_unions(e, file_of)
    _check_further(e, file_of)


def _check_forgetting(e: LeaveKOut, file_of: FileOf) -> None:
    """Refuses models of the forgetting check that the study does not train."""
    if more := sorted({*(e.forgetting.k if e.forgetting else [])} - {*e.counterfactual.k}):
        raise InputError(
            f"{file_of('forgetting', 'k')}: 'forgetting.k' holds {more[0]:,}, and only models of "
            "'counterfactual.k' are trained; add it there, too."
        )


def _check_sizes(e: LeaveKOut, file_of: FileOf) -> None:
    n, union = e.dataset.images, e.counterfactual.union
    at_once = e.queries.tuning if e.tuning and e.tuning.together else 1
    ks = {
        "tuning.k": [k * at_once for k in e.tuning.k] if e.tuning else [],
        "forgetting.k": e.forgetting.k if e.forgetting else [],
        "counterfactual.k": e.counterfactual.k,
        "counterfactual.more.k": e.counterfactual.more.k if e.counterfactual.more else [],
        "counterfactual.random.k": e.counterfactual.random.sizes(),
        "counterfactual.union.k": [union.k * union.queries] if union else [],
    }
    for key, values in ks.items():
        for k in values:
            if k >= n:
                raise InputError(
                    f"{file_of(*key.split('.'))}: K = {k:,} leaves nothing of the {n:,} "
                    f"training images of experiment '{e.experiment}' ({key})."
                )

    if e.losses.refine:
        share = e.losses.refine.share
        removed = [*e.counterfactual.all_ks(), *(e.tuning.k if e.tuning else [])]
        removed += [union.k] if union else []
        if share * n < max(removed):
            raise InputError(
                f"{file_of('losses', 'refine', 'share')}: 'losses.refine.share' is {share}, which "
                f"is {share * n:,.0f} images, fewer than the {max(removed):,} that are removed."
            )


def _check_controls(e: LeaveKOut, file_of: FileOf) -> None:
    sets, halves = e.counterfactual.random.sets, e.counterfactual.random.half_size_sets
    if halves == 1 or (halves and abs(halves - sets) == 1):
        raise InputError(
            f"{file_of('counterfactual', 'random', 'half_size_sets')}: "
            f"'counterfactual.random.half_size_sets' is {halves} beside {sets} sets, which leaves "
            "one model alone, whose noise cannot be seen; choose 0, as many as 'sets', or at least "
            "two more or fewer."
        )
    if e.training.seed in e.counterfactual.retrain_seeds:
        raise InputError(
            f"{file_of('counterfactual', 'retrain_seeds')}: "
            f"'counterfactual.retrain_seeds' holds {e.training.seed}, the source model's own seed "
            "('training.seed'): that retraining gives the source model again, not the noise floor."
        )


def _check_further(e: LeaveKOut, file_of: FileOf) -> None:
    """Refuses a K that is named twice, and a second seed without its control."""
    more, again = e.counterfactual.more, e.counterfactual.again
    if more and (twice := sorted({*more.k} & {*e.counterfactual.k})):
        raise InputError(
            f"{file_of('counterfactual', 'more')}: K = {twice[0]:,} stands in 'counterfactual.k' "
            "and in 'counterfactual.more.k'."
        )
    if again and again.seed not in e.counterfactual.retrain_seeds:
        raise InputError(
            f"{file_of('counterfactual', 'again')}: 'counterfactual.again.seed' is {again.seed}, "
            "and none of 'counterfactual.retrain_seeds'; a model of that seed that lacks nothing "
            "is what the others are compared with."
        )


def _check_unions(e: LeaveKOut, file_of: FileOf) -> None:
    union = e.counterfactual.union
    if union is None:
        return
    where = f"{file_of('counterfactual', 'union')}: 'counterfactual.union'"
    if union.sets * union.queries > e.queries.test:
        raise InputError(
            f"{where} has {union.sets} unions of {union.queries} queries, more than the "
            f"{e.queries.test} test queries."
        )
    if union.queries + union.others > e.queries.test:
        raise InputError(
            f"{where} takes {union.queries} queries and {union.others} others of the "
            f"{e.queries.test} test queries."
        )
