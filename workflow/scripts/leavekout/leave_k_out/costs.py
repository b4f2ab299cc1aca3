"""The expected costs of jobs that only leave-K-out experiments have."""

from dataclasses import replace

from leavekout.leave_k_out.config import LeaveKOut
from leavekout.leave_k_out.statistics.pictures import SIDE, WITH_LOSSES
from leavekout.planning.costs import FLOAT_MB, Cost, Costs


class LeaveKOutCosts(Costs):
    """The costs of retraining, evaluating and measuring."""

    def __init__(self, experiment: LeaveKOut) -> None:
        super().__init__(experiment)
        self.study = experiment

    def query_losses(self, queries: int) -> Cost:
        """The losses of queries at every timestep of the evaluation."""
        stride = self.study.evaluation.timestep_stride
        return self.cost(forward=queries * self.timesteps(stride))

    def looking(self, queries: int) -> Cost:
        """Whether queries show their prompts: features, distances, losses of some images."""
        losses = self.query_losses(WITH_LOSSES)
        side = min(SIDE, self.e.dataset.image_size)
        further = (self.images + queries) / self.rates.encoding_per_second
        memory_mb = losses.memory_mb + FLOAT_MB * self.images * side**2 * 3
        return replace(losses, seconds=losses.seconds + further, memory_mb=memory_mb)

    def evaluation(self, queries: int) -> Cost:
        """The outcome of one model on `queries`: their losses and pictures."""
        loss, picture = self.query_losses(queries), self.sampling(queries)
        seconds = loss.seconds + picture.seconds - self.rates.start_seconds
        return Cost(seconds, picture.memory_mb, 0.1 * queries)

    def retraining(self, removed: int, queries: int) -> Cost:
        """A leave-K-out model: its training, and its outcome on `queries`."""
        training, after = self.training(removed), self.evaluation(queries)
        kept_mb = self.weights_mb if self.study.counterfactual.keep_models else 0.0
        seconds = training.seconds + after.seconds - self.rates.start_seconds
        return Cost(seconds, training.memory_mb, after.disk_mb + kept_mb, resumes=True)

    def evaluated(self, step: Cost, queries: int) -> Cost:
        """A step that makes a model, and the model's outcome on `queries`."""
        after = self.evaluation(queries)
        seconds = step.seconds + after.seconds - self.rates.start_seconds
        return Cost(seconds, step.memory_mb + after.memory_mb, after.disk_mb)

    def measuring(self, pictures: int, encoders: int) -> Cost:
        """All measures of `pictures`, each with some image encoders."""
        return self.cost(encoding=pictures * encoders, memory_mb=2000)
