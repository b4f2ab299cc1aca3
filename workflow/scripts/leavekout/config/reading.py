"""Reads and validates an experiment's configuration; each problem becomes one sentence."""

import difflib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
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
DIGEST = "LEAVEKOUT_CONFIGURATION"
_ON_COMMAND_LINE = Path("--config")
# Numbers that YAML 1.1, or Python, reads in another base or with gaps: 0100, 1_00, 12:30.
_ODD_NUMBER = re.compile(r"[-+]?(0[0-9_]+|[0-9]+[_:][0-9_:]*)(\.[0-9_]*)?")


class _Loader(yaml.SafeLoader):
    """YAML without what it would take in another sense than it was written in."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; raises an error if a key is there twice, since the last would silently win."""
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if (name := key.value) in lines:
                problem = (
                    f"the key '{name}' is there twice, first in line {lines[name]}; join the two"
                )
                raise yaml.constructor.ConstructorError(
                    problem=problem, problem_mark=key.start_mark
                )
            lines[name] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> Any:
        """A number; raises an error if YAML may read another one: 0100 is 64 in base eight."""
        if _ODD_NUMBER.fullmatch(node.value):
            problem = f"'{node.value}' can be read as several numbers; write it with digits alone"
            raise yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)
        kind = node.tag.rpartition(":")[2]
        return getattr(self, f"construct_yaml_{kind}")(node)


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.construct_number)
for _kind in ("set", "omap", "pairs", "binary"):  # a set has no order, and JSON has none of them
    _Loader.yaml_constructors.pop(f"tag:yaml.org,2002:{_kind}")


def read_yaml(path: Path) -> Tree:
    """Reads a YAML file that holds a mapping; raises InputError if it does not."""
    if not path.is_file():
        known = [file.name for file in path.parent.glob("*.yaml")]
        near = difflib.get_close_matches(path.name, known, n=1)
        hint = f"; the nearest is {path.with_name(near[0])}" if near else ""
        raise InputError(f"{path}: there is no such configuration file{hint}.")
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), _Loader)
        json.dumps(content, default=str, skipkeys=True)  # raises ValueError if it contains itself
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}, line {line}: not text in UTF-8; save the file as UTF-8."
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line_named = f", line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise InputError(f"{path}{line_named}: not valid YAML ({_plain(str(problem))}).") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping of keys to values.")
    return content


def _plain(problem: str) -> str:
    """What is wrong with YAML, with advice where its own words have none."""
    if "'\\t'" in problem:
        return "a tab where only blanks may be; indent with blanks"
    return problem


def offer_package() -> None:
    """Lets the scripts of `extra_rules`, which are in other folders, import this package."""
    folders = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(folder for folder in folders if folder)


def require_unchanged(experiment: Experiment) -> None:
    """Rejects a configuration that changed after the run began.

    On a cluster each job reads the configuration files again, and would use other values than
    earlier jobs. The first Snakemake puts a `DIGEST` in the environment, which its jobs inherit.
    `hardware` may change, because no result depends on it.
    """
    text = experiment.model_dump_json(exclude={"hardware"})
    digest = hashlib.sha256(text.encode()).hexdigest()
    if os.environ.setdefault(DIGEST, digest) != digest:
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
        files = [file for file, _ in self.sources if file != _ON_COMMAND_LINE]
        return str(files[-1] if files else _ON_COMMAND_LINE)


def merged(given: Mapping[str, Any], files: Sequence[Path]) -> Merged:
    """Merges configuration files, what each of them extends, and values given beside them.

    Args:
        given: the values of `--config`, over those of all files.
        files: the configuration files, in order; each comes right after the files that it extends.
    """
    values = {key: _from_words(value, parse=key == "extra") for key, value in given.items()}
    sources = [source for file in files for source in _with_bases(file)]
    if name := values.pop("extends", None):
        sources = [*_with_bases(Path("config") / str(name)), *sources]
    layers = [{key: tree[key] for key in tree if key != "extends"} for _, tree in sources]
    # From the first file on, so that a null in one file removes what earlier files set.
    return Merged(reduce(merge, [*layers, values], {}), [*sources, (_ON_COMMAND_LINE, values)])


