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
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from pipeline.errors import UnreadableSample

CONTAINERS = "mov,avi,matroska"
"""By the names of FFmpeg's demuxers: MP4 and its kin, AVI, Matroska and WebM."""
MAX_FRAME_PIXELS = 4096 * 2304
MAX_FRAMES = 20_000
MAX_PIXELS = 10_000_000_000
"""All frames together; about a minute of decoding on one core."""
KEPT_PIXELS = 1280 * 720
"""Larger frames are shrunk to about as many when they are kept: 2.8 MB of RGB each."""
EXACT = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
"""swscale's C arithmetic, without which processors round differently."""


@dataclass(frozen=True)
class Video:
    """An indexed clip, nothing decoded. One thread at a time."""

    container: InputContainer
    packets: list[Packet]
    """Of the shown frames, from the first keyframe on, in decoding order."""
    _converter: VideoReformatter = field(default_factory=VideoReformatter)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.packets)

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
            UnreadableSample: damaged, or fewer frames than its index promises.
        """
        with _unreadable_if_damaged():
            count = sum(1 for _ in self._all())
        if count != self.frames:
            raise UnreadableSample(f"video.mp4: {self.frames} frames promised, {count} found")

    @property
    def _times(self) -> list[int] | None:
        """A time for every packet; None unless all have one of their own, as in some AVI files."""
        times = [packet.pts for packet in self.packets if packet.pts is not None]
        return times if len(set(times)) == self.frames else None

    def _shown(self, wanted: set[int]) -> Iterator[tuple[int, VideoFrame]]:
        """(number, frame) of frames among which are the wanted ones, if they can be decoded.

        Begins at the keyframe before the first wanted frame, and skips frames that no other
        refers to unless they are wanted.
        """
        times = self._times
        if times is None:
            yield from enumerate(self._all())
            return
        number_of = {time: number for number, time in enumerate(sorted(times))}
        numbers = [number_of[time] for time in times]
        codec = self._restarted()
        for place in range(self._keyframe_before(min(wanted), numbers), self.frames):
            codec.skip_frame = "DEFAULT" if numbers[place] in wanted else "NONREF"
            yield from self._numbered(self.packets[place], number_of)
        yield from self._numbered(None, number_of)

    def _keyframe_before(self, wanted: int, numbers: list[int]) -> int:
        """Place in `packets` from which decoding reaches the wanted frame."""
        keyframes = (place for place, packet in enumerate(self.packets) if packet.is_keyframe)
        return max(place for place in keyframes if place == 0 or numbers[place] <= wanted)

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
        return self.container.streams.video[0].codec_context

    def _rgb(self, frame: VideoFrame) -> np.ndarray:
        """Uint8 [H, W, 3], shrunk where the frame has more than `KEPT_PIXELS`."""
        shrink = min(1.0, (KEPT_PIXELS / (frame.width * frame.height)) ** 0.5)
        width, height = (max(1, round(side * shrink)) for side in (frame.width, frame.height))
        return self._converter.reformat(
            frame, width, height, "rgb24", interpolation=EXACT, threads=1
        ).to_ndarray()

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
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableSample(f"video.mp4: {reason}") from None


def _indexed(data: bytes) -> Video:
    # Skipping every frame keeps FFmpeg's own probing from decoding any.
    file, options = io.BytesIO(data), {"format_whitelist": CONTAINERS, "skip_frame": "all"}
    container = cast(InputContainer, av.open(file, options=options, metadata_errors="replace"))
    if not container.streams.video:
        raise UnreadableSample("video.mp4: no video stream")
    stream = container.streams.video[0]
    codec = stream.codec_context
    if codec is None:
        raise UnreadableSample("video.mp4: a codec that this FFmpeg does not know")
    _check_size(codec.width, codec.height, 1)
    codec.thread_count = 1
    codec.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
    packets: list[Packet] = []
    most = min(MAX_FRAMES, MAX_PIXELS // (codec.width * codec.height or 1))
    for packet in container.demux(stream):
        if packet.size and not packet.is_discard and (packets or packet.is_keyframe):
            packets.append(packet)
            if len(packets) > most:
                _check_size(codec.width, codec.height, len(packets))
    if not packets:
        raise UnreadableSample("video.mp4: no frame that could be decoded")
    return Video(container, packets)


def _check_size(width: int, height: int, frames: int) -> None:
    pixels = width * height
    if pixels > MAX_FRAME_PIXELS or frames > MAX_FRAMES or frames * pixels > MAX_PIXELS:
        raise UnreadableSample(
            f"video.mp4: {frames} or more frames of {width} x {height}; the limits are "
            f"{MAX_FRAMES} frames, {MAX_FRAME_PIXELS} pixels a frame, {MAX_PIXELS} in all"
        )
