"""The expected costs of customizing a model and of fetching the published benchmark."""

from leavekout.customized.config import CustomizedExperiment
from leavekout.planning.costs import Cost, Costs

# Gigabytes of the published archives as their data set lists them; the last part of the pool is
# taken for a whole one. Its authors name a million pictures.
_ARCHIVES_GB = {"exemplar": 17.2, "synth_test": 78.2, "models_test": 147.8, "laion_subset": 268.4}
_PICTURE_MB = 0.27


class CustomizedCosts(Costs):
    """The costs of an experiment on customized models."""

    def __init__(self, experiment: CustomizedExperiment) -> None:
        super().__init__(experiment)
        self.training_of_models = experiment.customized.training

    def customization(self) -> Cost:
        """Fine-tuning of one model: exemplars, and as many images of the pool."""
        config = self.training_of_models
        samples = 2 * config.steps * config.batch_size if config else 0
        return self.cost(training=samples, memory_mb=3 * self.weights_mb)

    def published_archive(self, archive: str) -> Cost:
        """Of downloading an archive and unpacking what is needed; then it is deleted."""
        return Cost(0, 8000, 1000 * _ARCHIVES_GB[archive])  # a list of a million members

    def written_pool(self) -> Cost:
        """Of the pool's pictures as they were published."""
        return Cost(0, 1000, _PICTURE_MB * self.images)
