"""Clips of every kind: the frames that a player shows, upright, in the order in which it does."""

import av
import numpy as np
import pytest

from pipeline.decoding.hidden_frames import is_shown
from pipeline.decoding.video import Video, decode_video
from pipeline.errors import UnreadableSample
from tests.made_media import clip, remuxed, with_edits

CLIP = clip()


def numbers(data: bytes) -> list[int]:
    """Which frames of `clip` a file shows; each alone is the same as among all."""
    video = decode_video(data)
    video.check()
    frames = video.decode(range(video.frames))
    for alone in (0, video.frames // 2, video.frames - 1):
        assert np.array_equal(video.decode([alone])[alone], frames[alone])
    return [round((frames[n][12:, 12:].mean() - 40) / 2) for n in range(video.frames)]


def close(found: list[int], expected: list[int]) -> bool:
    return len(found) == len(expected) and all(abs(a - b) <= 1 for a, b in zip(found, expected))


CONTAINERS = {
    "mp4": {},
    "mov": {"container": "mov"},
    "fragmented": {"mux": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}},
    "mkv": {"container": "matroska"},
    "live mkv": {"container": "matroska", "mux": {"live": "1"}},
    "avi": {"container": "avi"},
    "mpeg4 avi": {"container": "avi", "codec": "mpeg4", "bf": "2", "b": "4M"},
    "vp8": {"container": "webm", "codec": "libvpx", "cpu-used": "8"},
    "vp9": {"container": "webm", "codec": "libvpx-vp9", "cpu-used": "8", "lag-in-frames": "9"},
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_every_container_gives_the_frames_in_order(kind: str) -> None:
    assert close(numbers(clip(**CONTAINERS[kind])), list(range(40)))


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_clip_cut_anywhere_is_refused(kind: str) -> None:
    """Except where a stream that never knew its length could have ended."""
    data, accepted = clip(**CONTAINERS[kind]), 0
    for cut in range(0, len(data) - 1, 31):
        try:
            decode_video(data[:cut]).check()
            accepted += 1
        except UnreadableSample as error:
            assert str(error).startswith("video.mp4: ")  # noqa: PT017
    assert accepted <= ("live" in kind or "frag" in kind)


@pytest.mark.parametrize(
    "edits",
    [
        [(5, 35)],
        [(12, 28)],
        [(7, 6)],
        [(0, 25)],
        [(-1, 10), (0, 40)],
        [(-1, 3), (9, 20)],
        [(10, 10), (25, 10)],
        [(25, 10), (3, 10)],
        [(0, 10), (0, 10)],
    ],
    ids=str,
)
@pytest.mark.parametrize("options", [{}, {"bf": "0"}], ids=["B-frames", "none"])
def test_edit_lists_show_what_they_say(edits: list, options: dict) -> None:
    shown = [first + n for first, count in edits if first >= 0 for n in range(count)]
    assert close(numbers(with_edits(clip(**options), *edits)), shown)


def cut_before(first: int) -> bytes:
    """What `-ss T -c copy` leaves: packets from a keyframe on, of which some are not shown."""

    def earlier(number: int, packet: av.Packet) -> None:
        skipped = first * packet.duration
        packet.pts, packet.dts = packet.pts - skipped, packet.dts - skipped

    return remuxed(CLIP, "mp4", earlier)


@pytest.mark.parametrize("first", [1, 5, 11])
def test_a_clip_cut_without_encoding_begins_where_it_was_cut(first: int) -> None:
    assert close(numbers(cut_before(first)), list(range(first, 40)))


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi"])
def test_a_raw_stream_with_made_up_times_is_shown_in_order(container: str) -> None:
    """Its frames are stored in the order of decoding, and so are the times they were given."""

    def count(number: int, packet: av.Packet) -> None:
        packet.pts = packet.dts = number * round(1 / 25 / packet.time_base)

    raw = clip(container="h264")
    assert close(numbers(remuxed(raw, container, count, source="h264")), list(range(40)))


def test_times_out_of_order_are_refused() -> None:
    clip_of_two = decode_video(clip(2, bf="0"))
    first, second = clip_of_two.packets
    first.pts, second.pts = second.pts, first.pts
    with pytest.raises(UnreadableSample, match="times of its frames are not in their order"):
        Video(clip_of_two.stream, [first, second], [True, True]).check()


SIDES = {0: "TL", 90: "LB", 180: "BR", 270: "RT"}
"""Where the white bar and the dark one are after turning so many degrees anticlockwise."""


@pytest.mark.parametrize("container", ["mp4", "mov", "matroska"])
@pytest.mark.parametrize("degrees", SIDES)
@pytest.mark.parametrize("mirrored", [False, True])
def test_frames_are_turned_as_the_track_says(container: str, degrees: int, mirrored: bool) -> None:
    data = clip(4, container, rotation=(degrees, mirrored))
    found = decode_video(data).decode([2])[2][..., 0]
    assert found.shape == ((48, 64) if degrees % 180 == 0 else (64, 48))
    height, width = found.shape
    edges = {"T": found[2, width // 2], "B": found[-3, width // 2]}
    edges |= {"L": found[height // 2, 2], "R": found[height // 2, -3]}
    expected = SIDES[degrees].translate(str.maketrans("LR", "RL") if mirrored else {})
    assert max(edges, key=edges.get) + min(edges, key=edges.get) == expected


@pytest.mark.parametrize("hidden", [3, 10, 12, 29])
def test_a_vp8_frame_that_is_not_shown_is_no_frame(hidden: int) -> None:
    def hide(number: int, packet: av.Packet) -> bytes:
        content = bytearray(bytes(packet))
        content[0] &= ~0x10 if number == hidden else 0xFF
        return bytes(content)

    data = remuxed(clip(**CONTAINERS["vp8"]), "webm", hide)
    assert close(numbers(data), [n for n in range(40) if n != hidden])


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"\x82\x49\x83\x42", True),  # profile 0, a key frame that is shown
        (b"\x84\x00\x00\x00", False),  # profile 0, not shown
        (b"\x88\x00", True),  # shows an earlier frame
        (b"\xb1\x00\x00", True),  # profile 3, one bit later
        (b"\xb0\x00\x00", False),
        (b"\x84\x00\x00\x00\xc1\x02\x02\xc1", True),  # a superframe
        (b"\x84\x00\x00\x00\x00\xc1", False),  # ends as a superframe does, but is none
    ],
)
def test_vp9_says_in_its_header_what_is_shown(content: bytes, shown: bool) -> None:
    assert is_shown("vp9", av.Packet(content)) is shown


@pytest.mark.parametrize("container", ["mp4", "matroska"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_cover_is_passed_over(container: str, place: str) -> None:
    assert close(numbers(clip(20, container, cover=place)), list(range(20)))


@pytest.mark.parametrize("container", ["mp4", "matroska"])
@pytest.mark.parametrize("cover", ["before", ""])
def test_sound_with_a_cover_is_no_clip(container: str, cover: str) -> None:
    with pytest.raises(UnreadableSample, match="no video stream|a cover and no clip"):
        decode_video(clip(0, container, cover=cover))
