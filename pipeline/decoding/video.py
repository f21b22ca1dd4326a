"""`video.mp4`: indexed within bounds, then decoded only as far as the asked frames need.

PyAV hands bytes from strangers to FFmpeg, so: only these containers (playlists could name local
files), no frame beyond a pixel limit, no audio or subtitles, one decoding thread.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Discard, Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from pipeline.decoding.container_file import check_container
from pipeline.decoding.hidden_frames import is_shown
from pipeline.decoding.reasons import unreadable
from pipeline.errors import UnreadableSample

CONTAINERS = "mov,avi,matroska"
"""By the names of FFmpeg's demuxers: MP4 and its kin, AVI, Matroska and WebM."""
MAX_FRAME_PIXELS = 4096 * 2304
MAX_FRAMES = 20_000
MAX_PIXELS = 10_000_000_000
"""All frames together; about a minute of decoding on one core."""
PICTURES = ("mjpeg", "png", "gif", "webp", "bmp")
"""Codecs of covers, in containers that do not mark them."""
MAX_GROWTH = 3
"""Bytes of all frames over those of the file: samples used twice, frames stored compressed."""
KEPT_PIXELS = 1280 * 720
"""Larger frames are shrunk to about as many when they are kept: 2.8 MB of RGB each."""
EXACT = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
"""swscale's C arithmetic, without which processors round differently."""


@dataclass(frozen=True)
class Video:
    """An indexed clip, nothing decoded. One thread at a time."""

    stream: VideoStream
    packets: list[Packet]
    """From the first keyframe on, in decoding order."""
    shown: list[bool]
    """Whether a packet's frame is shown: an edit list hides some, others only serve to predict."""
    _converter: VideoReformatter = field(default_factory=VideoReformatter)

    @property
    def frames(self) -> int:
        """Number of frames that a player shows."""
        return sum(self.shown)

    def decode(self, wanted: Iterable[int]) -> dict[int, np.ndarray]:
        """Frames by number, uint8 [H, W, 3].

        Raises:
            UnreadableSample: a wanted frame, or one it depends on, cannot be decoded.
        """
        wanted = set(wanted)
        found: dict[int, np.ndarray] = {}
        with _unreadable_if_damaged():
            for number, frame in self._shown(wanted):
                if number in wanted:
                    found[number] = self._rgb(frame)
                if len(found) == len(wanted):
                    break
        if len(found) < len(wanted):
            missing = min(wanted - found.keys())
            raise UnreadableSample(f"video.mp4: frame {missing} of {self.frames} is not there")
        return found

    def check(self) -> None:
        """Decode all of it, keeping nothing.

        Raises:
            UnreadableSample: damaged, or other frames than its index promises.
        """
        numbers = self._numbers()
        with _unreadable_if_damaged():
            times = [frame.pts for frame in self._all()]
        if len(times) != self.frames:
            raise UnreadableSample(f"video.mp4: {self.frames} frames promised, {len(times)} found")
        if numbers and times != sorted(times, key=lambda time: (time is None, time)):
            raise UnreadableSample("video.mp4: the times of its frames are not in their order")

    def _numbers(self) -> list[int | None] | None:
        """The number of every packet's frame, by its time; of a hidden one None.

        None in all where times do not tell: some lack one, as in AVI, or they are those of decoding
        although the codec reorders, as where a raw stream was put into a container. A player shows
        such frames as they leave the decoder.
        """
        packets = [p for p, shown in zip(self.packets, self.shown) if shown]
        times = [packet.pts for packet in packets if packet.pts is not None]
        in_order = sorted(set(times))
        if len(in_order) < self.frames or (times == in_order and self._codec.has_b_frames):
            return None
        number_of = {time: number for number, time in enumerate(in_order)}
        return [
            number_of[packet.pts] if shown and packet.pts is not None else None
            for packet, shown in zip(self.packets, self.shown)
        ]

    def _shown(self, wanted: set[int]) -> Iterator[tuple[int, VideoFrame]]:
        """(number, frame) of frames among which are the wanted ones, if they can be decoded.

        Begins at the keyframe before the first wanted frame, and skips frames that no other
        refers to unless they are wanted.
        """
        numbers = self._numbers()
        if numbers is None:
            yield from enumerate(self._all())
            return
        number_of = {p.pts: number for p, number in zip(self.packets, numbers) if number is not None}
        codec = self._restarted()
        for place in range(self._keyframe_before(min(wanted), numbers), len(self.packets)):
            codec.skip_frame = "DEFAULT" if numbers[place] in wanted else "NONREF"
            yield from self._numbered(self.packets[place], number_of)
        yield from self._numbered(None, number_of)

    def _keyframe_before(self, wanted: int, numbers: list[int | None]) -> int:
        """Place in `packets` from which decoding reaches the wanted frame."""
        for place in range(numbers.index(wanted), 0, -1):
            number = numbers[place]
            # What is shown before a keyframe that it follows needs the keyframe before. Of a hidden
            # one that cannot be: what would be shown before it is hidden too.
            if self.packets[place].is_keyframe and (number is None or number <= wanted):
                return place
        return 0

    def _numbered(
        self, packet: Packet | None, number_of: dict[int, int]
    ) -> Iterator[tuple[int, VideoFrame]]:
        for frame in self._decoded(packet):
            if frame.pts in number_of:
                yield number_of[frame.pts], frame

    def _all(self) -> Iterator[VideoFrame]:
        self._restarted().skip_frame = "DEFAULT"
        for packet in [*self.packets, None]:
            yield from self._decoded(packet)

    def _decoded(self, packet: Packet | None) -> Iterator[VideoFrame]:
        """Frames that a packet completes; FFmpeg's patched-up ones are no frames of the clip."""
        for frame in self._codec.decode(packet):
            if frame.is_corrupt:
                raise UnreadableSample(f"video.mp4: damaged at {frame.time} s")
            yield frame

    @property
    def _codec(self) -> av.VideoCodecContext:
        return self.stream.codec_context

    def _rgb(self, frame: VideoFrame) -> np.ndarray:
        """Uint8 [H, W, 3], upright, shrunk where the frame has more than `KEPT_PIXELS`."""
        shrink = min(1.0, (KEPT_PIXELS / (frame.width * frame.height)) ** 0.5)
        width, height = (max(1, round(side * shrink)) for side in (frame.width, frame.height))
        converted = self._converter.reformat(
            frame, width, height, "rgb24", interpolation=EXACT, threads=1
        )
        return _upright(converted.to_ndarray(), frame)

    def _restarted(self) -> av.VideoCodecContext:
        if self._codec.is_open:
            self._codec.flush_buffers()
        return self._codec


