"""Reads pickles of arrays in plain containers, without running any code that they name."""

import pickle
from pathlib import Path
from typing import Any

from leavekout.base.artifacts import reading
from leavekout.base.errors import InputError

# What NumPy's pickles name; NumPy 1 has its modules in numpy.core.
_MODULES = ("numpy", "numpy._core.multiarray", "numpy._core.numeric")
_NAMES = ("ndarray", "dtype", "_reconstruct", "scalar", "_frombuffer")


class _Arrays(pickle.Unpickler):
    """An unpickler that finds nothing but what makes arrays."""

    def find_class(self, module: str, name: str) -> Any:
        """The function or type of a name; raises an error for others than NumPy's arrays."""
        if (module, name) == ("_codecs", "encode"):  # bytes in pickles of protocol 2
            return _latin1
        module = module.replace("numpy.core.", "numpy._core.")
        if module not in _MODULES or name not in _NAMES:
            raise pickle.UnpicklingError(
                f"it names '{module}.{name}', and could run code; only arrays in dictionaries and "
                "lists are read"
            )
        return super().find_class(module, name)


def _latin1(text: str, encoding: str) -> bytes:
    return text.encode("latin1" if encoding == "latin1" else "ascii")


def load_pickle(path: Path, entry: str) -> Any:
    """Reads an entry of a pickle of dictionaries.

    Args:
        entry: keys, joined by dots; all of the pickle if it is empty.

    Raises:
        InputError: the pickle is damaged, names anything but arrays, or has no such entry.
    """
    advice = "use another copy of it"
    with (
        reading(path, "pickle of arrays alone", Exception, advice=advice),
        open(path, "rb") as file,
    ):
        unpickler = _Arrays(file)
        content = unpickler.load()
    for key in entry.split(".") if entry else ():
        if not isinstance(content, dict) or key not in content:
            known = ", ".join(map(repr, content)) if isinstance(content, dict) else "no keys"
            raise InputError(f"{path}: has no entry '{entry}'; at '{key}' there are {known}.")
        content = content[key]
    return content
