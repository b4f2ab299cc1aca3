"""Makes a study of your own captioned pictures: reads them, and writes its configuration.

    python workflow/scripts/own_pictures.py my-pictures [--name my-pictures] [--prompts prompts.txt]

The pictures may be a folder in one of the formats of docs/own-pictures.md, or a data set that is in
the cache of the Hugging Face Hub, by its name. The configuration is config/own/<name>.yaml; the
annotations, and pictures that were inside of other files, are in resources/own/<name>/.
"""

import argparse
import hashlib
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
import yaml
from snakemake.exceptions import WorkflowError

from leavekout.base.artifacts import atomic
from leavekout.base.errors import InputError, first_few
from leavekout.data.captioned import Captioned, load_lines, read_captioned, templated
from leavekout.data.coco import write_annotations
from leavekout.encoders.hub import cached_data_set
from leavekout.encoders.text import padded_tokens
from leavekout.encoders.train_clip import build_tokenizer
from leavekout.planning.bill import bill
from leavekout.planning.own import held_out_number, proposal
from plan_study import ROOT, plan_of

_TOKENS = 77
_HEADER = """\
# Proposed by `make own` for {images:,} pictures{where}; see docs/own-pictures.md.
# Change what does not suit them: with `flips`, for example, half of the pictures are mirrored in
# training, and mirrored letters are no letters.
"""


def split(
    captions: dict[str, list[str]], given: Sequence[str]
) -> tuple[dict[str, list[str]], list[str]]:
    """The pictures to train on, and prompts that have the tokens of none of their captions.

    Args:
        given: prompts; if there are none, they are the captions of pictures that are left out, or
            made of captions where these repeat.
    """
    prompts, kept = list(given), dict(captions)
    if not prompts:
        reading = dict(zip(captions, _readings([own[0] for own in captions.values()]), strict=True))
        times = Counter(reading.values())
        single = sorted((n for n in captions if times[reading[n]] == 1), key=_hashed)
        wanted = held_out_number(len(captions))
        for name in single[:wanted] if len(single) >= wanted else []:
            prompts.append(kept.pop(name)[0])
    if not prompts:
        prompts = templated(list(dict.fromkeys(own[0] for own in captions.values())))
    known = set(_readings([text for own in kept.values() for text in own]))
    new = dict(zip(_readings(prompts), prompts, strict=True))
    return kept, [text for read, text in new.items() if read not in known]


def _readings(texts: Sequence[str]) -> list[bytes]:
    return [
        row.numpy().tobytes() for row in padded_tokens(build_tokenizer(_TOKENS), texts, _TOKENS)
    ]


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def name_of(pictures: str) -> str:
    """A name for the study: the folder's or data set's, with `-` for what a name may not have."""
    name = re.sub(r"[^a-z0-9]+", "-", Path(pictures).name.lower()).strip("-")
    return name if re.match("[a-z]", name) else f"own-{name}".rstrip("-")


