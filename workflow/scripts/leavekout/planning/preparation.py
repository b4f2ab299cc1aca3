"""What is done once for a method's scores, however many queries there are."""

from collections.abc import Iterable

from leavekout.config.leave_k_out import LeaveKOut


def preparation_of(e: LeaveKOut, method: str) -> list[str] | None:
    """Benchmark files, below a study's benchmarks, of the jobs that prepare a method's scores.

    Training of the encoders and of the source model is no method's, that of an ensemble's further
    models is. None for a method that is no entry of the configuration and has a rule of its own.
    """
    paths: Iterable[str] = ()
    if method in e.patches or method == "pixel":
        pass
    elif method in e.unlearning:
        paths = _for_unlearning(e, method)
    elif method in e.embeddings:
        entry = e.embeddings[method]
        paths = [f"encode_features/{entry.encoder}/{entry.features}"]
    elif method in e.influence:
        paths = _for_influence(e, method)
    elif method in e.ekfac_influence:
        paths = [f"estimate_gauss_newton/{e.ekfac_influence[method].weights}"]
    elif method in e.distilled:
        paths = _for_distilled(e, method)
    else:
        return None
    return [f"{path}.tsv" for path in paths]


def _for_unlearning(e: LeaveKOut, method: str) -> list[str]:
    config = e.unlearning[method]
    paths = [f"source_losses/source/{config.objective}"]
    if e.losses.refine:
        paths.append(f"source_losses/source/refined/{config.objective}")
    if config.step == "newton":
        curvature = {"diagonal": "estimate_fisher", "ekfac": "estimate_ekfac"}[config.curvature]
        paths.append(f"{curvature}/{config.weights}")
    return paths


def _for_influence(e: LeaveKOut, method: str) -> list[str]:
    config = e.influence[method]
    paths = []
    for seed in config.source_seeds:
        paths.append(f"project_gradients/{config.gradients}/seed{seed}")
        model = "source"
        if seed != e.training.seed:
            model = f"seed{seed}"
            paths.append(f"retrain/no_removal/{model}/k0")
        if config.solver == "das":
            paths.append(f"source_losses/{model}/loss")
    return paths


def _for_distilled(e: LeaveKOut, method: str) -> list[str]:
    config = e.distilled[method]
    teacher = [f"teacher/{config.teacher}/d{i:03d}" for i in range(e.queries.teacher)]
    features = [f"encode_features/{config.encoder}/image", "encode_features/clip/text"]
    chosen = ["sample_teacher_queries", f"find_neighbours/{config.encoder}"]
    students = [f"distill/{method}", *(f"distill/{method}/{i}" for i in range(1, config.students))]
    trained = [*chosen, *teacher, *features, *students]
    return [*_for_unlearning(e, config.teacher), *trained]
