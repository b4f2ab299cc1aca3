"""Reads queries from the files that `generation.write_queries` writes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from leavekout.base.artifacts import load_image, load_npy, load_table


@dataclass
class Queries:
    """Q queries as the source model generated them."""

    names: list[str]
    noise_seeds: list[int]
    latents: Tensor  # [Q, 4, h, w], the sampler's final latents
    text: Tensor  # [Q, T, E]
    rows: list[int]  # their rows in the arrays of all queries

    @classmethod
    def load(
        cls,
        files: Mapping[str, Any] | Any,
        names: Sequence[str],
        device: torch.device,
        *,
        of: str = "query",
    ) -> "Queries":
        """The queries of these names, in this order.

        Args:
            files: paths of `<of>_table`, `<of>_latents` and `<of>_text`.
        """
        table = load_table(files[f"{of}_table"]).reset_index().set_index("query")
        chosen = table.loc[list(names)]
        rows = chosen["index"].tolist()
        latents, text = (load_npy(files[f"{of}_{part}"], mmap=True) for part in ("latents", "text"))
        return cls(
            names=list(names),
            noise_seeds=chosen["noise_seed"].tolist(),
            latents=torch.from_numpy(latents[rows]).to(device),
            text=torch.from_numpy(text[rows]).to(device),
            rows=rows,
        )

    def __iter__(self) -> Iterator["Queries"]:
        """Each query by itself."""
        return self.split(1)

    def split(self, size: int) -> Iterator["Queries"]:
        """So many queries at a time; the last may be fewer."""
        for start in range(0, len(self.names), size):
            here = slice(start, start + size)
            yield Queries(
                self.names[here],
                self.noise_seeds[here],
                self.latents[here],
                self.text[here],
                self.rows[here],
            )


def load_sets(
    files: Any,
    targets: Sequence[str],
    others: Sequence[str],
    related: Sequence[str],
    device: torch.device,
) -> list[Queries]:
    """The non-empty sets of queries that a model is evaluated on.

    Targets are a set, and so a batch, of their own; other queries cannot change their last digits.

    Args:
        files: as in `Queries.load`, of `query`, and of `related` where there are related prompts.
    """
    sets = (("query", targets), ("query", others), ("related", related))
    return [Queries.load(files, names, device, of=of) for of, names in sets if names]


def load_pictures(folder: Path, names: Sequence[str]) -> np.ndarray:
    """The queries' pictures `<name>.png` in a folder: uint8 [Q, H, W, 3]."""
    return np.stack([load_image(folder / f"{name}.png") for name in names])