def decode_video(data: bytes) -> Video:
    """Index a clip's first video stream; no frame is decoded yet.

    Raises:
        UnreadableSample: no video, another container, damaged, or out of bounds.
    """
    with _unreadable_if_damaged():
        return _indexed(data)


@contextmanager
def _unreadable_if_damaged() -> Iterator[None]:
    """Damaged files make PyAV raise nearly anything; all of it is an `UnreadableSample`."""
    try:
        yield
    except UnreadableSample:
        raise
    except FFmpegError as error:
        raise UnreadableSample(
            f"video.mp4: damaged, or no MP4, AVI or Matroska ({error.strerror})"
        ) from None
    except Exception as error:
        raise unreadable("video.mp4", error) from None


def _indexed(data: bytes) -> Video:
    check_container(data)
    # Skipping every frame keeps FFmpeg's own probing from decoding any.
    file, options = io.BytesIO(data), {"format_whitelist": CONTAINERS, "skip_frame": "all"}
    container = cast(InputContainer, av.open(file, options=options, metadata_errors="replace"))
    stream = _shown_stream(container)
    codec = stream.codec_context
    if codec is None:
        raise UnreadableSample("video.mp4: a codec that this FFmpeg does not know")
    _check_size(codec.width, codec.height, 1)
    codec.thread_count = 1
    codec.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
    packets: list[Packet] = []
    most = min(MAX_FRAMES, MAX_PIXELS // (codec.width * codec.height or 1))
    size = 0
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise UnreadableSample("video.mp4: damaged, or cut short")
        if packet.size and (packets or packet.is_keyframe):
            packets.append(packet)
            size += packet.size
            if len(packets) > most:
                _check_size(codec.width, codec.height, len(packets))
            if size > MAX_GROWTH * len(data):
                raise UnreadableSample("video.mp4: its frames take more bytes than the file has")
    shown = [not packet.is_discard and is_shown(codec.name, packet) for packet in packets]
    if not any(shown):
        raise UnreadableSample("video.mp4: no frame that could be decoded")
    if sum(shown) == 1 and codec.name in PICTURES:
        raise UnreadableSample(f"video.mp4: one {codec.name} picture, a cover and no clip")
    return Video(stream, packets, shown)


def _shown_stream(container: InputContainer) -> VideoStream:
    """The stream that FFmpeg's player shows, unless it is a cover; the others are passed over."""
    clips = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not clips:
        raise UnreadableSample("video.mp4: no video stream")
    best = container.streams.best("video")
    shown = best if best in clips else clips[0]
    for stream in container.streams:
        stream.discard = Discard.default if stream is shown else Discard.all
    return cast(VideoStream, shown)


def _upright(pixels: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """Pixels turned and mirrored as the track's display matrix says, by its signs."""
    matrix = frame.side_data.get(SideDataType.DISPLAYMATRIX)
    if matrix is None:
        return pixels
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).tolist()
    if abs(b) > abs(a):
        pixels, down, across = pixels.transpose(1, 0, 2), b, c
    else:
        down, across = d, a
    return np.ascontiguousarray(pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])


def _check_size(width: int, height: int, frames: int) -> None:
    pixels = width * height
    if pixels > MAX_FRAME_PIXELS or frames > MAX_FRAMES or frames * pixels > MAX_PIXELS:
        raise UnreadableSample(
            f"video.mp4: {frames} or more frames of {width} x {height}; the limits are "
            f"{MAX_FRAMES} frames, {MAX_FRAME_PIXELS} pixels a frame, {MAX_PIXELS} in all"
        )
