"""VGGSound's clips, for its sounds and its videos.

Layout: see `pipeline.datasets.vggsound`.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from pipeline.datasets import RawDataset, RawItem, known_split, noted
from pipeline.datasets.reading.folders import folder_with
from pipeline.datasets.reading.labels import Labels, described
from pipeline.datasets.reading.media import CLIPS
from pipeline.datasets.reading.tables import read_table
from pipeline.datasets.reading.youtube import ClipFiles, clip_key, second

LICENCE = "CC BY 4.0 (the labels); the clips are their uploaders'"
HOME = "www.robots.ox.ac.uk/~vgg/data/vggsound, clips from YouTube"
SIZE = "about 300 GB"
SAMPLES = {"train": 183_730, "test": 15_446}
"""Rows of vggsound.csv."""
CLASSES = 309
_COLUMNS = ("id", "start", "label", "split")


def listed(
    raw: Path,
    split: str,
    media: Callable[[Path], dict[str, bytes]],
    member: str,
    suffixes: tuple[str, ...] = CLIPS,
) -> RawDataset:
    """The clips of a split that are there; `media` makes the members of a clip's file, `member`
    at least. Files end in one of `suffixes`, the best first.

    Classes are the labels of both splits, sorted, as the official evaluation has them.
    """
    known_split(split, *SAMPLES)
    table = folder_with(raw, "vggsound.csv") / "vggsound.csv"
    files = ClipFiles(raw, suffixes)
    rows = list(read_table(table, _COLUMNS, header=_COLUMNS))
    classes = sorted({label for _, _, label, _ in rows})
    labels = Labels(classes)

    def sample(path: Path, identifier: str, start: int, label: str) -> dict[str, bytes]:
        numbers = [labels.number(label)]
        return {**media(path), **described(identifier, numbers, start=start)}

    items, twice, alone = dict[str, RawItem](), list[str](), list[str]()
    for identifier, start, label in _rows_of(split, table, rows):
        key, path = clip_key(identifier, start), files.find(identifier, start)
        if key in items:
            twice.append(key)
        elif path:
            items[key] = RawItem(key, partial(sample, path, identifier, start, label))
            if path.suffix.lower() not in CLIPS:
                alone.append(key)
    notes = files.notes + noted("clips stand in the table twice, the first time counts", twice)
    notes += noted("clips are sounds alone, without a picture", alone) + _other_classes(classes)
    return RawDataset(
        list(items.values()), classes, (member,), LICENCE, SAMPLES[split], notes=notes
    )


def _rows_of(split: str, table: Path, rows: list[tuple[str, ...]]) -> list[tuple[str, int, str]]:
    return [(name, second(table, start), label) for name, start, label, of in rows if of == split]


def _other_classes(classes: list[str]) -> tuple[str, ...]:
    if len(classes) == CLASSES:
        return ()
    return (f"vggsound.csv has {len(classes)} classes, the official one {CLASSES}",)
