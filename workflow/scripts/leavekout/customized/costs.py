"""The expected cost of customizing a model."""

from leavekout.customized.config import CustomizedExperiment
from leavekout.planning.costs import Cost, Costs


class CustomizedCosts(Costs):
    """The costs of an experiment on customized models."""

    def __init__(self, experiment: CustomizedExperiment) -> None:
        super().__init__(experiment)
        self.training_of_models = experiment.customized.training

    def customization(self) -> Cost:
        """Fine-tuning of one model: exemplars, and as many images of the pool."""
        config = self.training_of_models
        samples = 2 * config.steps * config.batch_size if config else 0
        return self.cost(training=samples, memory_mb=self.data_mb + 3 * self.weights_mb)
