"""The frozen CLIP of a student's folder: files that it brings along, or an address that names it.

What an open_clip tag or a hub address names stays where it is: student.json holds the address and,
in the CLIP's identity, the sha256 of its weights. Local files are copied into `clip/` inside.
"""

import re
from dataclasses import replace
from pathlib import Path

from pipeline.config.student import StudentConfig
from pipeline.errors import UserError
from pipeline.openclip import DIR_CONFIG, LOCAL_DIR, OpenClip, local_dir
from pipeline.openclip.files import WeightsSpec
from pipeline.weights import HUB_SCHEME

CLIP = "clip"
"""Folder of the CLIP's files in the student's."""
_CARRIED = re.compile(rf"{CLIP}/([\w-][\w.-]*)")
"""How student.json names a weights file there; nothing else leads out of the folder."""


def carry(config: StudentConfig, openclip: OpenClip) -> tuple[StudentConfig, dict[str, Path]]:
    """The config as a student's folder names its CLIP, and the files to copy there.

    Returns:
        The config; and for each file that no address names its name in the folder and its source.
    """
    if local_dir(openclip.arch) is not None:
        inside = replace(config, arch=f"{LOCAL_DIR}{CLIP}", weights=None)
        return inside, {f"{CLIP}/{file.name}": file for file in openclip.files}
    tag, file_name = _local_file(openclip.arch, config.weights)
    if file_name is None:
        return config, {}
    settings = openclip.weights.with_name(DIR_CONFIG)
    files = [openclip.weights, *([settings] if tag is None and settings.exists() else [])]
    inside_name = f"{CLIP}/{openclip.weights.name}"
    weights = f"{tag}={inside_name}" if tag else inside_name
    return replace(config, weights=weights), {f"{CLIP}/{file.name}": file for file in files}


def placed(config: StudentConfig, folder: Path, card: Path) -> StudentConfig:
    """The config of student.json with the folder's files where they lie now.

    Raises:
        UserError: it names a file outside the folder.
    """
    own = folder.absolute()
    if local_dir(config.arch) is not None:
        if config.arch != f"{LOCAL_DIR}{CLIP}":
            raise _leads_out(card, "arch", config.arch, f"{LOCAL_DIR}{CLIP}")
        return replace(config, arch=f"{LOCAL_DIR}{own / CLIP}")
    tag, file_name = _local_file(config.arch, config.weights)
    if file_name is None:
        return config
    found = _CARRIED.fullmatch(file_name)
    if found is None:
        raise _leads_out(card, "weights", file_name, f"a tag, hf://ORG/REPO/FILE or {CLIP}/FILE")
    path = own / CLIP / found[1]
    return replace(config, weights=f"{tag}={path}" if tag else str(path))


def by_tag(config: StudentConfig) -> StudentConfig:
    """The same CLIP by its tag alone, where it has one: what anyone can download."""
    tag, _ = _local_file(config.arch, config.weights)
    return replace(config, weights=tag) if tag else config


def _local_file(arch: str, weights: str | None) -> tuple[str | None, str | None]:
    """Tag and path of a built-in arch's weights; no path where an address names them."""
    if weights is None:
        return None, None
    spec = WeightsSpec.parse(arch, weights)
    local = spec.file is not None and not spec.file.startswith(HUB_SCHEME)
    return spec.tag, spec.file if local else None


def _leads_out(card: Path, field: str, found: str, expected: str) -> UserError:
    return UserError(
        f"{card}: config.{field} is '{found}', expected {expected}: a student's folder holds all "
        "its files; save it with this release again"
    )
