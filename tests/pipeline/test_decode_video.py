"""Clips: exact frames from anywhere, and nothing hostile gets further than a reason."""

import io
from contextlib import suppress

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decoding import video_frames, video_packets
from pipeline.decoding.video import decode_video
from pipeline.errors import UnreadableSample
from tests.made_members import audio_bytes, hum, jpeg_bytes, video_bytes

CLIP = video_bytes()
CODECS = {
    "h264, B-frames, closed groups": {},
    "h264, open groups": {"options": {"x264-params": "open-gop=1:bframes=3:b-pyramid=normal"}},
    "mpeg4 in AVI": {"container": "avi", "codec": "mpeg4", "options": {"bf": "2"}},
    "vp9 in WebM": {"container": "webm", "codec": "libvpx-vp9", "options": {"cpu-used": "8"}},
}


@pytest.mark.parametrize("kind", CODECS.values(), ids=CODECS)
def test_frames_from_anywhere_are_those_of_the_whole(kind: dict) -> None:
    clip = decode_video(video_bytes(**kind))
    clip.check()
    whole = clip.decode(range(clip.frames))
    for start in (0, 5, 11, 13, 40):
        for number, frame in clip.decode(range(start, 70, 8)).items():
            assert np.array_equal(frame, whole[number])


def test_frames_are_numbered_as_they_are_shown() -> None:
    levels = {n: frame[20:].mean() for n, frame in decode_video(CLIP).decode([0, 9, 69]).items()}
    assert levels == pytest.approx({0: 40, 9: 58, 69: 178}, abs=2)


def test_a_clip_without_times_is_read_in_order() -> None:
    clip = decode_video(CLIP)
    whole = clip.decode(range(70))
    clip.packets[3].pts = None
    assert all(np.array_equal(f, whole[n]) for n, f in clip.decode([2, 30, 69]).items())


def test_large_frames_are_shrunk_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_frames, "KEPT_PIXELS", 32 * 24)
    assert decode_video(CLIP).decode([1])[1].shape == (24, 32, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a video at all" * 50,
        b"#EXTM3U\n#EXTINF:5,\nfile:///etc/hostname\n",
        jpeg_bytes(np.zeros((8, 8, 3), np.uint8)),
        audio_bytes(hum(0.1)),
        CLIP[:4],
    ],
    ids=["empty", "text", "playlist", "picture", "sound", "cut"],
)
def test_what_is_no_clip_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableSample, match="video.mp4: damaged, or no MP4, AVI or Matroska"):
        decode_video(data)


@pytest.mark.parametrize(
    ("bound", "value"), [("MAX_FRAME_PIXELS", 3000), ("MAX_FRAMES", 69), ("MAX_PIXELS", 200_000)]
)
def test_bounds_are_held_before_decoding(
    bound: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_packets, bound, value)
    with pytest.raises(UnreadableSample, match="64 x 48; the limits are"):
        decode_video(CLIP)


def test_a_size_that_only_the_stream_betrays_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_packets, "_check_size", lambda *size: None)
    monkeypatch.setattr(video_packets, "MAX_FRAME_PIXELS", 1000)
    with pytest.raises(UnreadableSample):
        decode_video(CLIP).decode([0])


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_packet_is_found_by_the_check(seed: int) -> None:
    data, rng = bytearray(CLIP), np.random.default_rng(seed)
    begin = data.index(b"mdat") + 1200  # behind the encoder's own words
    data[begin : begin + 100] = rng.integers(0, 256, 100, np.uint8).tobytes()
    with pytest.raises(UnreadableSample, match="video.mp4: damaged"):
        decode_video(bytes(data)).check()


def test_frames_that_ffmpeg_patches_up_are_not_passed_off() -> None:
    """Damage inside a slice: FFmpeg hides it and reports no error, only a flag on the frame."""
    data = bytearray(video_bytes(3, noise=True))
    first = decode_video(bytes(data)).packets[0]
    middle = data.index(bytes(first)) + first.size // 2
    data[middle : middle + 40] = bytes(40)
    with pytest.raises(UnreadableSample, match="video.mp4: damaged at 0.0 s"):
        decode_video(bytes(data)).decode([0])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, len(CLIP) - 1), st.integers(0, 255)), min_size=1))
def test_flipped_bytes_give_frames_or_a_reason(changes: list[tuple[int, int]]) -> None:
    data = bytearray(CLIP)
    for place, value in changes:
        data[place] = value
    with suppress(UnreadableSample):
        clip = decode_video(bytes(data))
        assert all(f.dtype == np.uint8 for f in clip.decode([0, clip.frames - 1]).values())


def test_an_audio_only_file_has_no_video_stream() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    with pytest.raises(UnreadableSample, match="no video stream"):
        decode_video(file.getvalue())
