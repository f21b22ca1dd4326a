"""AudioSet: 10-second clips of YouTube videos with any number of 527 classes each.

    class_labels_indices.csv            index, mid, display_name
    balanced_train_segments.csv         YTID, start_seconds, end_seconds, "mid,mid,..."
    unbalanced_train_segments.csv
    eval_segments.csv
    .../<clip>.wav|flac|m4a|mp3|ogg|opus|webm|mp4

From research.google.com/audioset. The clips are no part of it: each is cut to its ten seconds by
whoever downloads it, under a name of `pipeline.datasets.reading.youtube`, anywhere in the folder; a
whole video in its place is rejected. `train` is both training tables, or the one that is there. Of
a clip with pictures the middle frame is kept beside its sound, for teachers of images.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pipeline.datasets import RawDataset, RawItem, known_split, noted
from pipeline.datasets.reading.folders import folder_with
from pipeline.datasets.reading.labels import Labels, described
from pipeline.datasets.reading.media import SOUNDS, sound
from pipeline.datasets.reading.tables import read_table
from pipeline.datasets.reading.youtube import ClipFiles, clip_key, second, ten_seconds
from pipeline.errors import UserError

LICENCE = "CC BY 4.0 (the labels); the clips are their uploaders'"
HOME = "research.google.com/audioset, clips from YouTube"
SIZE = "about 0.2 MB a clip as FLAC at 16 kHz"
TABLES = {
    "train": {"balanced_train_segments.csv": 22_160, "unbalanced_train_segments.csv": 2_041_789},
    "eval": {"eval_segments.csv": 20_371},
}
"""Tables of a split, each with its clips: `num_segs` in its second line."""
CLASSES = 527
_LABELS = "class_labels_indices.csv"
_COLUMNS = ("YTID", "start_seconds", "end_seconds", "positive_labels")


def read(raw: Path, split: str) -> RawDataset:
    """List a split, the clips of it that are there; prompts have the display names in lower case,
    as ViT-Lens'."""
    tables = TABLES[known_split(split, *TABLES)]
    files, raw = ClipFiles(raw, SOUNDS), folder_with(raw, _LABELS)
    mids, classes = _classes(raw / _LABELS)
    labels = Labels(mids)

    def members(path: Path, identifier: str, start: int, positive: str) -> dict[str, bytes]:
        numbers = [labels.number(mid) for mid in positive.split(",")]
        return {**ten_seconds(sound(path)), **described(identifier, numbers, start=start)}

    items, twice = dict[str, RawItem](), list[str]()
    for identifier, start, positive in _segments(raw, tables):
        path = files.find(identifier, start)
        if identifier in items:
            twice.append(identifier)
        elif path:
            one = partial(members, path, identifier, start, positive)
            items[identifier] = RawItem(clip_key(identifier), one)
    return RawDataset(
        list(items.values()), classes, ("audio",), LICENCE,
        expected=sum(tables.values()), class_words=[name.lower() for name in classes],
        notes=files.notes + _lacking(raw, tables)
        + noted("clips stand in the tables twice, the first time counts", twice),
    )  # fmt: skip


def _classes(table: Path) -> tuple[list[str], list[str]]:
    """Machine ids and display names in the order of their index."""
    rows = list(read_table(table, ("index", "mid", "display_name")))
    if [index for index, _, _ in rows] != [str(index) for index in range(CLASSES)]:
        raise UserError(
            f"{table}: expected the indices 0..{CLASSES - 1} in their order, found {len(rows)} "
            "rows; put the dataset's own file there"
        )
    return [mid for _, mid, _ in rows], [name for _, _, name in rows]


def _segments(raw: Path, tables: dict[str, int]) -> Iterator[tuple[str, int, str]]:
    """(YouTube id, first second, mids) of the tables that are there, at least one."""
    there = [raw / name for name in tables if (raw / name).is_file()]
    for table in there or [raw / next(iter(tables))]:
        columns = (_COLUMNS[0], _COLUMNS[1], _COLUMNS[3])
        for identifier, start, positive in read_table(table, columns, header=_COLUMNS, comment="#"):
            yield identifier, second(table, start), positive


def _lacking(raw: Path, tables: dict[str, int]) -> tuple[str, ...]:
    return noted("tables are not there", [n for n in tables if not (raw / n).is_file()])
