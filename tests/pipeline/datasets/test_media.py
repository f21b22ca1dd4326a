"""Sounds and clips of a download: by their content, unchanged where they can be."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.reading.media import clip, sound, sound_and_frame
from pipeline.errors import UnreadableSample
from pipeline.samples import check_member
from tests.made_media import clip as silent_clip
from tests.made_media import level
from tests.made_members import audio_bytes, hum
from tests.pipeline.datasets.made_films import film

PAGE = b"\n<!DOCTYPE html><title>Video unavailable</title>"


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["flac", "ogg", "wav"])
def test_a_sound_that_a_shard_may_hold_stays_whatever_its_name(tmp_path: Path, kind: str) -> None:
    data = audio_bytes(hum(0.2), container=kind.upper())
    assert sound(put(tmp_path, "clip.m4a", data)) == {f"audio.{kind}": data}


@pytest.mark.parametrize(
    ("name", "container", "codec"), [("a.m4a", "ipod", "aac"), ("a.mp3", "mp3", "libmp3lame")]
)
def test_another_one_becomes_flac(tmp_path: Path, name: str, container: str, codec: str) -> None:
    members = sound(put(tmp_path, name, film(container, None, codec, 0.4, 44100, 1)))
    assert members.keys() == {"audio.flac"}
    check_member(members, "audio")


def test_the_sound_of_a_clip_has_its_middle_frame_beside_it(tmp_path: Path) -> None:
    path = put(tmp_path, "a.mp4", film())
    members = sound(path)
    assert members == sound_and_frame(path)
    check_member(members, "audio")
    pixels = np.asarray(Image.open(io.BytesIO(members["image.jpg"])))
    assert abs(pixels[24:, 32:].mean() - level(5)) < 3


def test_a_webm_may_be_all_sound(tmp_path: Path) -> None:
    path = put(tmp_path, "a.webm", film("webm", None, "libopus", 0.4, 48000))
    assert sound(path).keys() == {"audio.flac"}
    with pytest.raises(UnreadableSample, match="no video stream"):
        sound_and_frame(path)


@pytest.mark.parametrize(
    ("container", "codec"), [("avi", "mpeg4"), ("matroska", "libx264"), ("webm", "libvpx-vp9")]
)
def test_a_clip_stays_as_it_is_in_any_container(tmp_path: Path, container: str, codec: str) -> None:
    data = silent_clip(6, container, codec)
    members = clip(put(tmp_path, "a.avi", data))
    assert members == {"video.mp4": data}
    check_member(members, "video")


@pytest.mark.parametrize("read", [sound, clip, sound_and_frame])
@pytest.mark.parametrize(
    ("data", "why"), [(PAGE, "is HTML, probably an error page of the download"), (b"", "is empty")]
)
def test_what_a_download_left_in_its_place_is_named(tmp_path, read, data, why) -> None:
    with pytest.raises(UnreadableSample, match=f"^a.wav: {why}"):
        read(put(tmp_path, "a.wav", data))
