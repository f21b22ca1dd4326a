"""Clips that are small and have their keyframes close together.

A view takes few frames, far apart, and decodes for each what leads to it from a keyframe. Between
two keyframes here no frame but every eighth is needed by another: groups of 8 cost three each at
most, longer ones share what leads to the next frame, and take fewer bytes.
"""

import io
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from pipeline.decoding.video import Video, decode_video
from pipeline.decoding.video_frames import EXACT

RATES = (1, 240)
"""Frames a second; of a clip that says another, `RATE` is put down. Views count frames."""
RATE = Fraction(25)
PIXELS = "yuv420p"
LEAST_SIDE = 16
"""Pixels: a macroblock."""
BETWEEN = 7
"""Most frames that no other needs, in a row."""
ENCODER = {
    "preset": "veryfast",
    "tune": "fastdecode",
    "crf": "23",
    "threads": "1",
    "flags": "+bitexact",
}
SETTINGS = "cpu-independent=1:open-gop=0:b-adapt=0:b-pyramid=none:scenecut=0"
"""x264's own; with them its output is the same on every processor."""


def stored_clip(
    data: bytes, short_side: int | None = None, keyframe_every: int | None = None
) -> bytes | None:
    """An MP4 of H.264 at a constant rate without sound; None of a clip that is so already.

    Frames are those of the views (upright, at most `KEPT_PIXELS`), their short side reduced to
    `short_side`, with a keyframe at least every so many.

    Raises:
        UnreadableSample: see `Video.every`.
    """
    video = decode_video(data)
    codec = video.stream.codec_context
    is_small = short_side is None or min(codec.width, codec.height) <= short_side
    if is_small and (keyframe_every is None or _longest_group(video) <= keyframe_every):
        return None
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", container_options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("libx264", rate=_rate(video), options=_options(keyframe_every))
        for frame in _frames(video, short_side):
            if frame.pts == 0:
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, PIXELS
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return file.getvalue()


def _longest_group(video: Video) -> int:
    """Most frames from one keyframe to the next."""
    keys = [place for place, packet in enumerate(video.packets) if packet.is_keyframe]
    return int(np.diff([*keys, len(video.packets)]).max())


def _rate(video: Video) -> Fraction:
    rate = video.stream.average_rate
    return rate if rate and RATES[0] <= rate <= RATES[1] else RATE


def _options(keyframe_every: int | None) -> dict[str, str]:
    often, between = "", BETWEEN
    if keyframe_every:
        often = f":keyint={keyframe_every}:min-keyint={keyframe_every}"
        between = max(0, min(BETWEEN, keyframe_every - 2))  # promised and absent, all is decoded
    return {**ENCODER, "x264-params": f"{SETTINGS}:bframes={between}{often}"}


def _frames(video: Video, short_side: int | None) -> Iterator[av.VideoFrame]:
    """All that is shown, each of the size of the first."""
    size: tuple[int, int] | None = None
    for number, pixels in enumerate(video.every()):
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        size = size or _size(frame.width, frame.height, short_side)
        stored = frame.reformat(*size, PIXELS, interpolation=EXACT, threads=1)
        stored.pts = number
        yield stored


def _size(width: int, height: int, short_side: int | None) -> tuple[int, int]:
    """Width and height, even as 4:2:0 has it."""
    scale = min(1.0, (short_side or width) / min(width, height))
    wide, high = (max(LEAST_SIDE, round(side * scale / 2) * 2) for side in (width, height))
    return wide, high
