"""VGGSound in a miniature of its official layout, as sounds and as videos."""

import json
from pathlib import Path

import pytest

from pipeline.datasets import vggsound
from pipeline.datasets.reading import vggsound_clips
from pipeline.datasets.vggsound_video import read as read_videos
from pipeline.errors import UserError
from tests.made_media import clip
from tests.made_members import audio_bytes, hum
from tests.pipeline.datasets.conversions import converted, put, rejected
from tests.pipeline.datasets.made_films import film

TABLE = """---g-f_I2yQ,1,people marching,test
--0PQM4-hqg,30,"bird chirping, tweeting",train
--56QUhyDQM,185,waterfall burbling,train
--absent000,7,people marching,train
--56QUhyDQM,185,people marching,train
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path / "raw", {
        "vggsound.csv": TABLE,
        "video/---g-f_I2yQ_000001.mp4": film(),
        "video/--0PQM4-hqg_000030.mp4": film(),
        "video/--56QUhyDQM_000185.mp4": clip(6),
        "video/--56QUhyDQM_000099.mp4": film(),
    })  # fmt: skip
    return tmp_path


def test_a_sound_has_its_class_and_a_frame(root: Path) -> None:
    index, samples = converted(root / "raw", "vggsound", "audio", "train", max_rejected=0.5)
    assert index.classes == ["bird chirping, tweeting", "people marching", "waterfall burbling"]
    assert samples.keys() == {"Y--0PQM4-hqg_000030"}  # the other has no sound
    (members,) = samples.values()
    assert members.keys() == {"audio.flac", "image.jpg", "meta.json"}
    meta = json.loads(members["meta.json"])
    assert meta == {"id": "--0PQM4-hqg", "labels": [0], "start": 30}


def test_a_sound_alone_has_no_frame_and_a_clip_is_read_in_its_place(root: Path) -> None:
    flac = audio_bytes(hum(0.2), container="FLAC")
    put(root / "raw/vggsound/audio/test", {
        "---g-f_I2yQ_000001.flac": flac, "--absent000_000007.flac": flac,
    })  # fmt: skip
    (root / "raw/video/---g-f_I2yQ_000001.mp4").unlink()
    put(root / "raw/audio", {"--0PQM4-hqg_000030.wav": b"RIFF"})
    _, tested = converted(root / "raw", "vggsound", "audio", "test")
    assert tested["Y---g-f_I2yQ_000001"].keys() == {"audio.flac", "meta.json"}
    _, trained = converted(root / "raw", "vggsound", "audio", "train", max_rejected=0.5)
    frames = {key: "image.jpg" in members for key, members in trained.items()}
    assert frames == {"Y--0PQM4-hqg_000030": True, "Y--absent000_000007": False}
    noted = vggsound.read(root / "raw", "test").notes
    assert "1 clips are sounds alone, without a picture: Y---g-f_I2yQ_000001" in noted
    assert len(read_videos(root / "raw", "test").items) == 0


def test_a_video_is_the_file_itself(root: Path) -> None:
    index, samples = converted(root / "raw", "vggsound_video", "video", "train")
    assert samples["Y--56QUhyDQM_000185"]["video.mp4"] == clip(6)
    assert len(samples) == 2
    assert (index.expected, index.licence) == (183_730, vggsound_clips.LICENCE)


def test_a_clip_without_sound_is_rejected_with_the_reason(root: Path) -> None:
    converted(root / "raw", "vggsound", "audio", "train", max_rejected=0.5)
    why = rejected(root / "raw")
    assert why == {"Y--56QUhyDQM_000185": "sound track: none in this file"}


def test_what_is_otherwise_than_official_is_noted(root: Path) -> None:
    assert read_videos(root / "raw", "train").notes == (
        "1 clips stand in the table twice, the first time counts: Y--56QUhyDQM_000185",
        "vggsound.csv has 3 classes, the official one 309",
    )


def test_another_split_is_refused(root: Path) -> None:
    with pytest.raises(UserError, match="no split 'val': this dataset has train, test"):
        vggsound.read(root / "raw", "val")


def test_a_table_with_a_header_is_named(root: Path) -> None:
    put(root / "raw", {"vggsound.csv": "id,start,label,train\n"})
    with pytest.raises(UserError, match="expected the second that a clip starts at"):
        vggsound.read(root / "raw", "train")
