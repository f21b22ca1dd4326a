"""MSR-VTT's 1K-A in a miniature of its official layout."""

import json
from pathlib import Path

import pytest

from pipeline.datasets import msrvtt
from pipeline.errors import UserError
from tests.made_media import clip
from tests.pipeline.datasets.conversions import converted, put

TABLE = (
    "key,vid_key,video_id,sentence\r\n"
    "ret0,msr9770,video9770,a person is connecting something to system\r\n"
    'ret1,msr9771,video9771,"a little girl, in a hat"\r\n'
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(msrvtt, "SAMPLES", 2)
    videos = {f"videos/all/video{n}.mp4": clip(6) for n in (1, 9770, 9771)}
    put(tmp_path / "raw", {msrvtt.LIST: TABLE, **videos})
    return tmp_path


def test_a_clip_has_its_sentence(root: Path) -> None:
    index, samples = converted(root / "raw", "msrvtt", "video", "test")
    assert samples.keys() == {"video9770", "video9771"}
    assert json.loads(samples["video9771"]["text.json"])["captions"] == ["a little girl, in a hat"]
    assert samples["video9770"]["video.mp4"] == clip(6)
    assert (index.classes, index.expected) == ([], None)


def test_the_list_of_hugging_face_is_the_same(root: Path) -> None:
    _, official = converted(root / "raw", "msrvtt", "video", "test")
    (root / "raw" / msrvtt.LIST).unlink()
    rows = [
        {"video_id": name, "video": f"{name}.mp4", "caption": caption, "id": number}
        for number, (name, caption) in enumerate(
            (("video9771", "a little girl, in a hat"),
             ("video9770", "a person is connecting something to system"))
        )
    ]  # fmt: skip
    put(root / "raw", {"msrvtt_test_1k.json": json.dumps(rows)})
    _, samples = converted(root / "raw", "msrvtt", "video", "test", samples_per_shard=1)
    assert samples == official


def test_a_missing_clip_is_named(root: Path) -> None:
    (root / "raw/videos/all/video9770.mp4").unlink()
    with pytest.raises(UserError, match="1 of 2 samples .*: video9770; scores over another list"):
        converted(root / "raw", "msrvtt", "video", "test")


def test_a_list_without_the_column_names_the_nearest(root: Path) -> None:
    put(root / "raw", {msrvtt.LIST: TABLE.replace("video_id", "videoid")})
    with pytest.raises(UserError, match="unknown column 'video_id'; did you mean 'videoid'"):
        msrvtt.read(root / "raw", "test")


def test_a_clip_listed_twice_has_both_sentences(root: Path) -> None:
    put(root / "raw", {msrvtt.LIST: TABLE + "ret2,msr9770,video9770,another\r\n"})
    listed = msrvtt.read(root / "raw", "test")
    assert len(listed.items) == 2
    assert "have several sentences" in listed.notes[0]
