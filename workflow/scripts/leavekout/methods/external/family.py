"""The family of scores that were computed elsewhere."""

from pathlib import Path

from leavekout.base.errors import InputError
from leavekout.config.experiment import Experiment
from leavekout.methods.family import Family, KeyInfo

_TEXT = """Scores that were computed elsewhere.

Each entry is a method: its key is the method's name, and its value is a folder. The folder has a
file for each query. `q000.npy` has one float for each image in the order of `data/images.parquet`.
`q000.parquet` has the columns `image_id` and `score`, in any order. The target `queries` makes the
queries to compute them for."""


class ExternalFamily(Family[str]):
    """Each entry is a folder of score files."""

    section = "external"
    key = KeyInfo(str, _TEXT, {})
    from_elsewhere = True

    def score_file(self, e: Experiment, method: str, query: str) -> str:
        """The file of a method's scores of a query; raises InputError if there is none."""
        table = Path(self.entries(e)[method]) / f"{query}.parquet"
        array = table.with_suffix(".npy")
        if not table.exists() and not array.exists():
            raise InputError(
                f"external: method '{method}' has no scores of query {query}; neither {array} nor "
                f"{table.name} exists."
            )
        return str(table if table.exists() else array)


EXTERNAL = ExternalFamily()
