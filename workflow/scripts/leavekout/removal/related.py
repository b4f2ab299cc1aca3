"""Models that the forgetting check looks at: evaluated beyond their own query."""

from dataclasses import replace

from leavekout.removal.removal import Removal, Study


def looked_at_elsewhere(removal: Removal, study: Study) -> Removal:
    """The same, evaluated on the other test queries and the target's related prompts, too."""
    target, config = removal.targets[0], study.experiment.forgetting
    assert config
    return replace(
        removal,
        others=tuple(query for query in study.test if query != target),
        related=tuple(related_names(target, config.related)),
    )


def related_names(query: str, count: int) -> list[str]:
    """The names of a query's related prompts: `q000-r00`, `q000-r01`, …"""
    return [f"{query}-r{i:02d}" for i in range(count)]
