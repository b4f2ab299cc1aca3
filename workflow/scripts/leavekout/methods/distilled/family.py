"""The family of distilled features: its refusals, costs and preparation."""

from collections.abc import Iterator, Mapping
from typing import Any

from leavekout.config.experiment import Experiment, numbered
from leavekout.methods.distilled.settings import BUILT_IN, Distilled
from leavekout.methods.family import Family, KeyInfo, Problem, Tree
from leavekout.methods.unlearning.family import UNLEARNING
from leavekout.planning.costs import FEATURES, FLOAT_MB, Cost, Costs

_TEXT = "Features that were distilled from attribution by unlearning."
_TEACHER_QUERIES = 24  # unless the configuration says how many


class DistilledFamily(Family[Distilled]):
    """Each entry learns from a variant of unlearning, its teacher."""

    section = "distilled"
    key = KeyInfo(Distilled, _TEXT, BUILT_IN)
    for_one_model = True

    def references(self, entry: Tree) -> list[tuple[str, str]]:
        """Its teacher."""
        return [("unlearning", str(entry.get("teacher", "abu-plus")))]

    def completed(self, tree: Tree, named: set[str]) -> Tree:
        """With queries to learn from, and no more candidates than a small study has."""
        entries, queries = tree.get(self.section), tree.get("queries")
        if not isinstance(entries, Mapping) or not isinstance(queries, Mapping):
            return tree
        if named & {*entries} and "teacher" not in queries:
            tree = {**tree, "queries": {**queries, "teacher": _TEACHER_QUERIES}}
        dataset = tree.get("dataset")
        images = dataset.get("images") if isinstance(dataset, Mapping) else None
        few = {"candidates": images // 2} if isinstance(images, int) and images < 600 else {}
        filled = {
            name: {**few, **entry} if isinstance(entry, Mapping) else entry
            for name, entry in entries.items()
        }
        return {**tree, self.section: filled}

    def problems(self, e: Experiment, entry: Distilled, *, used: bool) -> Iterator[Problem]:
        """Teachers, queries, encoders and candidates that do not exist."""
        encoders, images = e.encoders.names(), e.dataset.images
        if entry.teacher not in UNLEARNING.entries(e):
            yield "teacher", "is no entry of 'unlearning'"
        if entry.teacher in e.without and used:
            yield "teacher", "is among the methods of 'without'; leave this method out, too"
        if e.queries.teacher == 0 and used:
            yield ("has no queries to learn from: 'queries.teacher' is 0",)
        if entry.encoder not in encoders or "clip" not in encoders:
            yield "encoder", f"is none of the encoders ({', '.join(sorted(encoders))})"
        if entry.candidates > images and used:
            yield "candidates", f"are more than the {images:,} images"
        refine = e.losses.refine
        if refine and refine.share * images < entry.candidates:
            swept = f"{refine.share * images:,.0f} images that 'losses.refine.share' sweeps again"
            yield "candidates", f"are more than the {swept}"

    def cost(self, costs: Costs, method: str) -> Cost:
        """Of comparing distilled features."""
        return costs.similarity(costs.queries)

    def training_cost(self, costs: Costs, method: str) -> Cost:
        """Of training a small network on features."""
        entry = self.entries(costs.e)[method]
        pairs = entry.epochs * costs.e.queries.teacher * entry.candidates
        operations = 12.0 * pairs * entry.width * (entry.layers * entry.width + 2000)
        features_mb = FLOAT_MB * 3 * costs.images * costs.flips * 2 * FEATURES
        return costs.cost(further_seconds=operations / 2e10, memory_mb=features_mb, disk_mb=10)

    def teaching_cost(self, costs: Costs, teacher: str) -> Cost:
        """Of one query of a teacher: its unlearning, and a sweep of the neighbours alone."""
        nearby: dict[str, int] = {}
        for entry in self.entries(costs.e).values():
            if entry.teacher == teacher:
                nearby[entry.encoder] = max(entry.candidates, nearby.get(entry.encoder, 0))
        share = min(1.0, sum(nearby.values()) / costs.images)
        return UNLEARNING.cost(costs, teacher, share=share)

    def preparation(self, e: Experiment, method: str) -> list[str]:
        """The teacher's queries and scores, features, and the students."""
        entry: Any = self.entries(e)[method]
        return [
            *UNLEARNING.preparation(e, entry.teacher),
            *("sample_teacher_queries", f"find_neighbours/{entry.encoder}"),
            *(f"teacher/{entry.teacher}/{query}" for query in numbered("d", e.queries.teacher)),
            *(f"encode_features/{entry.encoder}/image", "encode_features/clip/text"),
            *(f"distill/{student}" for student in self.students(e, method)),
        ]

    def encoders_of(self, e: Experiment, teacher: str) -> list[str]:
        """The image encoders of the methods that learn from a teacher, each once."""
        entries = self.entries(e).values()
        return [*dict.fromkeys(entry.encoder for entry in entries if entry.teacher == teacher)]

    def nearest(self, e: Experiment, encoder: str) -> int:
        """How many neighbours by an encoder some method ranks."""
        return max(
            entry.candidates for entry in self.entries(e).values() if entry.encoder == encoder
        )

    def students(self, e: Experiment, method: str) -> list[str]:
        """The names of a method's students; the first has the method's own."""
        further = range(1, self.entries(e)[method].students)
        return [method, *(f"{method}/{number}" for number in further)]


DISTILLED = DistilledFamily()
