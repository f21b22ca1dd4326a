"""Turntable clips: a model turned once around before a fixed camera, as H.264 in MP4."""

import io
from collections.abc import Iterable

import av
import numpy as np

from demo.cameras import turntable
from demo.framing import window_around
from demo.render import Scene
from pipeline.decoding.video_frames import EXACT

FRAMES = 64
SIDE = 96
_RATE = 25
_ENCODER = {"crf": "32", "preset": "veryslow", "threads": "1"}
"""One thread: with more, the bytes depend on the machine."""


def turntable_clip(scene: Scene) -> bytes:
    """A whole turn in 64 frames of 96 x 96 pixels; the frame fits every view, so none zooms."""
    cameras = turntable(FRAMES)
    window = window_around(scene.vertices, cameras)
    return encode(scene.render(camera, SIDE, window) for camera in cameras)


def encode(frames: Iterable[np.ndarray]) -> bytes:
    """MP4 without sound of uint8 [96,96,3] frames."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=_RATE, options=_ENCODER)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for image in frames:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            planar = frame.reformat(format="yuv420p", interpolation=EXACT, threads=1)
            out.mux(stream.encode(planar))
        out.mux(stream.encode())
    return file.getvalue()
