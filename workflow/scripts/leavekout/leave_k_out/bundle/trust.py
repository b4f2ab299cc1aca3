"""What a bundle may not make of a study that joins it: it may come from strangers.

Its files are checked as they are read (`files.py`). Here is what its configuration and its manifest
could do beyond that: name rules that run, servers that are asked for encoders, folders that are
emptied or filled, or artifacts of the joining method itself.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from leavekout.base.errors import InputError
from leavekout.config.encoders import FetchedEncoders
from leavekout.contract.removal import REPLICA
from leavekout.leave_k_out.bundle.artifacts import OF_METHODS, SHARED
from leavekout.leave_k_out.bundle.files import Bundle
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.methods import registry

# It would have rules included, or other files read.
_FOREIGN = {"extends", "extra_rules", "joins", *registry.sections_of_files()}
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


def require_harmless_configuration(
    bundle: Bundle, said: Mapping[str, Any], experiment: LeaveKOut
) -> None:
    """Refuses a bundle's configuration that names files of this machine, rules or servers.

    A data set is fetched or written below `dataset.root`, where a folder that is there would be
    replaced. So the root that a bundle names has to be a folder of resources/, unless who joins
    has chosen another, or goes on with a study of their own. So it is with `encoders.endpoint`,
    whose server could hand out any weights.

    Args:
        said: what study.yaml says.
        experiment: the one that joins.

    Raises:
        InputError: naming the key.
    """

    def refuse(key: str, does: str) -> None:
        raise InputError(f"{bundle.study}: '{key}' {does}; the bundle is corrupt or malicious.")

    for key in sorted(_FOREIGN & set(said)):
        refuse(key, "is nothing that a bundle has: it could name files of this machine, or rules")
    hardware, dataset, encoders = (
        _mapping(said.get(key)) for key in ("hardware", "dataset", "encoders")
    )
    continues = experiment.joins is not None and experiment.joins.continues
    if hardware.get("stage_to"):
        refuse("hardware.stage_to", "names a folder of this machine")
    for key in ("train_images", "train_annotations", "prompt_annotations"):
        if not _PLAIN.fullmatch(str(dataset.get(key) or "none")):
            refuse(f"dataset.{key}", "leads out of the data set's folder")
    root = str(dataset.get("root") or "")
    inside = _PLAIN.fullmatch(root) and PurePosixPath(root).parts[0] == "resources"
    theirs = root == experiment.dataset.root and not continues
    if theirs and not (inside and len(PurePosixPath(root).parts) > 1):
        refuse("dataset.root", f"is {root!r}, no folder of resources/; set one of your own")
    endpoint = encoders.get("endpoint")
    ours = experiment.encoders
    same = isinstance(ours, FetchedEncoders) and ours.endpoint == endpoint
    if endpoint and same and not continues:
        refuse("encoders.endpoint", f"names the server {endpoint!r}; set another, or null")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def require_artifacts_of_the_study(bundle: Bundle, experiment: LeaveKOut) -> None:
    """Refuses artifacts that the published study cannot have: of other methods, or of the join."""
    published = set(bundle.about.methods)
    new = {*experiment.methods} - published
    for name in bundle.entries:
        top, *below = PurePosixPath(name).parts
        if top in SHARED and below:
            continue
        of = PurePosixPath(below[-1 if top == "measurements" else 0]).stem if below else ""
        of_scores = top not in ("measurements", "retrained")
        if (
            top not in OF_METHODS
            or of in {REPLICA, *new, *(f"again-{method}" for method in new)}
            or (of_scores and of not in published)
        ):
            raise InputError(
                f"{bundle.folder}: the bundle has '{name}', which is nothing of the published "
                "study; it is corrupt or malicious."
            )
    for folder in bundle.folders:
        top, *below = PurePosixPath(folder).parts
        files = [name for name in bundle.entries if name.startswith(f"{folder}/")]
        if top != "encoders" or len(below) != 1 or not files:
            raise InputError(
                f"{bundle.folder}: the bundle would make the folder '{folder}', which is no "
                "encoder's; it is corrupt or malicious."
            )
