"""Reads and validates an experiment's configuration; each problem becomes one sentence."""

import difflib
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from leavekout.base.errors import InputError
from leavekout.config import checks
from leavekout.config.experiment import Experiment

Tree = dict[str, Any]
AnyExperiment = TypeVar("AnyExperiment", bound=Experiment)
_DIGEST = "LEAVEKOUT_CONFIGURATION"


def read_yaml(path: Path) -> Tree:
    """Reads a YAML file that holds a mapping; raises InputError if it does not."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such configuration file.")
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise InputError(f"{path}{line}: not valid YAML ({problem}).") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping of keys to values.")
    return content


def offer_package() -> None:
    """Lets the scripts of `extra_rules`, which are in other folders, import this package."""
    folders = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(folder for folder in folders if folder)


def require_unchanged(experiment: Experiment) -> None:
    """Rejects a configuration that changed after the run began.

    On a cluster each job reads the configuration files again, and would use other values than
    earlier jobs. The first Snakemake puts a digest in the environment, which its jobs inherit.
    `hardware` may change, because no result depends on it.
    """
    text = experiment.model_dump_json(exclude={"hardware"})
    digest = hashlib.sha256(text.encode()).hexdigest()
    if os.environ.setdefault(_DIGEST, digest) != digest:
        raise InputError(
            f"the configuration of experiment '{experiment.experiment}' changed after this run had "
            "begun; stop the run, and start it again with either version."
        )


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Tree:
    """Applies `changes` to `base`: mappings merge key by key, all other values are replaced.

    If `encoders` change their `source`, they have other keys, so the whole section is replaced.
    """
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            source = value.get("source", old.get("source"))
            other_kind = key == "encoders" and source != old.get("source")
            merged[key] = dict(value) if other_kind else merge(old, value)
        else:
            merged[key] = value
    return merged


@dataclass(frozen=True)
class Merged:
    """A merged configuration, and the files it comes from; later files override earlier ones."""

    tree: Tree
    sources: Sequence[tuple[Path, Tree]]

    def file_of(self, *key: str) -> str:
        """The last file that has the key, or else its nearest section."""
        for depth in range(len(key), 0, -1):
            for file, tree in reversed(self.sources):
                if _has(tree, key[:depth]):
                    return str(file)
        return str(self.sources[-1][0]) if self.sources else "--config"


def merged(config: Mapping[str, Any], files: Sequence[Path]) -> Merged:
    """Merges Snakemake's `config` with the files that it `extends`.

    Args:
        config: all configuration files and `--config` values, merged by Snakemake.
        files: the configuration files, in order. They resolve `extends:`, and errors name them.
    """
    sources = [(path, read_yaml(path)) for path in files]
    layers = [dict(config)]
    seen: set[Path] = set()
    while name := layers[0].pop("extends", None):
        folder = next((p.parent for p, t in sources if t.get("extends") == name), Path("config"))
        base = folder / str(name)
        if base.resolve() in seen:
            raise InputError(f"{base}: 'extends' leads back to this file.")
        seen.add(base.resolve())
        sources.insert(0, (base, read_yaml(base)))
        layers.insert(0, dict(sources[0][1]))
    # From the first file on, so that a null in one file removes what earlier files set.
    return Merged(reduce(merge, layers), sources)


def validated(tree: Tree, layers: Merged, kind: type[AnyExperiment]) -> AnyExperiment:
    """Validates a configuration as an experiment of a kind.

    Args:
        tree: the tree of `layers`, with defaults filled in.

    Raises:
        InputError: one sentence for each problem, with file, key and the nearest known key.
    """
    try:
        experiment = kind.model_validate(tree)
    except ValidationError as error:
        schema = kind.model_json_schema()
        sentences = [_sentence(e, layers, schema) for e in error.errors()]
        raise InputError("\n".join(sentences)) from None
    checks.check(experiment, layers.file_of)
    return experiment


def _schema_node(root: Tree, location: Sequence[str | int]) -> tuple[Tree, list[str]]:
    """The JSON schema of the section at `location`, and the location without union tags."""
    node, path = root, []
    for step in location:
        node = _follow(root, node)
        if "discriminator" in node and step in node["discriminator"]["mapping"]:
            node = {"$ref": node["discriminator"]["mapping"][step]}
            continue
        path.append(str(step))
        by_pattern = node.get("patternProperties", {}).values()  # for mappings with free keys
        named = node.get("properties", {}).get(step)
        node = named or next(iter(by_pattern), None) or node.get("items") or {}
    return _follow(root, node), path


def _follow(root: Tree, node: Tree) -> Tree:
    """Resolves a reference, and reduces `X | None` to X."""
    while "$ref" in node or "anyOf" in node:
        node = node["anyOf"][0] if "anyOf" in node else root["$defs"][node["$ref"].split("/")[-1]]
    return node


def _sentence(error: Any, layers: Merged, schema: Tree) -> str:
    """Describes one of pydantic's errors."""
    location = error["loc"]
    parent, parent_path = _schema_node(schema, location[:-1])
    last = str(location[-1]) if location else ""
    if last == "[key]" and parent_path:
        last = parent_path.pop()
    path = [*parent_path, last]
    file, key = layers.file_of(*path), ".".join(path)
    match error["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(last, parent.get("properties", {}), n=1, cutoff=0)
            hint = f"; the nearest known key is '{near[0]}'" if near else ""
            return f"{file}: unknown key '{key}'{hint}."
        case "missing":
            return f"{file}: the key '{key}' is missing."
        case "one_of":
            return f"{file}: '{key}' {error['msg']}."
        case _:
            message = error["msg"][0].lower() + error["msg"][1:]
            return f"{file}: '{key}' is {error['input']!r}, but {message}."


def _has(tree: Any, path: Sequence[str]) -> bool:
    for step in path:
        if isinstance(tree, Mapping) and step in tree:
            tree = tree[step]
        elif isinstance(tree, list) and step.isdigit() and int(step) < len(tree):
            tree = tree[int(step)]
        else:
            return False
    return True
