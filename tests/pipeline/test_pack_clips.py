"""The converter of the pack's turntable clips."""

import json
from pathlib import Path

import pytest

from pipeline.datasets.pack_clips import read
from pipeline.datasets.reading.pack import records
from pipeline.errors import UserError
from pipeline.samples import check_member

PACK = Path(__file__).parents[2] / "demo" / "pack"


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_lists_its_objects_with_a_class(split):
    labelled = [line["id"] for line in records(PACK, "objects", split) if line["class"]]
    listed = read(PACK, split)
    assert [item.key for item in listed.items] == labelled
    assert listed.members == ("video",)


def test_a_clip_comes_with_its_class_and_captions():
    listed = read(PACK, "test")
    members = listed.items[0].read()
    assert members.keys() == {"video.mp4", "text.json", "meta.json"}
    check_member(members, "video")
    meta, text = json.loads(members["meta.json"]), json.loads(members["text.json"])
    assert meta["id"] == listed.items[0].key
    assert any(listed.classes[meta["labels"][0]] in caption for caption in text["captions"])


def test_a_pack_without_clips_is_refused(tmp_path):
    for name in ("objects.jsonl", "classes.json"):
        (tmp_path / name).write_bytes((PACK / name).read_bytes())
    with pytest.raises(UserError, match=r"clips\.zip: not a readable zip"):
        read(tmp_path, "train")