def make_own(pictures: str, name: str, prompts: Path | None, *, on_gpu: bool) -> tuple[Path, str]:
    """Writes the study's files; returns the configuration's path, and what was found in words."""
    config, root = Path("config/own") / f"{name}.yaml", Path("resources/own") / name
    if config.exists():
        raise InputError(
            f"{config}: is there already; delete it, or choose another name: make own NAME=…"
        )
    given = load_lines(prompts) if prompts else []
    folder = Path(pictures).resolve() if Path(pictures).exists() else cached_data_set(pictures)
    shutil.rmtree(
        root, ignore_errors=True
    )  # of a call that failed, since there is no configuration
    root.mkdir(parents=True)
    found = read_captioned(folder, root.resolve() / "images")
    kept, held_out = split(found.captions, given or found.prompts)
    if not held_out:
        raise InputError(
            f"{pictures}: every prompt has the words of a training caption, so none is left for a "
            "query; write new ones, one in each line of a file: make own PROMPTS=prompts.txt"
        )
    if not (root / "images").exists():
        (root / "images").symlink_to(found.folder)
    captions = min(map(len, kept.values()))
    entries = [{"id": i, "file_name": file} for i, file in enumerate(kept)]
    pairs = [(i, text) for i, own in enumerate(kept.values()) for text in own]
    write_annotations(root / "annotations.json", entries, pairs)
    write_annotations(root / "prompts.json", [], [(0, prompt) for prompt in held_out])
    section = {
        "root": str(root),
        "train_images": "images",
        "train_annotations": "annotations.json",
        "prompt_annotations": "prompts.json",
        "captions": captions,
    }
    sizes = {"images": len(kept), "prompts": len(held_out), "side": found.side}
    proposed = proposal(name, section, **sizes, on_gpu=on_gpu)
    header = _HEADER.format(images=len(kept), where="" if on_gpu else " on a machine without a GPU")
    config.parent.mkdir(parents=True, exist_ok=True)
    with atomic(config) as temporary:
        text = yaml.safe_dump(
            proposed, sort_keys=False, allow_unicode=True, default_flow_style=None
        )
        temporary.write_text(header + text)
    return config, _said(found, kept, held_out, captions)


def _said(found: Captioned, kept: dict[str, list[str]], prompts: list[str], captions: int) -> str:
    out = len(found.captions) - len(kept)
    lines = [
        f"{len(found.captions):,} pictures, most of {found.side} pixels or more, with {captions} "
        f"caption{'s' * (captions > 1)} each"
        + (f"; {out} are left out of the training, for their captions." if out else "."),
        f"{len(prompts)} prompts that are no captions, the first '{prompts[0]}'.",
    ]
    if more := sum(map(len, kept.values())) - captions * len(kept):
        lines.append(f"Not used: {more:,} captions, since as many of each picture are used.")
    if found.left_out:
        lines.append(f"Neither pictures nor captions: {first_few(found.left_out)}.")
    return "\n".join(lines)


def price(config: Path, *, on_gpu: bool) -> str:
    """What the study will cost, by the estimates of its configuration."""
    table = bill(plan_of([config]).jobs)
    jobs, models = int(table["to_do"].sum()), int(table["to_do"].filter(like="retrain").sum())
    cores = os.cpu_count() or 1
    hours = table["gpu_h"].sum() if on_gpu else table["cpu_h"].sum() / cores
    where = "one GPU" if on_gpu else f"this machine's {cores} cores"
    return (
        f"{jobs:,} jobs, {models:,} of them retrainings: about {hours:.2g} hours on {where}, by "
        f"assumed rates, and {table['disk_gb'].sum():.2g} GB."
    )


def main() -> None:
    """Reads the pictures, writes the configuration, and says what comes next."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pictures", help="a folder, or the name of a data set of the Hub")
    parser.add_argument("--name", help="of the study; the folder's if left out")
    parser.add_argument("--prompts", type=Path, help="a text file with a prompt in each line")
    arguments = parser.parse_args()
    given, prompts = arguments.pictures, arguments.prompts and arguments.prompts.resolve()
    pictures = str(Path(given).resolve()) if Path(given).exists() else given
    os.chdir(ROOT)
    on_gpu = torch.cuda.is_available()
    try:
        config, said = make_own(pictures, arguments.name or name_of(given), prompts, on_gpu=on_gpu)
        print(f"{said}\n{price(config, on_gpu=on_gpu)}")
    except (InputError, WorkflowError) as error:
        sys.exit(str(error))
    name = config.stem
    print(
        f"Wrote {config}. Next:\n\n"
        f"    make run EXPERIMENT=own/{name}\n\n"
        "Look first whether the pictures show their prompts (docs/own-pictures.md):\n\n"
        f"    snakemake --cores all --configfile {config} -- results/{name}/tables/pictures.csv"
    )


if __name__ == "__main__":
    main()
