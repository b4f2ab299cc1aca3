"""Reads an experiment's configuration and says in one sentence what is wrong with it.

Run as a program (`python -m leavekout.experiment`), prints the JSON schema that stands in
`config/schema.json`.
"""

import difflib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from leavekout.errors import InputError
from leavekout.schema import Experiment

Tree = dict[str, Any]
_DIGEST = "LEAVEKOUT_CONFIGURATION"
RESERVED = ("random", "no_removal", "group", "oracle", "pixel")  # names that rules have taken


def read_yaml(path: Path) -> Tree:
    """The mapping in a YAML file; raises InputError if there is none."""
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
    """Lets the scripts of `extra_rules`, which lie elsewhere, import this package."""
    folders = [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(folder for folder in folders if folder)


def require_unchanged(experiment: Experiment) -> None:
    """Refuses a configuration that changed after the run began.

    On a cluster every job reads the configuration files again, and would compute by other values
    than the jobs before it. The first Snakemake notes the digest in the environment, which its
    jobs inherit. `hardware` may change, since no result depends on it.
    """
    text = experiment.model_dump_json(exclude={"hardware"})
    digest = hashlib.sha256(text.encode()).hexdigest()
    if os.environ.setdefault(_DIGEST, digest) != digest:
        raise InputError(
            f"the configuration of experiment '{experiment.experiment}' changed after this run had "
            "begun; stop the run, and start it again with the one or the other."
        )


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Tree:
    """`base` with `changes` laid over it; mappings merge key by key, all else is replaced.

    `encoders` of another `source` than the base's are another kind of section, with other keys,
    so they replace the base's whole.
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


def resolve(config: Mapping[str, Any], files: Sequence[Path]) -> Experiment:
    """The validated experiment behind Snakemake's merged `config`.

    Args:
        config: all configuration files and `--config` values, merged by Snakemake.
        files: the files it was merged from, in order; used to follow `extends:` and to name
            the file in which an error stands.

    Raises:
        InputError: one sentence for each problem, with file, key and the nearest known key.
    """
    sources = [(path, read_yaml(path)) for path in files]
    tree = dict(config)
    seen: set[Path] = set()
    while "extends" in tree:
        name = str(tree.pop("extends"))
        folder = next((p.parent for p, t in sources if t.get("extends") == name), Path("config"))
        base = folder / name
        if base.resolve() in seen:
            raise InputError(f"{base}: 'extends' leads back to a file that it came from.")
        seen.add(base.resolve())
        sources.insert(0, (base, read_yaml(base)))
        tree = merge(sources[0][1], tree)
    try:
        experiment = Experiment.model_validate(tree)
    except ValidationError as error:
        raise InputError("\n".join(_sentence(e, sources) for e in error.errors())) from None
    _check(experiment, sources)
    return experiment


def _schema_node(location: Sequence[str | int]) -> tuple[Tree, list[str]]:
    """The JSON schema of the section at `location`, and the location without union tags."""
    root = Experiment.model_json_schema()
    node, path = root, []
    for step in location:
        node = _follow(root, node)
        if "discriminator" in node and step in node["discriminator"]["mapping"]:
            node = {"$ref": node["discriminator"]["mapping"][step]}
            continue
        path.append(str(step))
        by_pattern = node.get("patternProperties", {}).values()  # of mappings from free names
        named = node.get("properties", {}).get(step)
        node = named or next(iter(by_pattern), None) or node.get("items") or {}
    return _follow(root, node), path


def _follow(root: Tree, node: Tree) -> Tree:
    """Resolves a reference, and of `X | None` takes X."""
    while "$ref" in node or "anyOf" in node:
        node = node["anyOf"][0] if "anyOf" in node else root["$defs"][node["$ref"].split("/")[-1]]
    return node


def _sentence(error: Any, sources: Sequence[tuple[Path, Tree]]) -> str:
    """One sentence for one of pydantic's errors."""
    location = error["loc"]
    parent, parent_path = _schema_node(location[:-1])
    last = str(location[-1]) if location else ""
    if last == "[key]" and parent_path:
        last = parent_path.pop()
    path = [*parent_path, last]
    file, key = _file_of(path, sources), ".".join(path)
    match error["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(last, parent.get("properties", {}), n=1, cutoff=0)
            hint = f"; the nearest known key is '{near[0]}'" if near else ""
            return f"{file}: unknown key '{key}'{hint}."
        case "missing":
            return f"{file}: the key '{key}' is missing."
        case _:
            message = error["msg"][0].lower() + error["msg"][1:]
            return f"{file}: '{key}' is {error['input']!r}, but {message}."


def _file_of(path: Sequence[str], sources: Sequence[tuple[Path, Tree]]) -> str:
    """The last file that has the key, or the last that has its nearest section."""
    for depth in range(len(path), 0, -1):
        for file, tree in reversed(sources):
            if _has(tree, path[:depth]):
                return str(file)
    return str(sources[-1][0]) if sources else "--config"


def _has(tree: Any, path: Sequence[str]) -> bool:
    for step in path:
        if isinstance(tree, Mapping) and step in tree:
            tree = tree[step]
        elif isinstance(tree, list) and step.isdigit() and int(step) < len(tree):
            tree = tree[int(step)]
        else:
            return False
    return True


def _check(experiment: Experiment, sources: Sequence[tuple[Path, Tree]]) -> None:
    """Refuses values that are fine alone and wrong together."""
    e, n = experiment, experiment.dataset.images
    ks = {
        "counterfactual.k": e.counterfactual.k,
        "counterfactual.random.k": e.counterfactual.random.sizes(),
        "tuning.k": e.tuning.k if e.tuning else [],
        "forgetting.k": e.forgetting.k if e.forgetting else [],
    }
    for key, values in ks.items():
        for k in values:
            if k >= n:
                raise InputError(
                    f"{_file_of(key.split('.'), sources)}: K = {k:,} leaves nothing of the {n:,} "
                    f"training images of experiment '{e.experiment}' ({key})."
                )
    stride_keys = {
        "losses.timestep_stride": e.losses.timestep_stride,
        "evaluation.timestep_stride": e.evaluation.timestep_stride,
        "sampling.steps": e.sampling.steps,
    }
    for key, value in stride_keys.items():
        if value > e.model.noise_schedule.timesteps:
            raise InputError(
                f"{_file_of(key.split('.'), sources)}: '{key}' is {value}, more than the "
                f"{e.model.noise_schedule.timesteps} timesteps of the noise schedule."
            )
    if e.losses.captions > e.dataset.captions:
        raise InputError(
            f"{_file_of(['losses', 'captions'], sources)}: 'losses.captions' is "
            f"{e.losses.captions}, but 'dataset.captions' keeps {e.dataset.captions} of each image."
        )
    if e.tuning and e.queries.tuning == 0:
        raise InputError(
            f"{_file_of(['queries', 'tuning'], sources)}: 'tuning' compares methods on tuning "
            "queries, but 'queries.tuning' is 0."
        )
    _check_methods(e, sources)
    if e.dataset.source == "archives" and not e.dataset.archives:
        raise InputError(
            f"{_file_of(['dataset', 'archives'], sources)}: 'dataset.archives' names no archive to "
            "fetch; for files that are there already, set 'dataset.source' to 'folder'."
        )
    if e.training.seed in e.counterfactual.retrain_seeds:
        raise InputError(
            f"{_file_of(['counterfactual', 'retrain_seeds'], sources)}: "
            f"'counterfactual.retrain_seeds' holds {e.training.seed}, the source model's own seed "
            "('training.seed'): that retraining gives the source model again, not the noise floor."
        )


def _check_methods(e: Experiment, sources: Sequence[tuple[Path, Tree]]) -> None:
    """Refuses two methods of one name, and methods that refer to what is not there."""

    def refuse(*key: str, reason: str) -> None:
        raise InputError(f"{_file_of(key, sources)}: '{'.'.join(key)}' {reason}.")

    sections: dict[str, Mapping[str, Any]] = {
        "unlearning": e.unlearning,
        "embeddings": e.embeddings,
        "influence": e.influence,
        "external": e.external,
    }
    seen: dict[str, str] = {}
    for section, entries in sections.items():
        for name in entries:
            if name in RESERVED:
                refuse(section, name, reason="has a name that is taken; choose another")
            if name in seen:
                refuse(section, name, reason=f"has a name that stands under '{seen[name]}', too")
            seen[name] = section
    queries = {f"{kind}{i:03d}" for kind, n in (("q", e.queries.test), ("t", e.queries.tuning))
               for i in range(n)}  # fmt: skip
    for name, variant in e.unlearning.items():
        if variant.curvature == "ekfac" and variant.weights != "cross_attention_kv":
            refuse("unlearning", name, "weights", reason="has to be 'cross_attention_kv' for "
                   "'ekfac', which is for linear layers without bias")  # fmt: skip
        for query, (left, top, right, bottom) in variant.boxes.items():
            if query not in queries:
                refuse("unlearning", name, "boxes", query, reason="is no query")
            if left >= right or top >= bottom:
                refuse("unlearning", name, "boxes", query, reason="has no inside; a box is [left, "
                       "top, right, bottom]")  # fmt: skip
    for method in e.forgetting.methods if e.forgetting else []:
        if method not in e.unlearning:
            refuse("forgetting", "methods", reason=f"names '{method}', no entry of 'unlearning'")
    encoders = {"clip", "dino"}
    if e.encoders.source == "fetch":
        encoders = {"clip", *e.encoders.more}
        for name in {"vae", "text_encoder", "tokenizer", "clip"} & set(e.encoders.more):
            refuse("encoders", "more", name, reason="has the name of another encoder")
    for name, embedding in e.embeddings.items():
        if embedding.encoder not in encoders:
            known = ", ".join(sorted(encoders))
            refuse("embeddings", name, "encoder", reason=f"is none of the encoders ({known})")
        if embedding.features == "text" and embedding.encoder != "clip":
            refuse("embeddings", name, "features", reason="can be 'text' for the encoder clip only")
    for name, influence in e.influence.items():
        gradients = e.gradients.get(influence.gradients)
        if gradients is None:
            refuse("influence", name, "gradients", reason="is no entry of 'gradients'")
        elif influence.solver == "datainf" and gradients.layout != "by_layer":
            refuse("influence", name, "solver", reason="needs gradients with the layout 'by_layer'")
        if influence.solver == "datainf" and influence.damping == 0:
            refuse("influence", name, "damping", reason="has to be above 0 for 'datainf'")
        last = e.model.noise_schedule.timesteps - 1
        if influence.query_timestep is not None and influence.query_timestep > last:
            refuse("influence", name, "query_timestep", reason=f"is beyond the last one, {last}")


if __name__ == "__main__":
    print(json.dumps(Experiment.model_json_schema(), indent=2))
