"""Members of made samples: small clips, depth maps, sounds and pictures, as bytes."""

import io
import json
import struct
import zlib

import av
import numpy as np
import soundfile
from PIL import Image

SENSOR = {"encoding": "millimetres", "baseline": 0.075, "fx": 520.0}


def video_bytes(
    frames: int = 70,
    size: tuple[int, int] = (64, 48),
    container: str = "mp4",
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    noise: bool = False,
) -> bytes:
    """A clip whose frame n has the grey level 40 + 2n (while below 256) and a moving white bar.

    With `noise`, coloured noise instead, which takes many bytes.
    """
    rng = np.random.default_rng(1)
    file = io.BytesIO()
    width, height = size
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = 12
        stream.options = {"threads": "1", **(options or {})}
        for number in range(frames):
            image = np.full((height, width, 3), min(40 + 2 * number, 255), np.uint8)
            image[:4, number % width] = 255
            if noise:
                image = rng.integers(0, 256, image.shape, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode())
    return file.getvalue()


def depth_png(raw: np.ndarray) -> bytes:
    """A PNG of the array's own type: 16-bit grey of uint16."""
    return _saved(Image.fromarray(raw), "png")


def png_header(width: int, height: int) -> bytes:
    """A 16-bit grey PNG that promises a size and holds nothing."""
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def jpeg_bytes(image: np.ndarray) -> bytes:
    return _saved(Image.fromarray(image), "jpeg")


def audio_bytes(
    samples: np.ndarray, rate: int = 16000, container: str = "WAV", subtype: str | None = None
) -> bytes:
    """Samples [N] or [N, channels] in -1..1."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def hum(seconds: float, rate: int = 16000, seed: int = 0) -> np.ndarray:
    """Noise of a seed, float64 [N]."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * rate))


def waves(height: int = 60, width: int = 80) -> np.ndarray:
    """A smooth depth map, uint16 [height, width], 1 to 3 metres in millimetres."""
    y, x = np.mgrid[:height, :width]
    return (2000 + 500 * np.sin(x / 9) + 500 * np.cos(y / 7)).astype(np.uint16)


def every_member() -> dict[str, bytes]:
    """One sample with every kind of member."""
    colours = np.random.default_rng(3).integers(0, 255, (60, 80, 3), np.uint8)
    points = io.BytesIO()
    np.save(points, np.random.default_rng(4).normal(size=(200, 3)).astype(np.float32))
    return {
        "video.mp4": video_bytes(),
        "depth.png": depth_png(waves()),
        "audio.flac": audio_bytes(hum(7, 22050), 22050, "FLAC"),
        "image.jpg": jpeg_bytes(colours),
        "points.npy": points.getvalue(),
        "meta.json": json.dumps({"labels": [0], "depth": SENSOR}).encode(),
    }


def _saved(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()