def _with_bases(file: Path) -> list[tuple[Path, Tree]]:
    """A file and those that it extends, the last of these first."""
    sources = [(file, read_yaml(file))]
    seen = {file.resolve()}
    while (name := sources[0][1].get("extends")) is not None:
        where = sources[0][0]
        if not isinstance(name, str):
            raise InputError(f"{where}: 'extends' is {name!r}, but has to name one file.")
        base = where.parent / name
        if base.resolve() in seen:
            raise InputError(f"{base}: 'extends' leads back to this file.")
        seen.add(base.resolve())
        if not base.is_file():
            raise InputError(f"{where}: 'extends' names {base}, and there is no such file.")
        sources.insert(0, (base, read_yaml(base)))
    return sources


def _from_words(value: Any, *, parse: bool) -> Any:
    """A value of `--config`, whose braces and brackets Snakemake reads as words alone.

    The schema turns words into numbers where it has numbers. A null, and what has no schema
    (`parse`), is read here as YAML.
    """
    if isinstance(value, Mapping):
        return {key: _from_words(item, parse=parse) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_from_words(item, parse=parse) for item in value]
    if isinstance(value, str) and value in ("null", "~", "Null", "NULL", "None"):
        return None
    if isinstance(value, str) and parse:
        kind = yaml.SafeLoader("").resolve(yaml.ScalarNode, value, (True, False))
        if kind.rpartition(":")[2] in ("bool", "int", "float"):
            return yaml.load(value, _Loader)
    return value


def require_all_files(arguments: Sequence[str], files: Sequence[Path]) -> None:
    """Rejects a command line of which Snakemake has dropped configuration files.

    Args:
        arguments: of the program; files: the configuration files that Snakemake read.

    Raises:
        InputError: `--configfile` is there more than once, and only the last one counted.
    """
    for option, following in zip(arguments, [*arguments, ""][1:], strict=True):
        name, _, value = option.partition("=")
        if len(name) > len("--config") and "--configfiles".startswith(name):
            file = Path(value or following)
            # Snakemake may have left the folder in which a relative path holds (--directory).
            end = Path(os.path.normpath(file)).as_posix().replace("../", "")
            if not any(path.as_posix().endswith(end) for path in files):
                raise InputError(
                    f"{file}: Snakemake takes only the last --configfile; name all files after "
                    f"one: --configfile {file} {' '.join(map(str, files))}."
                )


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
    for path, value, taken in _reinterpreted(tree, experiment, ()):
        file, key = layers.file_of(*path), ".".join(path)
        raise InputError(f"{file}: '{key}' is {value!r}, which would be taken as {taken!r}.")
    checks.check(experiment, layers.file_of)
    return experiment


def _reinterpreted(
    written: Any, taken: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Values that the schema converts into what they were not written as: key, value, result."""
    if isinstance(written, Mapping):
        for key, value in written.items():
            of = taken.get(key) if isinstance(taken, Mapping) else getattr(taken, str(key), None)
            yield from _reinterpreted(value, of, (*path, str(key)))
    elif isinstance(written, list | tuple) and isinstance(taken, list | tuple):
        for number, (value, of) in enumerate(zip(written, taken, strict=False)):
            yield from _reinterpreted(value, of, (*path, str(number)))
    elif isinstance(taken, bool | int | float):
        a_truth = isinstance(written, bool) != isinstance(taken, bool) and not isinstance(
            written, str
        )
        odd = isinstance(written, str) and _ODD_NUMBER.fullmatch(written.strip())
        if a_truth or odd:
            yield path, written, taken


def _is_tag(step: str | int) -> bool:
    """Whether a step of a location names which of several types a value has."""
    return str(step).startswith("<")


def _schema_node(root: Tree, location: Sequence[str | int]) -> tuple[Tree, list[str]]:
    """The JSON schema of the section at `location`, and the location without union tags."""
    node, path = root, []
    for step in location:
        node = _follow(root, node)
        if "discriminator" in node and step in node["discriminator"]["mapping"]:
            node = {"$ref": node["discriminator"]["mapping"][step]}
            continue
        if _is_tag(step):
            node = root["$defs"].get(str(step)[1:-1], {})
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
    location = list(error["loc"])
    while location and _is_tag(location[-1]):
        location.pop()
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
            message = error["msg"].removeprefix("Value error, ")
            message = message[0].lower() + message[1:]
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
