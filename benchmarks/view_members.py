"""Made members of realistic size and detail for `benchmarks.views`."""

import io
import json
from functools import cache

import av
import numpy as np
import soundfile
from PIL import Image

RATE = 44100
SENSOR = {"encoding": "millimetres", "baseline": 0.075, "fx": 520.0}
"""Of the depth map."""


@cache
def scene(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A picture with detail at every scale, as natural ones have, uint8 [height, width, 3]."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for level in range(2, 8):
        coarse = rng.normal(size=(height // 2**level + 2, width // 2**level + 2, 3))
        for channel in range(3):
            layer = Image.fromarray(coarse[..., channel].astype(np.float32))
            total[..., channel] += 2**level * np.asarray(layer.resize((width, height), 3))
    return np.clip(128 + total, 0, 255).astype(np.uint8)


def jpeg(width: int = 500, height: int = 375) -> bytes:
    """ImageNet's usual size, or another."""
    file = io.BytesIO()
    Image.fromarray(scene(width, height)).save(file, "jpeg", quality=90)
    return file.getvalue()


def clip(keyframes: int, size: tuple[int, int] = (320, 240)) -> dict[str, bytes]:
    """A camera moving over a scene: 250 frames, with one keyframe in so many."""
    file, picture, (width, height) = io.BytesIO(), scene(900, 600), size
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = keyframes
        stream.options = {"threads": "1", "crf": "23"}
        for number in range(250):
            left, top = int(290 + 280 * np.sin(number / 40)), int(170 + 160 * np.cos(number / 30))
            frame = np.ascontiguousarray(picture[top : top + height, left : left + width])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode())
    return {"video.mp4": file.getvalue()}


def depth() -> dict[str, bytes]:
    """640 x 480 with steps, slopes and holes, as a structured-light sensor gives."""
    grey = scene(640, 480, seed=1)[..., 0].astype(np.uint16)
    raw = 800 + grey // 32 * 400 + grey * 3
    raw[grey < 20] = 0
    file = io.BytesIO()
    Image.fromarray(raw.astype(np.uint16)).save(file, "png")
    return {"depth.png": file.getvalue(), "meta.json": json.dumps({"depth": SENSOR}).encode()}


def sound() -> bytes:
    """10 s of 44.1 kHz stereo FLAC: chords under noise."""
    time = np.arange(10 * RATE) / RATE
    pitches = np.array([220, 277.2, 329.6, 1760])
    tones = np.sin(2 * np.pi * pitches[:, None] * time).sum(axis=0)
    noise = np.random.default_rng(2).normal(size=(len(time), 2))
    file = io.BytesIO()
    soundfile.write(file, 0.1 * tones[:, None] + 0.02 * noise, RATE, format="FLAC")
    return file.getvalue()


def cloud() -> bytes:
    """10,000 points."""
    file = io.BytesIO()
    np.save(file, np.random.default_rng(3).normal(size=(10_000, 3)).astype(np.float32))
    return file.getvalue()
