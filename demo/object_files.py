"""Everything the pack holds of one object, made from its model; all objects in all processes."""

import functools
import multiprocessing
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from demo.cameras import CAMERAS, DEPTH_CAMERAS
from demo.catalogue import Catalogue, CatalogueEntry, open_catalogues
from demo.classes import class_of
from demo.clips import turntable_clip
from demo.depth_maps import DepthMap, depth_map
from demo.meshes import load_model
from demo.points import sample_points
from demo.render import Scene, webp_bytes
from pipeline.errors import UserError

QUALITY = 55
"""Of the WebP images."""


@dataclass(frozen=True)
class ObjectFiles:
    """What becomes of one catalogue entry; `problem` says why it was rejected."""

    entry: CatalogueEntry
    points: np.ndarray | None = None
    renders: Mapping[str, bytes] = field(default_factory=dict)
    """By camera."""
    depths: Mapping[str, DepthMap] = field(default_factory=dict)
    """By camera."""
    clip: bytes | None = None
    """Objects without a class have none: the clips of all would not fit in the pack."""
    counts: tuple[int, int] = (0, 0)
    """Vertices and faces."""
    problem: str = ""


def make_objects(folder: Path) -> list[ObjectFiles]:
    """One for every entry of the catalogues in `folder`, in their order; ids are unique."""
    jobs = [
        (folder, name, index)
        for name, catalogue in open_catalogues(folder).items()
        for index in range(len(catalogue.entries()))
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(mp_context=context) as pool:
        made = list(pool.map(_make, jobs, chunksize=8))
    ids = Counter(item.entry.id for item in made)
    if doubled := [key for key, count in ids.items() if count > 1]:
        raise UserError(f"{folder}: ids must be unique, but these are not: {', '.join(doubled)}")
    return made


@functools.cache
def _catalogues(folder: Path) -> dict[str, tuple[Catalogue, list[CatalogueEntry]]]:
    """Opened once a process: a zip file handle must not be shared between processes."""
    return {
        name: (catalogue, catalogue.entries())
        for name, catalogue in open_catalogues(folder).items()
    }


def _make(job: tuple[Path, str, int]) -> ObjectFiles:
    folder, name, index = job
    catalogue, entries = _catalogues(folder)[name]
    entry = entries[index]
    try:
        model = load_model(catalogue, entry)
        scene = Scene(model)
        return ObjectFiles(
            entry,
            sample_points(model, entry.id),
            {camera.name: webp_bytes(scene.render(camera), QUALITY) for camera in CAMERAS},
            {camera.name: depth_map(scene, camera) for camera in DEPTH_CAMERAS},
            turntable_clip(scene) if class_of(entry) else None,
            (len(model.vertices), len(model.faces)),
        )
    except (ValueError, KeyError, IndexError, OSError) as error:
        return ObjectFiles(entry, problem=f"{type(error).__name__}: {error}")
