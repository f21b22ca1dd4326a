"""Made media of real datasets' sizes, for `benchmarks.gpu_world`."""

import io
from collections.abc import Callable

import numpy as np

Members = dict[str, bytes]


def _picture(rng: np.random.Generator, height: int, width: int, channels: int) -> np.ndarray:
    """Smooth blobs with grain, so that files compress about as photographs do."""
    from PIL import Image

    scene = np.zeros((height, width, channels), np.float32)
    for cells, strength in ((6, 60), (24, 40), (96, 25)):
        coarse = rng.normal(size=(cells * height // width + 2, cells, channels)) * strength
        for channel in range(channels):
            layer = Image.fromarray(coarse[..., channel].astype(np.float32))
            scene[..., channel] += np.asarray(
                layer.resize((width, height), Image.Resampling.BICUBIC)
            )
    return (128 + scene + rng.normal(size=scene.shape) * 6).clip(0, 255).astype(np.uint8)


def _image(rng: np.random.Generator) -> Members:
    return {"image.jpg": _jpeg(rng, 375, 500)}


def _jpeg(rng: np.random.Generator, height: int, width: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(_picture(rng, height, width, 3)).save(file, "JPEG", quality=92)
    return file.getvalue()


def _cloud(rng: np.random.Generator) -> Members:
    file = io.BytesIO()
    np.save(file, (rng.normal(size=(10_000, 3)) * rng.uniform(0.2, 1, 3)).astype(np.float32))
    return {"points.npy": file.getvalue(), "image.jpg": _jpeg(rng, 256, 256)}


def _depth(rng: np.random.Generator) -> Members:
    from PIL import Image

    file = io.BytesIO()
    millimetres = _picture(rng, 480, 640, 1)[..., 0].astype(np.uint16) * 60 + 8000
    Image.fromarray(millimetres).save(file, "PNG")
    return {"depth.png": file.getvalue(), "image.jpg": _jpeg(rng, 480, 640)}


def _sound(rng: np.random.Generator) -> Members:
    import soundfile

    time = np.arange(441_000) / 44_100
    tones = sum(np.sin(2 * np.pi * pitch * time) for pitch in rng.uniform(80, 4000, 4))
    file = io.BytesIO()
    sound = 0.1 * tones + 0.02 * rng.normal(size=len(time))
    soundfile.write(file, sound.astype(np.float32), 44_100, format="FLAC")
    return {"audio.flac": file.getvalue(), "image.jpg": _jpeg(rng, 256, 340)}


def _clip(rng: np.random.Generator) -> Members:
    import av

    file, ground = io.BytesIO(), _picture(rng, 256, 500, 3)
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 340, 256, "yuv420p"
        for number in range(250):
            left = number % 150
            shown = np.ascontiguousarray(ground[:, left : left + 340])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        out.mux(stream.encode())
    return {"video.mp4": file.getvalue()}


MAKERS: dict[str, Callable[[np.random.Generator], Members]] = {
    "images": _image, "clouds": _cloud, "depths": _depth, "sounds": _sound, "clips": _clip,
}  # fmt: skip
"""Source of `gpu_world` -> what makes a sample's media."""
