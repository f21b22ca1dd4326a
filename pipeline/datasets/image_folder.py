"""Pictures of one's own in a folder for each class, at any depth below it.

    train/CLASS/*, val/CLASS/*, test/CLASS/*      splits as they are
or  CLASS/*                                       splits drawn by each picture's path

The classes are the folders' names, sorted; prompts read `_` as a space.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.config import SourceConfig
from pipeline.datasets import RawDataset, RawItem, key_of, noted
from pipeline.datasets.reading.folders import list_files, subfolders
from pipeline.datasets.reading.labels import described
from pipeline.datasets.reading.own_media import LICENCE, SUFFIXES, read_media, words
from pipeline.datasets.reading.settings import settings_of
from pipeline.datasets.reading.splits import HELD_OUT, drawn_split, require_split, split_folders
from pipeline.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of this converter."""

    held_out: float = HELD_OUT
    """Share of each split but `train`, where no folders are splits."""


def read(raw: Path, split: str, source: SourceConfig) -> RawDataset:
    """List a split.

    Raises:
        UserError: another modality, no class folders, or no such split.
    """
    settings, there = settings_of(source, Settings), split_folders(raw)
    if source.modality != "image":
        raise UserError(f"image_folder reads images, the source's modality is {source.modality}")
    if there:
        require_split(raw, split, there)
    classes = sorted({c for part in there or [""] for c in subfolders(raw / part)})
    if not classes:
        raise UserError(f"{raw}: expected a folder for each class, found none")
    folder = raw / split if there else raw
    listing = list_files(folder, SUFFIXES["image"])
    places = [path.relative_to(folder).as_posix() for path in listing.files]
    inside = [place for place in places if "/" in place]
    numbers = {name: number for number, name in enumerate(classes)}
    items = [
        RawItem(key, partial(_members, folder, place, key, numbers[_class(place)]))
        for place in inside
        if (key := key_of(place))
        if there or drawn_split(key, source.splits, settings.held_out) == split
    ]
    seen = set(map(_class, inside))
    loose = [place for place in places if "/" not in place]
    notes = (
        *listing.notes,
        *noted("pictures are in no class folder and left out", loose),
        *noted("classes have no picture", [name for name in classes if name not in seen]),
    )
    deeper = subfolders(raw / classes[0]) if len(classes) == 1 and not there else []
    if deeper:
        name = classes[0]
        notes += (f"{name} is the only class; if those in it are the classes: raw: {raw / name}",)
    return RawDataset(items, classes, ("image",), LICENCE, class_words=words(classes), notes=notes)


def _class(place: str) -> str:
    return place.partition("/")[0]


def _members(folder: Path, place: str, key: str, label: int) -> dict[str, bytes]:
    """A text for the place: of a million pictures, paths would take as much as all the rest."""
    return {**read_media(folder / place, "image", key), **described(key, [label])}
