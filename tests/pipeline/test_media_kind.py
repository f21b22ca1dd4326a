"""The modality of a file by its content, and what is no media file."""

import numpy as np
import pytest

from pipeline.errors import UnreadableSample
from pipeline.media_file import read_media
from pipeline.media_kind import modality_of
from tests.made_media import clip, corners, npy, saved
from tests.made_members import SENSOR, audio_bytes, depth_png, hum, waves

CONTENTS = {
    "jpeg": ("image", saved(corners(), "jpeg")),
    "png": ("image", saved(corners(), "png")),
    "8-bit grey png": ("image", saved(corners().convert("L"), "png")),
    "webp": ("image", saved(corners(), "webp")),
    "gif": ("image", saved(corners(), "gif")),
    "16-bit grey png": ("depth", depth_png(waves())),
    "npy": ("points", npy(np.zeros((4, 3), np.float32))),
    "flac": ("audio", audio_bytes(hum(0.2), container="FLAC")),
    "ogg": ("audio", audio_bytes(hum(0.2), container="OGG")),
    "wav": ("audio", audio_bytes(hum(0.2))),
    "rf64": ("audio", audio_bytes(hum(0.2), container="RF64")),
    "mp4": ("video", clip(3)),
    "mkv": ("video", clip(3, "matroska")),
    "avi": ("video", clip(3, "avi", "mpeg4")),
    "mp4 of a clip and a cover": ("video", clip(3, cover="before")),
    "mp4 of sound alone": ("audio", clip(0)),
    "mp4 of sound and a cover": ("audio", clip(0, cover="after")),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_the_content_tells_the_modality(name: str, tmp_path) -> None:
    modality, data = CONTENTS[name]
    assert modality_of(data) == modality
    path = tmp_path / "misleading.txt"
    path.write_bytes(data)
    assert read_media(path).modality == modality


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "found an empty file"),
        (b"a chair, in words", "found text"),
        (b"PK\3\4" + bytes(40) + b"\xff", "found bytes that begin 504b0304"),
        (b"RIFF\x10\0\0\0ACON" + b"\xff" * 40, "found bytes that begin"),
        (clip(9)[:900], "cut short"),
        (b"\x1a\x45\xdf\xa3" + bytes(99), "Matroska"),
        (b"\0\0\0\x10ftypisom\0\0\0\0", "damaged MP4"),
    ],
)
def test_what_is_no_media_file_is_refused(data: bytes, found: str) -> None:
    with pytest.raises(UnreadableSample, match=found) as refused:
        modality_of(data)
    assert "\n" not in str(refused.value)


def test_what_is_no_file_is_refused(tmp_path) -> None:
    with pytest.raises(UnreadableSample, match="found a folder"):
        read_media(tmp_path)
    with pytest.raises(UnreadableSample, match="No such file"):
        read_media(tmp_path / "none.jpg")


def test_a_large_file_of_something_else_is_not_read(tmp_path) -> None:
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UnreadableSample, match="expected an image"):
        read_media(path)
    with path.open("r+b") as file:
        file.write(b"\xff\xd8\xff\xe0")
    with pytest.raises(UnreadableSample, match="1,099,511,627,776 bytes; the limit is"):
        read_media(path)


def test_a_depth_map_takes_its_sensor_from_the_json_beside_it(tmp_path) -> None:
    path, beside = tmp_path / "e.png", tmp_path / "e.json"
    path.write_bytes(depth_png(waves()))
    with pytest.raises(UnreadableSample, match=r"sensor is unknown: .*e\.json .* is an image"):
        read_media(path).decoded()
    beside.write_text('{"baseline": 0.075, "fx": 520}')
    assert read_media(path).decoded().fx == SENSOR["fx"]
    beside.write_text('{"baseline": -1, "fx": 520}')
    with pytest.raises(UnreadableSample, match=r"e\.json: baseline is -1.0, expected a number > 0"):
        read_media(path).decoded()


def test_a_depth_map_is_an_image_where_that_is_asked_for(tmp_path) -> None:
    path = tmp_path / "e.png"
    path.write_bytes(depth_png(waves()))
    assert read_media(path, "image").decoded().dtype == np.uint8


def test_sound_in_a_container_names_the_way_out(tmp_path) -> None:
    path = tmp_path / "talk.mp4"
    path.write_bytes(clip(0))
    with pytest.raises(UnreadableSample, match="expected FLAC, OGG or WAV, which `ffmpeg"):
        read_media(path).decoded()
