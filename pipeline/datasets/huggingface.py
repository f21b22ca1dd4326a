"""A data set of the `datasets` library on disk, as `save_to_disk` leaves it or exported to Parquet.

    data-*.arrow, or train/data-*.arrow, test/data-*.arrow                save_to_disk
    train-*.parquet, or data/train-*.parquet, or train/*.parquet          Parquet

The media are an Image or Audio column, whose values hold the files' own bytes. A class is a
ClassLabel or a text, a caption a text or a list of them. Splits without a name are drawn by each
row. Needs pyarrow: pip install "unialign[huggingface]". A row of a Parquet file is read with its
whole group, and samples are read in shuffled order: of large groups save_to_disk is faster.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.config import SourceConfig
from pipeline.datasets import RawDataset, RawItem, key_of, noted
from pipeline.datasets.reading.arrow import Rows, open_rows
from pipeline.datasets.reading.folders import list_files
from pipeline.datasets.reading.labels import Labels, described
from pipeline.datasets.reading.own_media import LICENCE, SUFFIXES, media, words
from pipeline.datasets.reading.settings import settings_of
from pipeline.datasets.reading.splits import HELD_OUT, NAMES, drawn_split, require_split
from pipeline.errors import UnreadableSample, UserError
from pipeline.unknown_name import unknown_name

MOST_CLASSES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of this converter: names of columns, each found by itself where it is called as usual."""

    media: str | None = None
    """Column of the media; default: the only Image or Audio."""
    caption: str | None = None
    """Column of captions; default: `caption` or `text`, if there."""
    label: str | None = None
    """Column of classes; default: `label`, if there."""
    held_out: float = HELD_OUT
    """Share of each split but `train`, where no names are splits."""


@dataclass(frozen=True)
class _Columns:
    media: str
    caption: str | None
    label: str | None

    @property
    def names(self) -> list[str]:
        return [name for name in (self.media, self.caption, self.label) if name]


def read(raw: Path, split: str, source: SourceConfig) -> RawDataset:
    """List a split.

    Raises:
        UserError: no such files, columns or split, or pyarrow is missing.
    """
    settings = settings_of(source, Settings)
    files = _files(raw)
    named = sorted({part for _, part in files if part})
    if named:
        require_split(raw, split, named)
    opened = [(path, part, open_rows(path)) for path, part in files if part or not named]
    columns = _columns(opened[0][0], opened[0][2], settings)
    classes = _classes([rows for _, _, rows in opened], columns.label)
    read_one = partial(_members, source, columns, Labels(classes))
    items = [
        RawItem(key, partial(read_one, rows, number, key))
        for path, part, rows in opened
        if part in ("", split)
        for number in range(rows.count)
        if (key := key_of(f"{path.relative_to(raw).with_suffix('').as_posix()}-{number:06d}"))
        and (part or drawn_split(key, source.splits, settings.held_out) == split)
    ]
    unnamed = [path.name for path, part in files if named and not part]
    return RawDataset(
        items, classes, (source.modality,), LICENCE, class_words=words(classes),
        notes=noted("files are of no split by their names and left out", unnamed),
    )  # fmt: skip


def _files(raw: Path) -> list[tuple[Path, str]]:
    """(file, its split or nothing), in order."""
    found = list_files(raw, (".arrow", ".parquet")).files
    if not found:
        raise UserError(f"{raw}: expected .arrow files of save_to_disk or .parquet files")
    return [(path, _split(path.relative_to(raw))) for path in found]


def _split(path: Path) -> str:
    """The split that a folder, or a part of the file's name, says."""
    said = [*path.parts[:-1], *path.stem.split("-")]
    return next((name for part in said for name in NAMES if part == name), "")


def _columns(path: Path, rows: Rows, settings: Settings) -> _Columns:
    names = rows.schema.names
    for name in (settings.media, settings.caption, settings.label):
        if name and name not in names:
            raise UserError(f"{path}: {unknown_name('column', name, names)}")
    held = [field.name for field in rows.schema if _holds_media(field.type)]
    if not settings.media and len(held) != 1:
        raise UserError(
            f"{path}: expected one Image or Audio column, found {', '.join(held) or 'none'} among "
            f"{', '.join(names)}; name it in settings.media"
        )
    caption = next((name for name in ("caption", "text") if name in names), None)
    label = "label" if "label" in names else None
    return _Columns(settings.media or held[0], settings.caption or caption, settings.label or label)


def _holds_media(kind: Any) -> bool:
    """Whether values are structs of `bytes` and `path`."""
    count = getattr(kind, "num_fields", 0)
    return {kind.field(number).name for number in range(count)} >= {"bytes", "path"}


def _classes(files: list[Rows], column: str | None) -> list[str]:
    """Names of a ClassLabel in its order, or all texts there are, sorted; or bare numbers."""
    if column is None:
        return []
    metadata = (files[0].schema.metadata or {}).get(b"huggingface", b"{}")
    features = json.loads(metadata).get("info", {}).get("features", {})
    names = features.get(column, {}).get("names")
    if names:
        return [str(name) for name in names]
    values = {value for rows in files for value in rows.column(column) if value is not None}
    numbers = [value for value in values if isinstance(value, int)]
    if max(numbers, default=0) >= MOST_CLASSES:
        raise UserError(f"column {column}: {max(numbers)} is no number of a class")
    return [str(n) for n in range(max(numbers) + 1)] if numbers else sorted(map(str, values))


def _members(
    source: SourceConfig, columns: _Columns, labels: Labels, rows: Rows, number: int, key: str
) -> dict[str, bytes]:
    row = rows.row(number, columns.names)
    held = row[columns.media]
    data = held.get("bytes") if isinstance(held, dict) else held
    if not isinstance(data, bytes) or not data:
        raise UnreadableSample(f"column {columns.media}: the file's bytes are not in it")
    numbers = list(_numbers(row.get(columns.label or ""), labels))
    path = held.get("path") if isinstance(held, dict) else None
    known = str(path or "").lower().endswith(SUFFIXES[source.modality])
    name = str(path) if known else f"{key}{SUFFIXES[source.modality][0]}"
    found = media(name, data, source.modality, key)
    return {**found, **described(key, numbers, _captions(row.get(columns.caption or "")))}


def _numbers(value: Any, labels: Labels) -> Iterator[int]:
    """Class numbers of a value, of each where it is a list; -1 and nothing are no class."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str):
            yield labels.number(each)
        elif isinstance(each, int) and each >= 0:
            yield each


def _captions(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str) and each.strip()]
