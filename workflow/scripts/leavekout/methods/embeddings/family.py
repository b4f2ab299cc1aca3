"""The family of similarity of features: its refusals, costs and preparation."""

from collections.abc import Mapping
from typing import ClassVar

from leavekout.config.experiment import Experiment
from leavekout.methods.embeddings.settings import KNOWN, Embedding
from leavekout.methods.family import Family, KeyInfo, Refuse
from leavekout.planning.costs import Cost, Costs


class EmbeddingsFamily(Family[Embedding]):
    """Each entry compares the features of one encoder."""

    section = "embeddings"
    keys: ClassVar[Mapping[str, KeyInfo]] = {
        "embeddings": KeyInfo(Embedding, "Attribution by similarity of features.", KNOWN)
    }

    def check(self, e: Experiment, refuse: Refuse, used: set[str]) -> None:
        """Refuses encoders that are not there, and text features of any but CLIP."""
        encoders = e.encoders.names()
        for name, one in self.entries(e).items():
            if one.encoder not in encoders:
                known = ", ".join(sorted(encoders))
                refuse(self.section, name, "encoder", reason=f"is none of the encoders ({known})")
            if one.features == "text" and one.encoder != "clip":
                reason = "can be 'text' for the encoder clip only"
                refuse(self.section, name, "features", reason=reason)

    def cost(self, costs: Costs, method: str) -> Cost:
        """Of comparing cached features."""
        return costs.similarity(costs.queries)

    def preparation(self, e: Experiment, method: str) -> list[str]:
        """The features of all training images."""
        one = self.entries(e)[method]
        return [f"encode_features/{one.encoder}/{one.features}"]


EMBEDDINGS = EmbeddingsFamily()
