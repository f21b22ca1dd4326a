"""Media stored for cheap views: what a view sees of them, within bounds; what fits stays."""

import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipeline.config import SourceConfig
from pipeline.decoding.audio import decode_audio
from pipeline.decoding.depth import depth_pixels
from pipeline.decoding.image import decode_image
from pipeline.decoding.video import Video, decode_video
from pipeline.samples import check_member
from pipeline.transcoding import transcoded
from pipeline.transcoding.audio import stored_sound
from pipeline.transcoding.image import stored_picture
from pipeline.transcoding.video import stored_clip
from tests.made_media import clip, corners, saved, tagged
from tests.made_members import audio_bytes, depth_png, hum, video_bytes, waves

HALF_A_STEP = 0.5 / (1 << 15) + 1e-7


def all_frames(data: bytes) -> np.ndarray:
    video = decode_video(data)
    return np.stack(list(video.every()))


def groups(video: Video) -> int:
    keys = [n for n, packet in enumerate(video.packets) if packet.is_keyframe]
    return max(np.diff([*keys, len(video.packets)]))


@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (48000, 1), (8000, 1), (16000, 2)])
def test_a_stored_sound_differs_by_half_a_step(rate: int, channels: int) -> None:
    loud = np.stack([hum(3, rate, seed) for seed in range(channels)], axis=1)
    data = audio_bytes(loud, rate, "FLAC", "PCM_24")
    stored = stored_sound(data, 16000)
    before, after = decode_audio(data), decode_audio(stored)
    assert soundfile.info(io.BytesIO(stored)).subtype == "PCM_16"
    assert (after.rate, after.length) == (16000, before.length)
    difference = after.read(0, after.length) - before.read(0, before.length)
    assert np.abs(difference).max() <= HALF_A_STEP


def test_a_sound_is_the_same_however_it_is_cut_into_blocks(monkeypatch) -> None:
    data = audio_bytes(hum(2, 44100), 44100)
    whole = stored_sound(data, 16000)
    monkeypatch.setattr("pipeline.transcoding.audio.BLOCK", 1000)
    read = [decode_audio(each).read(0, 32000) for each in (whole, stored_sound(data, 16000))]
    assert np.array_equal(*read)


def test_what_is_louder_than_full_scale_is_clipped() -> None:
    data = audio_bytes(4 * hum(1, 32000), 32000, subtype="FLOAT")
    stored = decode_audio(stored_sound(data, 16000)).read(0, 16000)
    assert (stored.min(), stored.max()) == (-1.0, 1 - 2**-15)


def test_a_sound_of_the_rate_and_one_channel_stays() -> None:
    assert stored_sound(audio_bytes(hum(1)), 16000) is None


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_a_larger_picture_is_reduced_and_upright(kind: str) -> None:
    picture = corners().resize((480, 320))
    stored = decode_image(stored_picture(tagged(picture, kind, 6), 64))
    turned = picture.transpose(Image.Transpose.ROTATE_270).resize((64, 96))
    assert stored.shape == (96, 64, 3)
    difference = np.abs(stored.astype(np.int16) - np.asarray(turned))
    assert difference.mean() < 3


def test_a_stored_depth_map_has_the_same_integers_and_is_stored_once() -> None:
    data = depth_png(waves())
    source = SourceConfig(modality="depth", converter="made", raw="made")
    stored = transcoded({"depth.png": data, "meta.json": b"{}"}, source)
    assert np.array_equal(depth_pixels(stored["depth.png"]), waves())
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(stored["depth.png"]))), waves())
    assert transcoded(stored, source)["depth.png"] is stored["depth.png"]


def test_a_picture_that_is_no_larger_keeps_its_bytes() -> None:
    assert stored_picture(saved(corners(), "png"), 32) is None
    assert stored_picture(saved(corners(), "png"), 31) is not None


def test_a_clip_has_close_keyframes_and_the_same_frames() -> None:
    data = video_bytes(50, (96, 64), options={"crf": "10"})
    stored = stored_clip(data, keyframe_every=8)
    check_member({"video.mp4": stored}, "video")
    before, after = all_frames(data).astype(np.int16), all_frames(stored)
    assert after.shape == before.shape
    assert np.abs(after - before).mean() < 3
    assert groups(decode_video(stored)) == 8


@pytest.mark.parametrize("often", [1, 2, 3, 8, 11])
def test_a_wanted_frame_costs_three_at_most(often: int, monkeypatch) -> None:
    video = decode_video(stored_clip(video_bytes(100), keyframe_every=often))
    decoded: list[int] = []
    inner = Video._decoded

    def counted(self: Video, packet: object):
        for frame in inner(self, packet):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(Video, "_decoded", counted)
    for first in range(8):
        decoded.clear()
        assert len(video.decode(range(first, first + 57, 8))) == 8
        assert len(decoded) <= 3 * 8


def test_a_clip_is_reduced_to_even_sides_upright() -> None:
    stored = decode_video(stored_clip(clip(20, rotation=(90, False)), short_side=33))
    (first,) = stored.decode([0]).values()
    assert first.shape == (44, 32, 3)
    assert stored.frames == 20


@pytest.mark.parametrize(
    "kind",
    [{"container": "matroska", "codec": "libvpx-vp9"}, {"container": "avi", "codec": "mpeg4"}],
)
def test_any_clip_becomes_h264_of_the_same_bytes_each_time(kind: dict) -> None:
    data = clip(30, **kind)
    stored = stored_clip(data, short_side=32, keyframe_every=8)
    assert stored == stored_clip(data, short_side=32, keyframe_every=8)
    video = decode_video(stored)
    assert (video.stream.codec_context.name, video.frames) == ("h264", 30)
    assert video.stream.average_rate == 25


@pytest.mark.parametrize("size", [(2, 2), (400, 4), (16, 16)])
def test_even_the_smallest_clip_can_be_stored(size: tuple[int, int]) -> None:
    stored = stored_clip(
        video_bytes(20, size, codec="mpeg4", options={"sc_threshold": "1000000000"}),
        keyframe_every=4,
    )
    check_member({"video.mp4": stored}, "video")


def test_a_clip_that_fits_keeps_its_bytes() -> None:
    data = video_bytes(50)  # 64 x 48, a keyframe every 12
    assert stored_clip(data, short_side=48, keyframe_every=12) is None
    assert stored_clip(data, short_side=47) is not None
    assert stored_clip(data, keyframe_every=11) is not None


@pytest.mark.parametrize(
    ("modality", "options", "sample", "expected"),
    [
        ("image", {"short_side": 16}, {"image.png": saved(corners(), "png")}, "image.jpg"),
        ("audio", {"sample_rate": 16000}, {"audio.ogg": audio_bytes(hum(1, 8000), 8000, "OGG")},
         "audio.flac"),
        ("video", {"keyframe_every": 5}, {"video.mp4": video_bytes(20)}, "video.mp4"),
    ],
)  # fmt: skip
def test_a_stored_member_takes_the_place_of_the_one_it_came_from(
    modality: str, options: dict, sample: dict, expected: str
) -> None:
    source = SourceConfig(modality=modality, converter="made", raw="made", **options)
    sample = {**sample, "meta.json": b"{}", "text.json": b"{}"}
    stored = transcoded(sample, source)
    assert stored.keys() == {expected, "meta.json", "text.json"}
    assert transcoded(stored, source) is stored
    plain = SourceConfig(modality=modality, converter="made", raw="made")
    assert transcoded(sample, plain) is sample
