"""Makes `config/README.md` from the docstrings of the configuration's sections and fields."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from leavekout.config import fields
from leavekout.config.experiment import Experiment

INTRODUCTION = """\
# Configuration

<!-- Made by `make docs` from the docstrings in workflow/scripts/leavekout/config/. -->

There is one file for each experiment, mostly of the same name. Results go to
`results/<experiment>/`.

| file | what |
|---|---|
| `digits.yaml` | the default: real digits, minutes on a laptop (`make demo`) |
| `digits-base.yaml` | what the experiments on digits share; not run by itself |
| `digits-study.yaml` | the study on digits: 17 methods, 40 queries; hours |
| `digits-tuning.yaml` | the settings of that study's methods, compared on tuning queries |
| `letters-study.yaml` | a study on printed letters, of many more kinds than digits; two hours |
| `digits-fresh.yaml` | 40 fresh queries, to confirm what that study found \
([results](../results/digits-fresh/README.md)) |
| `digits-topic.yaml`, `letters-topic.yaml` | the two studies continued with topic removal, a \
stricter control |
| `own/<name>.yaml` | your own captioned pictures, written by `make own` \
([how](../docs/own-pictures.md)) |
| `coco-day.yaml`, `coco-day-24gb.yaml` | a study of natural pictures in a day of one GPU, or in \
two to three with 24 GB ([how](../docs/coco-day.md)) |
| `coco-day-first.yaml` | its first table, of eight queries, in the same results folder |
| `coco.yaml` | the paper's study on MSCOCO, for a cluster with GPUs |
| `coco-first.yaml` | its first table, of ten queries, in the same results folder |
| `coco-80gb.yaml`, `coco-40gb.yaml` | the same study, in the same results folder, on GPUs \
with less memory |
| `coco-published.yaml` | the same from the files that its authors published |
| `digits-dit.yaml`, `coco-dit.yaml` | the same with a transformer \
([how](../docs/another-model.md)) |
| `coco-ablations.yaml` | the paper's ablations of unlearning, in the same results folder |
| `digits-custom.yaml` | the Customized Model benchmark on digits |
| `custom-sd14.yaml` | the paper's Customized Model benchmark on Stable Diffusion 1.4, for a \
cluster with GPUs |
| `tiny.yaml`, `tiny-custom.yaml` | every stage in a few minutes, for tests |

- `snakemake --cores all --configfile config/coco.yaml` chooses a file.
- A file may begin with `extends: digits-base.yaml` and then contain only the differences. Sections
  merge key by key; lists are replaced. `encoders` with another `source` replace the whole section.
- Single keys can be changed on the command line:
  `snakemake --cores all --config 'counterfactual={k: [50, 100]}'`.
- Unknown keys are refused.
- Paths are relative to the folder in which Snakemake runs, and mean what is written: `~` and
  `$VARIABLE` are refused, except in `hardware.stage_to`, where the node of a job replaces them.
- A value that changes a result is a parameter of the rules that use it. If you change it, Snakemake
  reruns these rules and all that depends on them. Only `hardware` and `counterfactual.keep_models`
  rerun nothing. If you change a number under `queries`, all queries are sampled again, and all that
  is about queries is rerun.

