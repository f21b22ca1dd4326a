"""Where the weights of an open_clip model are: a tag's download, a file, a folder of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME

from pipeline.errors import UserError
from pipeline.torch_file import first_line
from pipeline.unknown_name import unknown_name
from pipeline.weights import HUB_SCHEME, file_here, resolve_weights

LOCAL_DIR = "local-dir:"
DIR_CONFIG = "open_clip_config.json"
DIR_WEIGHTS = "open_clip_model.safetensors"
URL_CACHE = Path("~/.cache/clip")
"""Where open_clip puts what it downloads from a plain address."""


@dataclass(frozen=True)
class WeightsSpec:
    """What `weights` name of a built-in arch: a tag, a file, or a file with a tag's settings."""

    tag: str | None
    file: str | None

    @classmethod
    def parse(cls, arch: str, weights: str) -> "WeightsSpec":
        """`TAG`, `TAG=FILE` or `FILE`, where a file is a path or a hub address."""
        tag, equals, file = weights.partition("=")
        if open_clip.get_pretrained_cfg(arch, tag):
            return cls(tag, file or None)
        return cls(None, weights)


def local_dir(arch: str) -> Path | None:
    """The folder of a `local-dir:PATH`, None for a built-in arch."""
    return Path(arch.removeprefix(LOCAL_DIR)) if arch.startswith(LOCAL_DIR) else None


def weights_file(arch: str, weights: str | None) -> Path:
    """The file that a built-in arch's `weights` name, downloaded if need be.

    Raises:
        UserError: an unknown name, a missing file, a download that failed.
    """
    tags = open_clip.list_pretrained_tags_by_model(arch)
    if weights is None:
        known = ", ".join(tags) or "none"
        raise UserError(
            f"{arch} needs weights: an open_clip tag (known: {known}), a path or hf://ORG/REPO/FILE"
        )
    spec = WeightsSpec.parse(arch, weights)
    if spec.file is None:
        return _downloaded(arch, str(spec.tag))
    looks_like_a_tag = not spec.file.startswith(HUB_SCHEME) and Path(spec.file).name == spec.file
    if looks_like_a_tag and not Path(spec.file).exists():
        raise unknown_name(f"weights file or tag of {arch}", spec.file, tags)
    return resolve_weights(spec.file)


def arch_file(arch: str) -> Path:
    """The file that describes an architecture, where it is not known by a name alone."""
    folder = local_dir(arch)
    return folder / DIR_CONFIG if folder else Path(arch)


def weights_here(arch: str, weights: str | None) -> Path | None:
    """The same file where it lies on this machine, None where it does not; downloads nothing.

    `arch` may be that of any teacher: weights are a tag only where open_clip knows it.
    """
    folder = local_dir(arch)
    if weights is None:
        return file_here(str(folder / DIR_WEIGHTS)) if folder else None
    spec = WeightsSpec.parse(arch.removeprefix("clip:"), weights)
    if spec.file is not None:
        return file_here(spec.file)
    cfg = open_clip.get_pretrained_cfg(arch.removeprefix("clip:"), str(spec.tag))
    return next((path for path in _places(cfg) if path is not None), None)


def _places(tag: dict[str, Any]) -> Iterator[Path | None]:
    """Where open_clip would find a tag's file, in its order."""
    if "file" in tag:
        yield file_here(tag["file"])
    elif tag.get("hf_hub"):
        repo, _, name = tag["hf_hub"].rpartition("/")
        name = name or HF_WEIGHTS_NAME
        safe = HF_SAFE_WEIGHTS_NAME if name == HF_WEIGHTS_NAME else f"{name[:-4]}.safetensors"
        yield file_here(f"{HUB_SCHEME}{repo}/{safe}")
        yield file_here(f"{HUB_SCHEME}{repo}/{name}")
    elif tag.get("url"):
        yield file_here(str(URL_CACHE / tag["url"].rpartition("/")[2]))


def _downloaded(arch: str, tag: str) -> Path:
    try:
        return Path(open_clip.download_pretrained(open_clip.get_pretrained_cfg(arch, tag)))
    except Exception as error:  # urllib, hub and file errors alike: open_clip passes them on
        raise UserError(
            f"{arch}: weights tag '{tag}' could not be downloaded ({first_line(error)}); "
            f"download the file yourself and give {tag}=PATH"
        ) from error
