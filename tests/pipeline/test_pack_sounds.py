"""The converter of the pack's sounds."""

import json
import shutil
from pathlib import Path

import pytest

from demo.sound_classes import sound_labels
from pipeline.datasets.pack_sounds import read
from pipeline.decoding.audio import decode_audio
from pipeline.errors import UserError
from pipeline.prompts import templates

PACK = Path(__file__).parents[2] / "demo" / "pack"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for name in ("sounds.jsonl", "sounds.zip"):
        shutil.copy(PACK / name, tmp_path)
    (tmp_path / "classes.json").write_text(json.dumps({"sounds": sound_labels()}))
    return tmp_path


@pytest.mark.parametrize(("split", "count"), [("train", 576), ("test", 192), ("other", 0)])
def test_a_split_lists_its_own_clips(raw, split, count):
    listed = read(raw, split)
    assert len({item.key for item in listed.items}) == count
    assert listed.members == ("audio",)
    assert listed.classes == sound_labels()


def test_a_clip_comes_with_its_class_and_captions(raw):
    item = next(item for item in read(raw, "test").items if item.key.startswith("sea-waves-"))
    members = item.read()
    assert members.keys() == {"audio.ogg", "text.json", "meta.json"}
    decode_audio(members["audio.ogg"]).check()
    assert "the sound of sea waves" in json.loads(members["text.json"])["captions"]
    meta = json.loads(members["meta.json"])
    assert meta == {"id": item.key, "labels": [sound_labels().index("sea waves")]}


def test_a_pack_without_sounds_is_refused(raw):
    (raw / "sounds.zip").unlink()
    with pytest.raises(UserError, match="sounds.zip: not a readable zip"):
        read(raw, "train")


def test_every_sound_template_names_the_class_once():
    assert 8 <= len(set(templates("sound"))) == len(templates("sound")) <= 20
    assert all(template.count("{}") == 1 for template in templates("sound"))
