"""Tars of img2dataset, open_clip and others: files with the same name but for their ending are one
sample.

    *.tar, or train/*.tar, val/*.tar, test/*.tar          splits by folders, or drawn by each key
    000000012.jpg, 000000012.txt, 000000012.json          media by the source's modality; a caption
                                                          in .txt, or as `caption` in .json
    000000012.cls                                         a class by its number
    classnames.txt                                        its name: line 1 is class 0

Keys stay as they are; where several tars have the same, the tar's name stands before each. The
media's bytes are copied unchanged into new tars, not adopted in place by a link: readers know
members by other names, what cannot be read or is of another split must not lie in a tar, and
samples lie in the order that the seed gives them.
"""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import msgspec

from pipeline.config import SourceConfig
from pipeline.datasets import RawDataset, RawItem, key_of, noted
from pipeline.datasets.reading.folders import is_left, list_files
from pipeline.datasets.reading.labels import described
from pipeline.datasets.reading.own_media import LICENCE, SUFFIXES, media, words
from pipeline.datasets.reading.settings import settings_of
from pipeline.datasets.reading.splits import HELD_OUT, drawn_split, require_split, split_folders
from pipeline.datasets.reading.tables import read_lines
from pipeline.errors import UnreadableSample, UserError
from pipeline.small_files import regular_descriptor
from pipeline.tar import BLOCK, TarError, file_places

_PAGE = 4096
"""Bytes that are read at a time."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of this converter."""

    classes: str = "classnames.txt"
    """File with the classes' names, from the raw folder; needed where there are .cls files."""
    held_out: float = HELD_OUT
    """Share of each split but `train`, where no folders are splits."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file's bytes are; a terabyte has some ten million."""

    tar: Path
    first: int
    size: int

    def read(self) -> bytes:
        with _opened(self.tar) as file:
            file.seek(self.first)
            return file.read(self.size)


_Sample = tuple[str, dict[str, _Place]]
"""Key, and ending -> its file."""


def read(raw: Path, split: str, source: SourceConfig) -> RawDataset:
    """List a split; of the tars only the headers are read.

    Raises:
        UserError: a damaged tar, no such split, or class numbers without their names.
    """
    settings, there = settings_of(source, Settings), split_folders(raw)
    if there:
        require_split(raw, split, there)
    folder = raw / split if there else raw
    listing = list_files(folder, (".tar",))
    if not listing.files:
        found = "".join(f"; {note}" for note in listing.notes)
        raise UserError(f"{raw}: expected .tar files, uncompressed, found none{found}")
    tars = {tar: _samples(tar) for tar in listing.files}
    samples = _keyed(folder, tars)
    endings = tuple(ending[1:] for ending in SUFFIXES[source.modality])
    classes = _classes(raw / settings.classes, any("cls" in files for _, files in samples))
    items = [
        RawItem(key_of(key), partial(_members, key, files, endings, source, classes))
        for key, files in samples
        if not files.keys().isdisjoint(endings)
        if there or drawn_split(key, source.splits, settings.held_out) == split
    ]
    lacking = [key for key, files in samples if files.keys().isdisjoint(endings)]
    notes = (
        *noted(f"samples have none of {' '.join(endings)} and are left out", lacking),
        *noted("tars have no file in them", [tar.name for tar in tars if not tars[tar]]),
        *noted(
            "tars have no end, as if cut behind a file",
            [tar.name for tar in tars if tars[tar] and not _has_end(tar)],
        ),
    )
    return RawDataset(
        items, classes, (source.modality,), LICENCE, class_words=words(classes), notes=notes
    )


def _keyed(folder: Path, tars: dict[Path, list[_Sample]]) -> list[_Sample]:
    """All samples, those of each tar kept apart by its name where tars share keys."""
    all_of_them = [sample for samples in tars.values() for sample in samples]
    if len({key for key, _ in all_of_them}) == len(all_of_them):
        return all_of_them
    return [
        (f"{tar.relative_to(folder).with_suffix('').as_posix()}/{key}", files)
        for tar, samples in tars.items()
        for key, files in samples
    ]


def _samples(tar: Path) -> list[_Sample]:
    """(key, ending -> its file) of a tar."""
    samples: dict[str, dict[str, _Place]] = {}
    try:
        with _opened(tar) as file:
            for name, (first, size) in file_places(file, tar.stat().st_size):
                stem, _, ending = name.removeprefix("./").rpartition(".")
                if is_left(PurePosixPath(name).name):
                    continue
                files = samples.setdefault(stem, {})
                if ending.lower() in files:
                    raise UserError(
                        f"{tar}: expected every file once, found '{name}' again, whatever the "
                        "case of its ending; rename one, or leave it out"
                    )
                files[ending.lower()] = _Place(tar, first, size)
    except (OSError, TarError) as error:
        raise UserError(
            f"{tar}: no readable tar ({error}); download it again, or pack it anew"
        ) from None
    return list(samples.items())


def _opened(tar: Path) -> BinaryIO:
    """For little in many places; with a larger buffer what lies between them is read too."""
    return os.fdopen(regular_descriptor(tar), "rb", buffering=_PAGE)


def _has_end(tar: Path) -> bool:
    """Whether two blocks of zeros are its last, as every writer's that was not stopped."""
    with _opened(tar) as file:
        file.seek(max(0, tar.stat().st_size - 2 * BLOCK))
        return not file.read().strip(b"\0")


def _classes(path: Path, needed: bool) -> list[str]:
    if not path.is_file():
        if needed:
            raise UserError(
                f"{path}: not found; .cls files need the classes' names, one a line: put them "
                "there, or name your file in settings.classes"
            )
        return []
    return read_lines(path)


def _members(
    key: str, files: dict[str, _Place], endings: tuple[str, ...], source: SourceConfig,
    classes: list[str],
) -> dict[str, bytes]:  # fmt: skip
    ending = next(each for each in endings if each in files)
    labels = [_number(files["cls"].read(), classes)] if "cls" in files else []
    found = media(f"{key}.{ending}", files[ending].read(), source.modality, key)
    return {**found, **described(key, labels, _captions(files))}


def _number(data: bytes, classes: list[str]) -> int:
    digits = data.strip()
    if not digits.isdigit() or int(digits) >= len(classes):
        raise UnreadableSample(f"cls: expected a number below {len(classes)}, found {data[:20]!r}")
    return int(digits)


def _captions(files: dict[str, _Place]) -> list[str]:
    try:
        if "txt" in files:
            text = files["txt"].read().decode("utf-8-sig").strip()
            return [text] if text else []
        told = msgspec.json.decode(files["json"].read()) if "json" in files else {}
        caption = told.get("caption") if isinstance(told, dict) else None
        return [caption] if isinstance(caption, str) and caption.strip() else []
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise UnreadableSample(f"caption: {error}") from None
