"""The packets of a clip, demuxed within bounds and not yet decoded.

PyAV hands bytes from strangers to FFmpeg, so: only these containers (playlists could name local
files), whole and without absurd tables, no frame beyond a pixel limit, no audio or subtitles, one
decoding thread.
"""

import io
from typing import cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from pipeline.decoding.container_file import check_container
from pipeline.decoding.hidden_frames import is_shown
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


def indexed_packets(data: bytes) -> tuple[VideoStream, list[Packet], list[bool]]:
    """The stream that is shown, its packets from the first keyframe on, and which are shown.

    An edit list hides some, and some only serve to predict others.

    Raises:
        UnreadableSample: no video, cut short, or out of bounds.
        Exception: nearly any, where the file is damaged otherwise.
    """
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
    packets = _demuxed(container, stream, MAX_GROWTH * len(data))
    shown = [not packet.is_discard and is_shown(codec.name, packet) for packet in packets]
    if not any(shown):
        raise UnreadableSample("video.mp4: no frame that could be decoded")
    if sum(shown) == 1 and codec.name in PICTURES:
        raise UnreadableSample(f"video.mp4: one {codec.name} picture, a cover and no clip")
    return stream, packets, shown


def _demuxed(container: InputContainer, stream: VideoStream, most_bytes: int) -> list[Packet]:
    codec, packets, size = stream.codec_context, list[Packet](), 0
    most = min(MAX_FRAMES, MAX_PIXELS // (codec.width * codec.height or 1))
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise UnreadableSample("video.mp4: damaged, or cut short")
        if packet.size and (packets or packet.is_keyframe):
            packets.append(packet)
            size += packet.size
            if len(packets) > most:
                _check_size(codec.width, codec.height, len(packets))
            if size > most_bytes:
                raise UnreadableSample("video.mp4: its frames take more bytes than the file has")
    return packets


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


def _check_size(width: int, height: int, frames: int) -> None:
    pixels = width * height
    if pixels > MAX_FRAME_PIXELS or frames > MAX_FRAMES or frames * pixels > MAX_PIXELS:
        raise UnreadableSample(
            f"video.mp4: {frames} or more frames of {width} x {height}; the limits are "
            f"{MAX_FRAMES} frames, {MAX_FRAME_PIXELS} pixels a frame, {MAX_PIXELS} in all"
        )
