"""The converter of the pack's depth maps."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.datasets.pack_depths import read
from pipeline.datasets.reading.pack import records
from pipeline.errors import UnreadableSample, UserError
from pipeline.samples import check_member, decode_member

PACK = Path(__file__).parents[2] / "demo" / "pack"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for name in ("objects.jsonl", "classes.json", "depths.jsonl", "depths.zip", "renders.zip"):
        shutil.copy(PACK / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_lists_its_objects_under_both_cameras(split):
    ids = {line["id"] for line in records(PACK, "objects", split)}
    listed = read(PACK, split)
    assert len(listed.items) == 2 * len(ids)
    assert {i.key for i in listed.items} == {f"{id_}-{c}" for id_ in ids for c in ("front", "left")}
    assert listed.members == ("depth", "image")


def test_a_map_comes_with_its_sensor_and_its_render():
    members = read(PACK, "test").items[1].read()
    assert members.keys() == {"depth.png", "image.webp", "text.json", "meta.json"}
    meta = json.loads(members["meta.json"])
    assert meta.keys() == {"id", "labels", "depth"}
    assert len(meta["labels"]) == 1
    check_member(members, "depth")
    assert decode_member(members, "depth").fx == meta["depth"]["fx"]
    assert decode_member(members, "image").shape == (128, 128, 3)


def test_a_map_without_a_sensor_is_unreadable_not_left_out(raw):
    lines = (raw / "depths.jsonl").read_text().splitlines(keepends=True)
    missing = json.loads(lines.pop(0))
    (raw / "depths.jsonl").write_text("".join(lines))
    key = f"{missing['id']}-{missing['camera']}"
    item = next(item for item in read(raw, "train").items if item.key == key)
    with pytest.raises(UnreadableSample, match=r"not in depths\.jsonl"):
        item.read()


def test_a_line_without_a_focal_length_is_one_clear_error(raw):
    (raw / "depths.jsonl").write_text('{"id": "a", "camera": "front"}\n')
    with pytest.raises(UserError, match=r"depths\.jsonl: line 1 lacks .* baseline or fx"):
        read(raw, "train")
