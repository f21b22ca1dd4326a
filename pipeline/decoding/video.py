"""`video.mp4`: indexed within bounds, then decoded only as far as the asked frames need.

The frames are those that a player shows, upright, in the order in which it shows them. All of them
take about a minute at worst (`decoding.video_packets.MAX_PIXELS`), the eight of a view 30 MB beside
what FFmpeg keeps to predict from.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.decoding.video_frames import RgbConverter, UnconvertedFrame, unreadable_if_damaged
from pipeline.decoding.video_packets import indexed_packets
from pipeline.errors import UnreadableSample


@dataclass(frozen=True)
class Video:
    """An indexed clip, nothing decoded. One thread at a time."""

    stream: VideoStream
    packets: list[Packet]
    """From the first keyframe on, in decoding order."""
    shown: list[bool]
    """Whether a packet's frame is shown: an edit list hides some, others only serve to predict."""
    _rgb: RgbConverter = field(default_factory=RgbConverter)

    @property
    def frames(self) -> int:
        """Number of frames that a player shows."""
        return sum(self.shown)

    def decode(self, wanted: Iterable[int]) -> dict[int, np.ndarray]:
        """Frames by number, uint8 [H, W, 3].

        Raises:
            UnreadableSample: a wanted frame, or one it depends on, cannot be decoded.
        """
        with unreadable_if_damaged():
            return {number: self._rgb.whole(frame) for number, frame in self._found(wanted)}

    def pictures(self, wanted: Iterable[int]) -> dict[int, np.ndarray | UnconvertedFrame]:
        """Frames by number, of which only what is taken of them need become RGB.

        Raises:
            UnreadableSample: as `decode`.
        """
        with unreadable_if_damaged():
            return {number: self._rgb.picture(frame) for number, frame in self._found(wanted)}

    def every(self) -> Iterator[np.ndarray]:
        """Every frame of a clip that has been checked, uint8 [H, W, 3], in order.

        Raises:
            UnreadableSample: one of them cannot be decoded.
        """
        with unreadable_if_damaged():
            for frame in self._all():
                yield self._rgb.whole(frame)

    def check(self) -> None:
        """Decode all of it, keeping nothing.

        Raises:
            UnreadableSample: damaged, or other frames than its index promises.
        """
        numbers = self._numbers()
        with unreadable_if_damaged():
            times = [frame.pts for frame in self._all()]
        if len(times) != self.frames:
            raise UnreadableSample(f"video.mp4: {self.frames} frames promised, {len(times)} found")
        if numbers and times != sorted(times, key=lambda time: (time is None, time)):
            raise UnreadableSample("video.mp4: the times of its frames are not in their order")

    def _found(self, wanted: Iterable[int]) -> Iterator[tuple[int, VideoFrame]]:
        missing = set(wanted)
        for number, frame in self._shown(set(missing)):
            if number in missing:
                missing.remove(number)
                yield number, frame
            if not missing:
                return
        raise UnreadableSample(f"video.mp4: frame {min(missing)} of {self.frames} is not there")

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

        Begins at the keyframe before a wanted frame, passes over what lies before the keyframe of
        the next one, and skips frames that no other refers to unless they are wanted.
        """
        numbers = self._numbers()
        if numbers is None:
            yield from enumerate(self._all())
            return
        number_of = {
            packet.pts: number
            for packet, number in zip(self.packets, numbers)
            if packet.pts is not None and number is not None
        }
        for stretch in self._stretches(wanted, numbers):
            codec = self._restarted()
            for place in stretch:
                codec.skip_frame = "DEFAULT" if numbers[place] in wanted else "NONREF"
                yield from self._numbered(self.packets[place], number_of)
            yield from self._numbered(None, number_of)

    def _stretches(self, wanted: set[int], numbers: list[int | None]) -> list[range]:
        """Places in `packets` to decode: each begins at a keyframe and ends with a wanted frame,
        but for the last, which goes on to the end of the clip."""
        place_of = {number: place for place, number in enumerate(numbers)}
        stretches: list[range] = []
        for number in sorted(wanted):
            start, stop = self._keyframe_before(number, numbers), place_of[number] + 1
            if stretches and start < stretches[-1].stop:
                stop = max(stop, stretches[-1].stop)
                start = stretches.pop().start
            stretches.append(range(start, stop))
        return [*stretches[:-1], range(stretches[-1].start, len(self.packets))]

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

    def _restarted(self) -> av.VideoCodecContext:
        if self._codec.is_open:
            self._codec.flush_buffers()
        return self._codec


def decode_video(data: bytes) -> Video:
    """Index a clip's first video stream; no frame is decoded yet.

    Raises:
        UnreadableSample: no video, another container, damaged, or out of bounds.
    """
    with unreadable_if_damaged():
        return Video(*indexed_packets(data))
