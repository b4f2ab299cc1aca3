"""The family of scores that were computed elsewhere."""

from collections.abc import Iterator
from pathlib import Path

from leavekout.base.errors import InputError, first_few
from leavekout.config.experiment import Experiment
from leavekout.methods.family import Family, KeyInfo, Problem

_TEXT = """Scores that were computed elsewhere.

Each entry is a method: its key is the method's name, and its value is a folder. The folder has a
file for each query. `q000.npy` has one float for each image in the order of `data/images.parquet`.
`q000.parquet` has the columns `image_id` and `score`, in any order. The target `queries` makes the
queries to compute them for. In place of a folder, `published.scores` takes the scores of that
section."""
_PUBLISHED = "published.scores"


class ExternalFamily(Family[str]):
    """Each entry is a folder of score files."""

    section = "external"
    key = KeyInfo(str, _TEXT, {})
    from_elsewhere = True

    def problems(self, e: Experiment, entry: str, *, used: bool) -> Iterator[Problem]:
        """Published scores that the configuration does not name."""
        if entry == _PUBLISHED and not e.published.scores:
            yield (f"is '{_PUBLISHED}', and there is no such section",)

    def score_file(self, e: Experiment, method: str, query: str) -> str:
        """The file of a method's scores of a query; raises InputError unless there is just one."""
        if self.entries(e)[method] == _PUBLISHED:
            return f"results/{e.experiment}/published_scores/{query}.npy"
        folder = Path(self.entries(e)[method])
        if set("{}") & set(str(folder)):
            raise InputError(
                f"external: the folder '{folder}' of method '{method}' has a curly bracket in its "
                "name, which Snakemake reads as a wildcard; rename it."
            )
        files = score_files(folder, query)
        if not files:
            queries = e.query_names()
            missing = [name for name in queries if not score_files(folder, name)] or [query]
            raise InputError(
                f"external: method '{method}' has no scores of {len(missing):,} of "
                f"{len(queries):,} queries, {first_few(missing)}; write '{query}.npy' or "
                f"'{query}.parquet' into '{folder}'."
            )
        if len(files) > 1:
            raise InputError(
                f"external: method '{method}' has two files of scores of query {query}, {files[0]} "
                f"and {files[1].name}; delete one of them."
            )
        return str(files[0])


def score_files(folder: Path, query: str) -> list[Path]:
    """The files in a folder that hold a query's scores."""
    return [path for end in ("parquet", "npy") if (path := folder / f"{query}.{end}").exists()]


EXTERNAL = ExternalFamily()
