"""Room on the disks, beside what the stores will take."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.config import Params
from pipeline.doctor.finding import Finding
from pipeline.errors import UserError
from pipeline.locations import is_remote, path_or_url
from pipeline.store import store_path
from stage1_extract.estimate import planned


def space(params: Params) -> Iterator[Finding]:
    """A finding each for the folders of shards and stores."""
    shards, cache = path_or_url(params.shards), path_or_url(params.cache)
    yield _room("shards", shards, 0, "no estimate: about what the media take")
    needed, unknown = _still_needed(params)
    about = f"stores still take {needed / 1e9:.1f} GB"
    if unknown:
        about += f", and more for {', '.join(unknown)}, which are not prepared"
    yield _room("cache", cache, needed, about)


def _room(name: str, folder: Path, needed: int, about: str) -> Finding:
    if is_remote(folder):
        return Finding("disk", name, "there", f"{folder}: room not known; {about}")
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    text = f"{folder}: {free / 1e9:,.0f} GB free; {about}"
    if free < needed:
        return Finding("disk", name, "wrong", f"{text}; set `{name}` to a larger disk's folder")
    return Finding("disk", name, "there", text)


def _still_needed(params: Params) -> tuple[int, list[str]]:
    """Bytes of the extractions that are not there yet, and those of which nobody knows them."""
    needed, unknown = 0, []
    for name, pair in params.extract.items():
        try:
            whole = planned(params, name, None).bytes
        except UserError:  # said of the teacher
            whole = None
        if whole is None:
            unknown.append(name)
            continue
        store = store_path(params.cache, pair.teacher, pair.source, "train")
        files = [] if is_remote(store) else store.rglob("*")
        there = sum(file.stat().st_size for file in files if file.is_file())
        needed += max(0, whole - there)
    return needed, unknown
