"""Sounds at the rate of the views."""

import io

import numpy as np
import soundfile

from pipeline.decoding.audio import BLOCK, Recording, decode_audio

FULL_SCALE = 1 << 15
"""Of 16-bit samples."""
COMPRESSION = 0.0
"""FLAC's least: beside its default a fifth faster to decode, and a tenth larger."""


def stored_sound(data: bytes, sample_rate: int) -> bytes | None:
    """FLAC of 16 bits: the channel that is read, resampled as a view would have it.

    So views of it differ by half a 16-bit step at most, but for what is louder than full scale,
    which is clipped. None of a recording that has the rate and no other channel.

    Raises:
        UnreadableSample: see `Recording.read`.
    """
    recording = decode_audio(data)
    channels = soundfile.info(io.BytesIO(recording.data)).channels
    if recording.rate == sample_rate and channels == 1:
        return None
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", sample_rate, 1, "PCM_16", format="FLAC", compression_level=COMPRESSION
    ) as out:
        for start in range(0, recording.length, BLOCK):
            out.write(_quantised(recording, start, min(start + BLOCK, recording.length)))
    return file.getvalue()


def _quantised(recording: Recording, start: int, stop: int) -> np.ndarray:
    """Samples start..stop-1, int16."""
    samples = np.rint(recording.read(start, stop) * FULL_SCALE)
    return samples.clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
