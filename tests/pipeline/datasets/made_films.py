"""Short clips with sound, as downloads have them."""

import io
from functools import lru_cache

import av
import numpy as np

from tests.made_media import FPS, frame

LAYOUTS = {1: "mono", 2: "stereo"}


@lru_cache
def film(
    container: str = "mp4", video: str | None = "libx264", sound: str | None = "aac",
    seconds: float = 0.4, rate: int = 44100, channels: int = 2,
) -> bytes:  # fmt: skip
    """Frames 0, 1, ... of `made_media` over a `chirp`; by FFmpeg's names, None leaves one out."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        pictures = out.add_stream(video, rate=FPS, options={"threads": "1"}) if video else None
        waves = out.add_stream(sound, rate=rate, layout=LAYOUTS[channels]) if sound else None
        if pictures:
            pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
            for number in range(round(seconds * FPS)):
                image = av.VideoFrame.from_ndarray(frame(number), format="rgb24")
                out.mux(pictures.encode(image))
            out.mux(pictures.encode())
        if waves:
            out.mux(waves.encode(_sung(seconds, rate, channels)) + waves.encode())
    return file.getvalue()


def chirp(seconds: float, rate: int, channel: int = 0) -> np.ndarray:
    """A tone that rises, float64 [N]; of another pitch in another channel."""
    time = np.arange(round(seconds * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * (300 + 400 * channel + 1000 * time) * time)


def _sung(seconds: float, rate: int, channels: int) -> av.AudioFrame:
    all_of_them = [chirp(seconds, rate, channel) for channel in range(channels)]
    sound = av.AudioFrame.from_ndarray(
        np.stack(all_of_them).astype(np.float32), "fltp", LAYOUTS[channels]
    )
    sound.sample_rate = rate
    return sound
