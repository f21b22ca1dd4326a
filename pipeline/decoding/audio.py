"""`audio.{flac,ogg,wav}`: opened within bounds, then read only where a view needs it.

At most `MAX_SAMPLES` over all channels: some 5 seconds (of FLAC; 10 of a full OGG) for all of them,
less than 200 MB beside the file's own bytes.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soundfile

from pipeline.decoding.resample import (
    LOUDEST,
    MAX_TAPS,
    RATE,
    kernel_size,
    resampled,
    resampled_length,
)
from pipeline.decoding.sound_length import with_true_length
from pipeline.errors import UnreadableSample

FORMATS = ("FLAC", "OGG", "WAV", "WAVEX", "RF64")
MIN_SECONDS = 0.025
"""One analysis window of the spectrogram (supplement 2.1)."""
MAX_SECONDS = 3600
MAX_RATE = 192_000
MAX_CHANNELS = 8
MAX_SAMPLES = 400_000_000
"""Of all channels together: an hour of stereo at 48 kHz is less."""
BLOCK = 1 << 20
"""Samples held at once while a whole recording is checked."""


@dataclass(frozen=True)
class Recording:
    """An opened recording, nothing decoded.

    Its first channel alone is read, as ViT-Lens and ImageBind do by way of Kaldi's filterbank. The
    mean stays: ViT-Lens subtracts its clip's own, and a filterbank removes each frame's anyway.
    """

    data: bytes
    rate: int
    """Hz."""
    count: int
    """Samples at `rate`."""

    @property
    def length(self) -> int:
        """Samples at 16 kHz."""
        return resampled_length(self.count, self.rate)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples start..stop-1 at 16 kHz, float32 [stop - start], in -1..1.

        Resampled as the whole recording would be, from as much of it as that takes.

        Raises:
            UnreadableSample: damaged there, NaN, or far outside -1..1.
        """
        return resampled(self._source, self.count, self.rate, start, stop)

    def check(self) -> None:
        """Decode all of it, block by block.

        Raises:
            UnreadableSample: as `read`, or the same value throughout: silence.
        """
        first, silent = self._source(0, 1)[0], True
        for start in range(0, self.count, BLOCK):
            block = self._source(start, min(start + BLOCK, self.count))
            silent = silent and bool((block == first).all())
        if silent:
            raise UnreadableSample(
                "audio: the first channel, the one that is read, is silent: every sample has the "
                "same value"
            )

    def _source(self, start: int, stop: int) -> np.ndarray:
        """Samples of the first channel at the recording's own rate, float64 [stop - start]."""
        try:
            with soundfile.SoundFile(io.BytesIO(self.data)) as file:
                file.seek(start)
                samples = file.read(stop - start, dtype="float64", always_2d=True)[:, 0]
        except soundfile.LibsndfileError as error:
            raise _damaged(error) from None
        if len(samples) < stop - start:
            raise UnreadableSample(
                f"audio: {self.count} samples promised, it ends after {start + len(samples)}"
            )
        if not (samples.min() >= -LOUDEST and samples.max() <= LOUDEST):  # NaN is neither
            raise UnreadableSample(f"audio: NaN or beyond {LOUDEST:g} where -1..1 is expected")
        return samples


def decode_audio(data: bytes) -> Recording:
    """Open a recording; its header is checked, its samples are not read yet.

    Raises:
        UnreadableSample: no FLAC, OGG or WAV file, or a length, rate or number of channels out of
            bounds, or a rate without a large common divisor with 16 kHz.
    """
    try:
        data = with_true_length(data, MAX_SAMPLES)
        file = soundfile.info(io.BytesIO(data))
    except soundfile.LibsndfileError as error:
        raise _damaged(error) from None
    if file.format not in FORMATS:
        raise UnreadableSample(f"audio: expected FLAC, OGG or WAV, found {file.format}")
    if not 1 <= file.samplerate <= MAX_RATE or kernel_size(file.samplerate) > MAX_TAPS:
        raise UnreadableSample(
            f"audio: a rate of {file.samplerate} Hz cannot be resampled to {RATE} Hz in bounded "
            "memory; convert it to a common rate such as 44100 or 48000 Hz"
        )
    if file.channels > MAX_CHANNELS:
        raise UnreadableSample(f"audio: {file.channels} channels; the limit is {MAX_CHANNELS}")
    if not MIN_SECONDS * file.samplerate <= file.frames <= MAX_SECONDS * file.samplerate:
        raise UnreadableSample(
            f"audio: {file.frames} samples at {file.samplerate} Hz; expected {MIN_SECONDS} to "
            f"{MAX_SECONDS} seconds"
        )
    if file.frames * file.channels > MAX_SAMPLES:
        raise UnreadableSample(
            f"audio: {file.frames} samples of {file.channels} channels; the limit is {MAX_SAMPLES}"
        )
    return Recording(data, file.samplerate, file.frames)


def _damaged(error: soundfile.LibsndfileError) -> UnreadableSample:
    reason = error.error_string.strip() or "damaged or cut short"
    return UnreadableSample(f"audio: {reason}")


@dataclass(frozen=True)
class Excerpts:
    """The parts of a recording that some windows need, at 16 kHz."""

    length: int
    """Of the whole recording."""
    parts: Sequence[tuple[int, np.ndarray]]
    """(first sample, samples float32), disjoint and in order."""

    def __getitem__(self, window: slice) -> np.ndarray:
        """Samples window.start..window.stop-1."""
        for first, samples in self.parts:
            if first <= window.start and window.stop <= first + len(samples):
                return samples[window.start - first : window.stop - first]
        raise IndexError(f"samples {window.start}..{window.stop} were not read")


def read_excerpts(recording: Recording, windows: Sequence[slice]) -> Excerpts:
    """Read what the windows need, and where they overlap read it once.

    Raises:
        UnreadableSample: see `Recording.read`.
    """
    merged: list[slice] = []
    for window in sorted(windows, key=lambda window: (window.start, window.stop)):
        if merged and window.start <= merged[-1].stop:
            merged[-1] = slice(merged[-1].start, max(window.stop, merged[-1].stop))
        else:
            merged.append(window)
    parts = [(part.start, recording.read(part.start, part.stop)) for part in merged]
    return Excerpts(recording.length, parts)