A *name* consists of lower-case letters, digits, `-` and `_`, and begins with a letter. A *seed* is
an integer from 0 to 2³² − 1. Keys of a section within a section have a dot: `random.sets` is the
key `sets` of the section `random`.
"""

Schema = dict[str, Any]
_KINDS = [
    (TypeAdapter(kind).json_schema(), words)
    for kind, words in (
        (fields.Name, "name"),
        (fields.QueryName, "query"),
        (fields.Seed, "seed"),
        (fields.Positive, "positive integer"),
        (fields.PositiveFloat, "positive number"),
        (fields.Fraction, "number from 0 to 1"),
    )
]


def document(first: type[Experiment], others: Mapping[str, type[Experiment]]) -> str:
    """The text of `config/README.md`.

    Args:
        first: the kind of experiment that is documented completely.
        others: by heading, further kinds; only their differences are documented.
    """
    schema = _Keys(first.model_json_schema())
    lines = [INTRODUCTION, *schema.chapters("##", but={})]
    for heading, other in others.items():
        about = (other.__doc__ or "").strip()
        lines += [f"# {heading}\n", f"{about}\n"]
        lines += _Keys(other.model_json_schema()).chapters("##", but=schema.root)
    return "\n".join(lines)


class _Keys:
    """The keys of one kind of experiment as markdown.

    Args:
        root: the experiment's JSON schema.
    """

    def __init__(self, root: Schema) -> None:
        self.root = root

    def chapters(self, level: str, *, but: Schema) -> Iterator[str]:
        """A chapter for each key, except keys that the schema `but` has in the same form."""
        for key, field in self.root["properties"].items():
            known = but.get("properties", {}).get(key)
            same = _Keys(but).own_rows(known) if known else set()
            sections = self.sections(field)
            if known == field or (known and self.own_rows(field) <= same):
                continue
            title, _, text = field["description"].partition("\n\n")
            yield f"{level} `{key}`: {title[0].lower()}{title[1:].rstrip('.')}\n"
            is_required = key in self.root["required"]
            if not (sections and is_required):
                yield f"*{_value(field, is_required)}.*\n"
            if text:
                yield f"{text}\n"
            for section in sections:
                if len(sections) > 1:
                    yield f"{level}# `source: {section['properties']['source']['const']}`\n"
                yield f"{section['description']}\n"
                rows = [row for row in self.rows(section, "", {}) if row not in same]
                if same:
                    yield "Keys that are the same for all experiments are above.\n"
                yield from ("| key | meaning |", "|---|---|", *rows, "")

    def own_rows(self, field: Schema) -> set[str]:
        """All table rows of a field."""
        return {row for section in self.sections(field) for row in self.rows(section, "", {})}

    def rows(self, section: Schema, prefix: str, seen: dict[str, str]) -> Iterator[str]:
        """Table rows of a section's keys. Sections in `seen` are not repeated."""
        for name, field in section["properties"].items():
            key = prefix + name
            meaning = field["description"]
            value = _value(field, name in section.get("required", []))
            inner = next(iter(self.sections(field)), None)
            if inner and inner["title"] in seen:
                value += f", with the keys of `{seen[inner['title']]}`"
            elif inner:
                meaning += f" {inner['description']}"
            yield f"| `{key}` | {' '.join(meaning.split())} *{value}.* |"
            if inner and inner["title"] not in seen:
                seen[inner["title"]] = key
                yield from self.rows(inner, f"{key}.", seen)

    def sections(self, node: Schema) -> list[Schema]:
        """The sections that a field is or contains: none, one, or one for each `source`."""
        if "$ref" in node:
            return [self.root["$defs"][node["$ref"].split("/")[-1]]]
        parts = [*node.get("anyOf", []), *node.get("oneOf", [])]
        parts += node.get("patternProperties", {}).values()
        parts += [node["items"]] if "items" in node else []
        return [section for part in parts for section in self.sections(part)]


def _value(field: Schema, is_required: bool) -> str:
    """A value's type in a few words, and its default."""
    words = _words(field)
    words = words[0].upper() + words[1:]
    if is_required:
        return words
    default = field["default"]
    if isinstance(default, list) and default:
        return f"{words}, `[{', '.join(map(str, default))}]` by default"
    is_empty = default in (None, "", []) or isinstance(default, dict)
    ending = "optional" if is_empty else f"`{str(default).lower()}` by default"
    return f"{words.replace(' or `null`', '')}, {ending}"


def _words(node: Schema) -> str:
    """A value's type: `positive integer`, `list of names`."""
    for known, words in _KINDS:
        if known.items() <= node.items():
            return words
    match node:
        case {"const": value}:
            return f"`{value}`"
        case {"enum": values}:
            *others, last = [f"`{value}`" for value in values]
            return f"{', '.join(others)} or {last}"
        case {"anyOf": parts} | {"oneOf": parts}:
            return " or ".join(dict.fromkeys(_words(part) for part in parts))
        case {"$ref": _}:
            return "section"
        case {"prefixItems": [first, *_], "maxItems": count}:
            return f"list of {count} {_plural(_words(first))}"
        case {"type": "array", "items": item}:
            return f"list of {_plural(_words(item))}"
        case {"type": "object", "patternProperties": parts}:
            [(pattern, part)] = parts.items()
            return f"{_plural(_words(part))} by {_words({'type': 'string', 'pattern': pattern})}"
        case {"type": kind, "minimum": low}:
            return f"{kind} from {low}" + (f" to {node['maximum']}" if "maximum" in node else "")
    names = {"string": "text", "boolean": "`true` or `false`", "object": "mapping"}
    return names.get(node["type"], f"`{node['type']}`")


def _plural(words: str) -> str:
    return re.sub(r"(?= (from|of) )|$", "s", words, count=1)
