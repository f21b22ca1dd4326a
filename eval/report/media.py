"""A held-out item as a browser shows it: small, and within the page itself.

At most some 100 KB an item, whatever it is made of: pictures of 128 pixels, 8 frames of a clip, the
first 5 seconds of a sound, 1,024 points of a cloud.
"""

import io
from base64 import b64encode
from typing import Any

import numpy as np
import soundfile
import torch
from matplotlib import colormaps
from PIL import Image

from pipeline.decoding.depth import Depth
from pipeline.decoding.resample import RATE
from pipeline.decoding.video import Video
from pipeline.spectrogram import log_mel

SIDE = 128
"""Pixels of a picture's longer side."""
QUALITY = 70
"""Of WebP."""
FRAMES = 8
SECONDS = 5
POINTS = 1024
Medium = dict[str, Any]
"""`kind` is picture, clip, sound or points; the rest is for gallery.js."""


def medium(modality: str, decoded: Any) -> Medium:
    """What the page shows of a decoded member (`pipeline.samples.decode_member`).

    Raises:
        UnreadableSample: a clip or sound that is damaged where it is read.
    """
    if modality == "video":
        return _clip(decoded)
    if modality == "points":
        return _cloud(decoded)
    if modality == "depth":
        return {"kind": "picture", "src": _webp(_coloured(decoded))}
    if modality == "audio":
        return _sound(decoded.read(0, min(decoded.length, SECONDS * RATE)))
    return {"kind": "picture", "src": _webp(decoded)}


def picture_uri(image: Image.Image, side: int, quality: int = QUALITY) -> str:
    """A picture as a data URI, reduced to a longer side."""
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "webp", quality=quality)
    return _uri("image/webp", file.getvalue())


def _webp(pixels: np.ndarray) -> str:
    """Of uint8 [H, W, 3]."""
    return picture_uri(Image.fromarray(pixels), SIDE)


def _clip(video: Video) -> Medium:
    """Evenly spaced frames in a row, which the style sheet shows one after the other."""
    numbers = np.linspace(0, video.frames - 1, FRAMES).round().astype(int).tolist()
    decoded = video.decode(numbers)
    frames = [Image.fromarray(decoded[number]) for number in numbers]
    for frame in frames:
        frame.thumbnail((SIDE, SIDE))
    strip = np.concatenate([np.asarray(frame) for frame in frames], axis=1)
    width, height = frames[0].size
    src = picture_uri(Image.fromarray(strip), FRAMES * SIDE)
    return {"kind": "clip", "src": src, "frames": FRAMES, "width": width, "height": height}


def _coloured(depth: Depth) -> np.ndarray:
    """Disparity as colours uint8 [H, W, 3], near is bright; the map's own scale without holes."""
    disparity = depth.disparity(depth.raw)
    high = float(np.quantile(disparity[depth.raw > 0], 0.99)) or 1.0
    return _colours((disparity / high).clip(0, 1))


def _sound(waveform: np.ndarray) -> Medium:
    """MP3, which every browser plays, beside its spectrogram; low pitches at the bottom."""
    file = io.BytesIO()
    soundfile.write(file, waveform, RATE, format="MP3")
    energies = log_mel(torch.from_numpy(waveform)[None], "hamming").numpy().T[::-1]
    low, high = np.quantile(energies, (0.02, 0.99))
    picture = _webp(_colours(((energies - low) / max(high - low, 1e-6)).clip(0, 1)))
    return {"kind": "sound", "src": _uri("audio/mpeg", file.getvalue()), "picture": picture}


def _cloud(cloud: np.ndarray) -> Medium:
    """Evenly spaced rows of the cloud, xyz as 8 bits of its own cube."""
    rows = np.linspace(0, len(cloud) - 1, min(POINTS, len(cloud))).round().astype(int)
    xyz = cloud[rows, :3].astype(np.float32)
    low, high = xyz.min(axis=0), xyz.max(axis=0)
    reach = float((high - low).max()) / 2 or 1.0
    steps = ((xyz - (low + high) / 2) / reach * 127 + 128).round().clip(0, 255).astype(np.uint8)
    return {"kind": "points", "xyz": b64encode(steps.tobytes()).decode()}


def _colours(values: np.ndarray) -> np.ndarray:
    """Of values in 0..1, uint8 [..., 3]."""
    return (colormaps["magma"](values)[..., :3] * 255).astype(np.uint8)


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"
