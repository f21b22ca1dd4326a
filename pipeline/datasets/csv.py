"""A table of one's own files of any modality, with a caption or a class, or both, a row.

    data.csv            path,caption,label,split        any of the last three may be missing
    a/b.wav, ...        the files, by their path from the table's folder

Rows of one path are one sample with several captions or classes. Columns may have tabs or
semicolons between them, paths Windows' backslashes. Depth maps need `sensor`.
"""

import csv
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.config import SourceConfig
from pipeline.datasets import RawDataset, RawItem, key_of
from pipeline.datasets.reading.labels import Labels, described
from pipeline.datasets.reading.own_media import LICENCE, read_media, words
from pipeline.datasets.reading.settings import settings_of
from pipeline.datasets.reading.splits import HELD_OUT, drawn_split, require_split
from pipeline.datasets.reading.tables import read_lines, read_table
from pipeline.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of this converter. A column that is named here must be there."""

    table: str = "data.csv"
    """The table, from the raw folder."""
    path: str = "path"
    """Column of the files' paths."""
    caption: str = "caption"
    """Column of captions."""
    label: str = "label"
    """Column of classes by name."""
    split: str = "split"
    """Column of the split; without it splits are drawn by each path."""
    held_out: float = HELD_OUT
    """Share of each split but `train`, where they are drawn."""
    sensor: dict[str, Any] | None = None
    """Depth maps: encoding, baseline (metres) and fx (pixels) of `depth` in meta.json."""


@dataclass
class _Sample:
    split: str
    captions: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


def read(raw: Path, split: str, source: SourceConfig) -> RawDataset:
    """List a split.

    Raises:
        UserError: the table lacks a column or names a file outside its folder, or no such split.
    """
    settings = settings_of(source, Settings)
    table = raw / settings.table
    columns = _columns(table, settings)
    samples = _samples(table, columns, settings, source)
    if settings.split in columns:
        require_split(table, split, sorted({sample.split for sample in samples.values()}))
    classes = sorted({label for sample in samples.values() for label in sample.labels})
    read_one = partial(_members, table.parent, source, settings, Labels(classes))
    items = [
        RawItem(key_of(path), partial(read_one, path, sample))
        for path, sample in samples.items()
        if sample.split == split
    ]
    return RawDataset(items, classes, (source.modality,), LICENCE, class_words=words(classes))


def _columns(table: Path, settings: Settings) -> list[str]:
    """Those of captions, classes and splits that the table has, or that the settings name."""
    (first,) = csv.reader([_header(table)], delimiter=_delimiter(table))
    names, default = [name.strip() for name in first], Settings()
    roles = ("caption", "label", "split")
    told = [(getattr(settings, role), getattr(default, role)) for role in roles]
    columns = [column for column, usual in told if column in names or column != usual]
    if not {settings.caption, settings.label} & set(columns):
        raise UserError(
            f"{table}: expected a column '{settings.caption}' or '{settings.label}', found "
            f"{', '.join(names)}; name yours in settings.caption or settings.label"
        )
    return columns


def _samples(
    table: Path, columns: list[str], settings: Settings, source: SourceConfig
) -> dict[str, _Sample]:
    """Path -> what its rows say together."""
    samples: dict[str, _Sample] = {}
    for path, *values in read_table(table, [settings.path, *columns], delimiter=_delimiter(table)):
        row = dict(zip(columns, values))
        split = row.get(settings.split) or drawn_split(path, source.splits, settings.held_out)
        sample = samples.setdefault(_below(table, path), _Sample(split))
        if sample.split != split:
            raise UserError(f"{table}: '{path}' is in the splits {sample.split} and {split}")
        sample.captions += [row[settings.caption]] if row.get(settings.caption) else []
        sample.labels += [row[settings.label]] if row.get(settings.label) else []
    return samples


def _below(table: Path, path: str) -> str:
    path = path.replace("\\", "/")
    if Path(path).is_absolute() or ".." in Path(path).parts or not path:
        raise UserError(f"{table}: expected paths from its own folder, found '{path}'")
    return path


def _delimiter(table: Path) -> str:
    """Of the header: spreadsheets put semicolons where a comma is the decimal point."""
    header = _header(table)
    return next((sign for sign in "\t;" if sign in header and "," not in header), ",")


def _header(table: Path) -> str:
    return next(iter(read_lines(table)), "")


def _members(
    folder: Path, source: SourceConfig, settings: Settings, classes: Labels,
    path: str, sample: _Sample,
) -> dict[str, bytes]:  # fmt: skip
    numbers = sorted({classes.number(label) for label in sample.labels})
    more = {"depth": settings.sensor} if settings.sensor else {}
    media = read_media(folder / path, source.modality, path)
    return {**media, **described(path, numbers, sample.captions, **more)}
