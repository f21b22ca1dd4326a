"""Media as people have them, as bytes: turned, cut, streamed, edited, with a cover."""

import io
import struct
import zlib
from collections.abc import Callable

import av
import numpy as np
from av.stream import Disposition
from PIL import Image

RED, GREEN, BLUE, PALE = (210, 40, 40), (40, 210, 40), (40, 40, 210), (230, 230, 230)
ORIENTATION = 0x0112
FPS = 25
KEYFRAMES = 12
"""Frames from one keyframe to the next."""


def corners() -> Image.Image:
    """48 x 32: red, green in the upper half, blue, pale in the lower."""
    pixels = np.empty((32, 48, 3), np.uint8)
    pixels[:16, :24], pixels[:16, 24:], pixels[16:, :24], pixels[16:, 24:] = RED, GREEN, BLUE, PALE
    return Image.fromarray(pixels)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def tagged(image: Image.Image, kind: str, orientation: int, **options: object) -> bytes:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return saved(image, kind, exif=tags, **options)


def png(width: int, height: int, depth: int, colour: int, rows: bytes, **chunks: bytes) -> bytes:
    """A PNG of any depth, from unfiltered rows (each after a 0 byte) and chunks such as tRNS."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = {"IHDR": header, **chunks, "IDAT": zlib.compress(rows), "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name.encode() + data
        + struct.pack(">I", zlib.crc32(name.encode() + data))
        for name, data in parts.items()
    )  # fmt: skip


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def level(number: int) -> int:
    """Grey of a clip's frame."""
    return 40 + 2 * number


def frame(number: int) -> np.ndarray:
    """Uint8 [48, 64, 3]: grey, a white bar along the top and a dark one down the left side."""
    pixels = np.full((48, 64, 3), level(number), np.uint8)
    pixels[:, :8], pixels[:8] = 16, 235
    return pixels


def clip(
    frames: int = 40,
    container: str = "mp4",
    codec: str = "libx264",
    rotation: tuple[int, bool] | None = None,
    cover: str = "",
    mux: dict[str, str] | None = None,
    **options: str,
) -> bytes:
    """Frames 0, 1, ..., with B-frames where the codec has them.

    Args:
        frames: number of them; none leave a file of sound and perhaps a cover.
        container: by FFmpeg's name.
        codec: by FFmpeg's name.
        rotation: to be shown turned so many degrees anticlockwise, and mirrored then.
        cover: `before` or `after` the clip, with sound beside.
        mux: options of the container.
        options: of the codec.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=container, container_options=mux or {}) as out:
        covers = [_cover(out)] if cover == "before" else []
        streams = [_video(out, codec, rotation, options)] if frames else []
        covers += [_cover(out)] if cover == "after" else []
        sound = out.add_stream("aac", rate=16000) if cover or not frames else None
        for stream in covers:
            picture = av.VideoFrame.from_image(Image.new("RGB", (20, 20), "red"))
            out.mux(stream.encode(picture.reformat(format=stream.pix_fmt)) + stream.encode())
        for stream in streams:
            for number in range(frames):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame(number), format="rgb24")))
            out.mux(stream.encode())
        if sound is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate = 16000
            out.mux(sound.encode(silence) + sound.encode())
    return file.getvalue()


def _video(
    out: av.container.OutputContainer,
    codec: str,
    rotation: tuple[int, bool] | None,
    options: dict[str, str],
) -> av.VideoStream:
    stream = out.add_stream(codec, rate=FPS, options={"threads": "1", **options})
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    stream.codec_context.gop_size = KEYFRAMES
    if rotation:
        stream.set_display_rotation(*rotation)
    return stream


def _cover(out: av.container.OutputContainer) -> av.VideoStream:
    in_mp4 = out.format.name == "mp4"
    stream = out.add_stream("png" if in_mp4 else "mjpeg", rate=1)
    stream.width, stream.height = 20, 20
    stream.pix_fmt = "rgb24" if in_mp4 else "yuvj420p"
    stream.disposition = Disposition.attached_pic
    return stream


def remuxed(
    data: bytes,
    container: str,
    change: Callable[[int, av.Packet], bytes | None],
    source: str | None = None,
) -> bytes:
    """The same packets in another file.

    Args:
        data: of a clip.
        container: of the result.
        change: (number in decoding order, packet) -> its bytes, if others; may change its times.
        source: format of `data`, where it does not say.
    """
    file = io.BytesIO()
    with (
        av.open(io.BytesIO(data), format=source) as clip,
        av.open(file, "w", format=container) as out,
    ):
        stream = out.add_stream_from_template(clip.streams.video[0])
        for number, packet in enumerate(p for p in clip.demux(video=0) if p.size):
            content = change(number, packet)
            copy = packet if content is None else av.Packet(content)
            copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            copy.is_keyframe, copy.stream = packet.is_keyframe, stream
            out.mux(copy)
    return file.getvalue()


def with_edits(data: bytes, *edits: tuple[int, int]) -> bytes:
    """An MP4 of `clip` that shows these (first frame, frames); frame -1 shows nothing."""
    at = data.index(b"elst") - 4
    start = struct.unpack_from(">i", data, at + 20)[0]  # of frame 0, behind what is reordered
    ticks = struct.unpack_from(">I", data, data.index(b"mdhd") + 16)[0] // FPS
    table = b"".join(
        struct.pack(
            ">IiI", count * 1000 // FPS, -1 if first < 0 else start + first * ticks, 1 << 16
        )
        for first, count in edits
    )
    old = struct.unpack_from(">I", data, at)[0]
    new = struct.pack(">I4sII", 16 + len(table), b"elst", 0, len(edits)) + table
    changed = bytearray(data[:at] + new + data[at + old :])
    for name in (b"moov", b"trak", b"edts"):
        size = changed.index(name) - 4
        longer = struct.unpack_from(">I", changed, size)[0] + len(new) - old
        struct.pack_into(">I", changed, size, longer)
    return bytes(changed)  # the samples lie before these tables
