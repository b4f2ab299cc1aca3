"""Protects a study from the bundle that it joins, which may come from strangers.

`files.py` checks each file. This module checks what the configuration and the manifest could do:
name rules that run, servers of encoders, folders that are replaced, or artifacts of the joining
method itself.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from leavekout.base.errors import InputError
from leavekout.config.encoders import FetchedEncoders
from leavekout.contract.removal import REPLICA
from leavekout.leave_k_out.bundle.artifacts import MEASUREMENTS, OF_METHODS, SHARED
from leavekout.leave_k_out.bundle.files import Bundle
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.methods import registry

# Keys that include rules or read other files.
_FOREIGN = {"extends", "extra_rules", "joins", *registry.sections_of_files()}
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


def require_harmless_configuration(
    bundle: Bundle, configuration: Mapping[str, Any], experiment: LeaveKOut
) -> None:
    """Refuses a bundle's configuration that names files of this machine, rules or servers.

    A data set is written below `dataset.root` and replaces an existing folder, so a bundle may only
    name a folder of resources/. The server of `encoders.endpoint` could provide any weights, so a
    bundle may name none. Both rules end where the joining study sets its own value, or continues
    its own bundle.

    Args:
        configuration: the content of study.yaml.
        experiment: the study that joins.

    Raises:
        InputError: a key breaks a rule; names it.
    """

    def refuse(key: str, does: str) -> None:
        raise InputError(f"{bundle.study}: '{key}' {does}; the bundle is corrupt or malicious.")

    for key in sorted(_FOREIGN & set(configuration)):
        refuse(
            key,
            "does not belong in a bundle, because it could name files of this machine, or rules",
        )
    hardware, dataset, encoders = (
        _mapping(configuration.get(key)) for key in ("hardware", "dataset", "encoders")
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
    """Refuses artifacts that the published study cannot have, such as those of new methods."""
    published = set(bundle.about.methods)
    new = {*experiment.methods} - published
    for name in bundle.entries:
        top, *below = PurePosixPath(name).parts
        if top in SHARED and below:
            continue
        arm = PurePosixPath(below[-1 if top == MEASUREMENTS else 0]).stem if below else ""
        has_arms = top in (MEASUREMENTS, "retrained")
        if (
            top not in OF_METHODS
            or arm in {REPLICA, *new, *(f"again-{method}" for method in new)}
            or (not has_arms and arm not in published)
        ):
            raise InputError(
                f"{bundle.folder}: the bundle has '{name}', which does not belong to the "
                "published study; it is corrupt or malicious."
            )
    for folder in bundle.folders:
        top, *below = PurePosixPath(folder).parts
        files = [name for name in bundle.entries if name.startswith(f"{folder}/")]
        if top != "encoders" or len(below) != 1 or not files:
            raise InputError(
                f"{bundle.folder}: the bundle would write the folder '{folder}', which is not an "
                "encoder's; it is corrupt or malicious."
            )
