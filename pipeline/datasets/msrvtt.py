"""MSR-VTT, the test set 1K-A: 1,000 clips with one sentence each.

    MSRVTT_JSFUSION_test.csv    key, vid_key, video_id, sentence
    videos/all/video<n>.mp4     or anywhere else below

The clips are Microsoft's (MSR-VTT, 2016), the list 1K-A is that of JSFusion as CLIP4Clip gives it
out; MSRVTT_data.json, which has the other sentences, is not read. The one split is `test`.
"""

from functools import partial
from pathlib import Path

from pipeline.datasets import RawDataset, RawItem, key_of, known_split, noted
from pipeline.datasets.reading.folders import folder_with, list_files
from pipeline.datasets.reading.labels import described
from pipeline.datasets.reading.media import CLIPS, clip
from pipeline.datasets.reading.tables import read_table

LICENCE = "for research only (Microsoft); the clips are their uploaders'"
HOME = "github.com/ArrowLuo/CLIP4Clip, which links MSRVTT.zip and the list"
SIZE = "about 6 GB"
SAMPLES = 1000
"""Rows of the list."""
LIST = "MSRVTT_JSFUSION_test.csv"


def read(raw: Path, split: str) -> RawDataset:
    """List the clips of 1K-A that are there."""
    known_split(split, "test")
    sentences: dict[str, list[str]] = {}
    for name, sentence in read_table(folder_with(raw, LIST) / LIST, ("video_id", "sentence")):
        sentences.setdefault(name, []).append(sentence)
    files = {path.stem: path for path in reversed(list_files(raw, CLIPS).files)}

    def members(name: str) -> dict[str, bytes]:
        return {**clip(files[name]), **described(name, captions=sentences[name])}

    items = [RawItem(key_of(name), partial(members, name)) for name in sentences if name in files]
    notes = noted(f"clips of {LIST} are not there", [n for n in sentences if n not in files])
    notes += noted(
        f"clips have several sentences in {LIST}, all of them count",
        [name for name, texts in sentences.items() if len(texts) > 1],
    )
    return RawDataset(items, [], ("video",), LICENCE, SAMPLES, True, notes=notes)
