"""MSR-VTT, the test set 1K-A: 1,000 clips with one sentence each.

    MSRVTT_JSFUSION_test.csv    key, vid_key, video_id, sentence
or  msrvtt_test_1k.json         a list of {video_id, caption, ...}
    videos/all/video<n>.mp4     or anywhere else below

The clips are Microsoft's (MSR-VTT, 2016), the list 1K-A is that of JSFusion as CLIP4Clip gives it
out, or the same in hf://datasets/friedrichor/MSR-VTT; MSRVTT_data.json, which has the other
sentences, is not read. The one split is `test`.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from pipeline.datasets import RawDataset, RawItem, key_of, known_split, noted
from pipeline.datasets.reading.folders import folder_with, list_files
from pipeline.datasets.reading.labels import described
from pipeline.datasets.reading.media import CLIPS, clip
from pipeline.datasets.reading.tables import read_table
from pipeline.small_files import read_json

LICENCE = "for research only (Microsoft); the clips are their uploaders'"
HOME = "github.com/ArrowLuo/CLIP4Clip, which links MSRVTT.zip and the list"
SIZE = "about 6 GB"
SAMPLES = 1000
"""Rows of the list."""
LIST, HUGGING_FACES = "MSRVTT_JSFUSION_test.csv", "msrvtt_test_1k.json"


class _Row(msgspec.Struct):
    video_id: str
    caption: str


def read(raw: Path, split: str) -> RawDataset:
    """List the clips of 1K-A that are there."""
    known_split(split, "test")
    table = _table(raw)
    sentences: dict[str, list[str]] = {}
    for name, sentence in _rows(table):
        sentences.setdefault(name, []).append(sentence)
    files = {path.stem: path for path in reversed(list_files(raw, CLIPS).files)}

    def members(name: str) -> dict[str, bytes]:
        return {**clip(files[name]), **described(name, captions=sentences[name])}

    items = [RawItem(key_of(name), partial(members, name)) for name in sentences if name in files]
    notes = noted(f"clips of {table.name} are not there", [n for n in sentences if n not in files])
    notes += noted(
        f"clips have several sentences in {table.name}, all of them count",
        [name for name, texts in sentences.items() if len(texts) > 1],
    )
    return RawDataset(items, [], ("video",), LICENCE, SAMPLES, True, notes=notes)


def _table(raw: Path) -> Path:
    """The list in either form; CLIP4Clip's where neither is there."""
    csv, json = (folder_with(raw, name) / name for name in (LIST, HUGGING_FACES))
    return json if json.is_file() and not csv.is_file() else csv


def _rows(table: Path) -> Iterator[tuple[str, ...]]:
    """A clip and a sentence of it, row by row."""
    if table.name == LIST:
        yield from read_table(table, ("video_id", "sentence"))
    else:
        rows = read_json(table, list[_Row], "put the dataset's own file there")
        yield from ((row.video_id, row.caption) for row in rows)
