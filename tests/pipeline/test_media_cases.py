"""What people really have, one of each kind: the values that a view must start from, or why not."""

import json

import av
import numpy as np
import pytest

from pipeline.config import ViewsConfig
from pipeline.samples import UnreadableSample, check_member, decode_member, decode_text
from pipeline.views import EVALUATION, ViewMaker, chain_for
from tests.made_media import clip, corners, npy, png, remuxed, saved, tagged, with_edits
from tests.made_members import audio_bytes, hum

BALL = np.random.default_rng(0).normal(size=(512, 3))
BALL /= np.linalg.norm(BALL, axis=1, keepdims=True)
MKV, WAV, JPEG = clip(container="matroska"), audio_bytes(hum(1)), saved(corners(), "jpeg")


def streamed(flac: bytes) -> bytes:
    return flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]


def hide_frame_7(number: int, packet: av.Packet) -> bytes:
    content = bytes(packet)
    return bytes([content[0] & ~0x10]) + content[1:] if number == 7 else content


READ = {
    "photo of a phone held upright": (
        "image.jpg",
        tagged(corners().rotate(90, expand=1), "jpeg", 6),
    ),
    "png upside down": ("image.png", tagged(corners().rotate(180), "png", 3)),
    "webp on its side": ("image.webp", tagged(corners().rotate(-90, expand=1), "webp", 8)),
}


@pytest.mark.parametrize("name", READ)
def test_pictures_are_upright(name: str) -> None:
    member, data = READ[name]
    check_member({member: data}, "image")
    found = np.asarray(decode_member({member: data}, "image")).astype(int)
    assert found.shape == (32, 48, 3)
    assert found[4, 4].argmax() == 0  # red in the corner where red was
    assert found[-5, -5].min() > 200


def test_a_logo_is_black_on_white_and_16_bits_are_grey() -> None:
    logo = png(2, 1, 8, 6, bytes(5) + b"\0\0\0\xff")
    assert np.asarray(decode_member({"image.png": logo}, "image"))[0, :, 0].tolist() == [255, 0]
    grey = png(2, 1, 16, 0, b"\0\x80\x00\x40\x00")
    assert np.asarray(decode_member({"image.png": grey}, "image"))[0, :, 0].tolist() == [128, 64]


CLIPS = {
    "plain mp4": (clip(), range(40)),
    "avi without display times": (clip(container="avi"), range(40)),
    "cut without encoding": (with_edits(clip(), (5, 35)), range(5, 40)),
    "a frame that is not shown": (
        remuxed(clip(container="webm", codec="libvpx", **{"cpu-used": "8"}), "webm", hide_frame_7),
        [*range(7), *range(8, 40)],
    ),
    "with a cover": (clip(20, cover="before"), range(20)),
}


@pytest.mark.parametrize("name", CLIPS)
def test_clips_give_the_frames_that_are_shown(name: str) -> None:
    data, shown = CLIPS[name]
    check_member({"video.mp4": data}, "video")
    video = decode_member({"video.mp4": data}, "video")
    levels = [frame[12:, 12:].mean() for frame in video.decode(range(video.frames)).values()]
    assert levels == pytest.approx([40 + 2 * n for n in shown], abs=3)


def test_a_clip_held_upright_is_upright() -> None:
    video = decode_member({"video.mp4": clip(4, rotation=(-90, False))}, "video")
    frame = video.decode([0])[0]
    assert frame.shape == (64, 48, 3)
    assert frame[32, -3].min() > 200  # the white bar, once along the top, is on the right


@pytest.mark.parametrize(
    ("member", "data"),
    [
        ("audio.flac", streamed(audio_bytes(hum(1), container="FLAC"))),
        ("audio.wav", WAV[:40] + b"\xff" * 4 + WAV[44:]),
    ],
)
def test_sounds_of_unknown_length_are_read_to_their_end(member: str, data: bytes) -> None:
    check_member({member: data}, "audio")
    assert decode_member({member: data}, "audio").count == 16000


@pytest.mark.parametrize("view", [EVALUATION, 0])
def test_a_cloud_on_the_map_has_the_view_of_one_at_home(view: int) -> None:
    maker = ViewMaker(chain_for("points", "points"), 0, ViewsConfig())
    near, far = (
        maker(decode_member({"points.npy": npy(BALL + place)}, "points"), "key", view).array
        for place in ([0, 0, 0], [5e5, 4.5e6, 100.0])
    )
    assert np.abs(near - far).max() < 1e-5


REFUSED = {
    "image.jpg": (JPEG[: len(JPEG) // 2 + 300] + b"\xff\xd9", "premature end"),
    "video.mp4": (MKV[: len(MKV) // 2], "cut short"),
    "audio.wav": (WAV[: len(WAV) // 2], "32000 bytes of samples promised"),
    "audio.flac": (audio_bytes(np.stack([np.zeros(9000), hum(1)[:9000]], 1)), "first channel"),
    "points.npy": (npy(np.ones((99, 3))), "all points are in one place"),
    "points.npy of colours": (npy(np.c_[BALL, 99 * abs(BALL)]), "colours in 0..1"),
    "points.npy of normals": (npy(np.c_[BALL, BALL]), "colours in 0..1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_whole_thing_is_refused(name: str) -> None:
    (data, reason), file = REFUSED[name], name.split()[0]
    with pytest.raises(UnreadableSample, match=reason):
        check_member({file: data}, file.split(".")[0])


def test_blank_captions_are_refused() -> None:
    with pytest.raises(UnreadableSample, match="caption 0 has no word in it"):
        decode_text({"text.json": json.dumps({"captions": ["", "  "]}).encode()})
