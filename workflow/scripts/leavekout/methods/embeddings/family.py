"""The family of similarity of features: its refusals, costs and preparation."""

from collections.abc import Iterator
from pathlib import Path

from leavekout.config.download import Download
from leavekout.config.experiment import Experiment
from leavekout.methods.embeddings.settings import BUILT_IN, Embedding
from leavekout.methods.family import Family, KeyInfo, Problem
from leavekout.planning.costs import Cost, Costs


class EmbeddingsFamily(Family[Embedding]):
    """Each entry compares the features of one encoder."""

    section = "embeddings"
    key = KeyInfo(Embedding, "Attribution by similarity of features.", BUILT_IN)

    def problems(self, e: Experiment, entry: Embedding, *, used: bool) -> Iterator[Problem]:
        """Encoders that do not exist, and text features of any but CLIP."""
        encoders = e.encoders.names()
        if entry.encoder not in encoders:
            yield "encoder", f"is none of the encoders ({', '.join(sorted(encoders))})"
        if entry.features == "text" and entry.encoder != "clip":
            yield "features", "can be 'text' for the encoder clip only"

    def cost(self, costs: Costs, method: str) -> Cost:
        """Of comparing cached features."""
        return costs.similarity(costs.queries)

    def downloads(self, e: Experiment) -> dict[str, Download]:
        """Learned layers that others published."""
        mappers = {name: entry.mapper for name, entry in self.entries(e).items()}
        return {name: file for name, file in mappers.items() if isinstance(file, Download)}

    def try_mapper(self, file: str) -> None:
        """Reads learned layers of the user's, so that what is wrong with them is said early."""
        from leavekout.methods.embeddings.mapper import read_mapper  # it imports torch

        read_mapper(Path(file))

    def preparation(self, e: Experiment, method: str) -> list[str]:
        """The features of all training images."""
        entry = self.entries(e)[method]
        return [f"encode_features/{entry.encoder}/{entry.features}"]


EMBEDDINGS = EmbeddingsFamily()
