"""Audio views: five seconds at 16 kHz, and what happens to any spectrogram made of them.

Models make their own filterbanks (the student with a Hamming window, ViT-Lens with a Hanning one),
so a view is a waveform together with its drawn masks and noise, and every model hands its log-mel
energies through `apply_masks` and, once it has standardised them, through `apply_noise`. Order and
values: TencentARC/ViT-Lens@2b4f2e0, modal_audio/processors/at_processor.py, without mix-up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from pipeline.config.data import ViewsConfig
from pipeline.decoding.audio import Excerpts, Recording, read_excerpts
from pipeline.decoding.resample import RATE
from pipeline.errors import UserError
from pipeline.views.rng import ViewRng, philox
from pipeline.views.video import sample_start

FREQUENCY_MASK = 12
TIME_MASK = 48
"""Bins and frames that a mask stays below, as torchaudio's FrequencyMasking and TimeMasking."""
NOISE = 0.1
"""Uniform noise 0..1 times a level below this, in standard deviations of the spectrogram."""
ROLL = 10
"""Frames: after the noise the spectrogram is rolled in time by -10..9 (NoiseAug of AST)."""
BINS = 128
WINDOW, HOP = RATE * 25 // 1000, RATE * 10 // 1000
"""Mel bins, and samples of an analysis window and between two (supplement 2.1)."""

AUDIO_CHAIN = (
    f"{RATE} Hz, first channel, random window, FrequencyMasking({FREQUENCY_MASK}), "
    f"TimeMasking({TIME_MASK}), NoiseAug(uniform < {NOISE}, roll {ROLL}); v1"
)


@dataclass(frozen=True)
class SpectrogramParams:
    """What happens to a spectrogram, whichever model made it."""

    frequency_mask: tuple[int, int]
    """First bin and width, in Mel bins."""
    time_mask: tuple[int, int]
    """First frame and width, in frames of 10 ms."""
    noise_level: float
    """Largest noise added, in standard deviations; 0 without noise."""
    noise_key: np.ndarray
    """Uint64 [2]: key of the noise."""
    roll: int
    """Frames to roll by; later where positive."""


@dataclass(frozen=True)
class AudioParams(SpectrogramParams):
    """Everything random in an audio view."""

    start: float
    """Place of the window, 0..1 of what it leaves over; its paired clip starts there too."""


@dataclass(frozen=True)
class AudioView(SpectrogramParams):
    """The canonical view of a sound."""

    waveform: np.ndarray
    """Float32 [samples] at 16 kHz in -1..1."""


UNCHANGED = SpectrogramParams((0, 0), (0, 0), 0.0, np.zeros(2, np.uint64), 0)
"""What evaluation does to a spectrogram: nothing."""


def sample_audio(rng: ViewRng, sizes: ViewsConfig) -> AudioParams:
    """Draw the audio chain."""
    return AudioParams(
        start=sample_start(rng),
        frequency_mask=_sample_mask(rng, FREQUENCY_MASK, BINS),
        time_mask=_sample_mask(rng, TIME_MASK, spectrogram_frames(window_length(sizes))),
        noise_level=rng.uniform(0.0, NOISE),
        noise_key=rng.raw(2),
        roll=rng.integer(2 * ROLL) - ROLL,
    )


def gather_windows(recording: Recording, params: Sequence[object], sizes: ViewsConfig) -> Excerpts:
    """Read and resample, once, what the windows of the views with these parameters cover.

    Raises:
        UnreadableSample: damaged there, NaN, or far outside -1..1.
    """
    length = window_length(sizes)
    firsts = [_first_sample(recording.length, length, one) for one in params]
    return read_excerpts(recording, [_covered(recording.length, length, f) for f in firsts])


def apply_audio(excerpts: Excerpts, params: object, sizes: ViewsConfig) -> AudioView:
    """The canonical view; pure.

    A recording no longer than the window is repeated, from a random sample of it on.
    """
    length = window_length(sizes)
    first = _first_sample(excerpts.length, length, params)
    drawn = params if isinstance(params, AudioParams) else UNCHANGED
    return _view(excerpts, first, length, drawn)


def evaluation_windows(recording: Recording, count: int, sizes: ViewsConfig) -> list[AudioView]:
    """Evenly spaced views without randomness, whose features an evaluation averages.

    As in ViT-Lens (3 for AudioSet, VGGSound and AudioCaps, 2 for ESC-50), starts are
    (length - window) / count apart, so the last window ends before the recording does; a recording
    no longer than the window gives one view.

    Raises:
        UnreadableSample: see `gather_windows`.
    """
    length = window_length(sizes)
    spare = max(0, recording.length - length)
    firsts = [spare * place // count for place in range(count if spare else 1)]
    excerpts = read_excerpts(recording, [_covered(recording.length, length, f) for f in firsts])
    return [_view(excerpts, first, length, UNCHANGED) for first in firsts]


def apply_masks(energies: Tensor, params: SpectrogramParams) -> Tensor:
    """Log-mel energies [frames, 128] with the drawn bins and frames set to 0; pure.

    Before standardising: 0 is ViT-Lens's mask value there. Frames beyond the sound, which a model
    pads with, are never masked.

    Raises:
        UserError: another number of Mel bins than the masks are drawn for.
    """
    if energies.shape[1] != BINS:
        raise UserError(
            f"spectrogram masks are drawn for {BINS} Mel bins, found {energies.shape[1]}"
        )
    masked = energies.clone()
    (frame, frames), (bin_, bins) = params.time_mask, params.frequency_mask
    masked[frame : frame + frames] = 0
    masked[:, bin_ : bin_ + bins] = 0
    return masked


def apply_noise(standardised: Tensor, params: SpectrogramParams) -> Tensor:
    """Standardised energies [frames, bins] with the drawn noise, rolled in time; pure.

    The noise of a cell depends on the key and the cell alone: a model that pads with more frames
    has the same noise in the others.
    """
    if params.noise_level == 0:
        return standardised
    noise = drawn_noise(params, *standardised.shape)
    return (standardised + noise).roll(params.roll, 0)


def drawn_noise(params: SpectrogramParams, frames: int, bins: int) -> Tensor:
    """The noise of each cell before the roll, float32 [frames, bins]; pure."""
    words = philox(params.noise_key).random_raw(frames * bins)
    unit = torch.from_numpy((words >> np.uint64(40)).astype(np.float32) * np.float32(2**-24))
    return params.noise_level * unit.view(frames, bins)


def window_length(sizes: ViewsConfig) -> int:
    """Samples of a view's waveform."""
    return round(sizes.audio_seconds * RATE)


def spectrogram_frames(samples: int) -> int:
    """Frames of a waveform's spectrogram: 498 of five seconds."""
    return 1 + (samples - WINDOW) // HOP


def _sample_mask(rng: ViewRng, below: int, size: int) -> tuple[int, int]:
    """First place and width of a mask within `size`, distributed as torchaudio's."""
    width = rng.uniform(0.0, min(below, size))
    return int(rng.uniform(0.0, size - width)), int(width)


def _first_sample(recorded: int, length: int, params: object) -> int:
    """Where a window begins; in a recording no longer than it, the sample it begins with."""
    if not isinstance(params, AudioParams):
        return max(0, (recorded - length) // 2)
    places = recorded if recorded <= length else recorded - length + 1
    return int(params.start * places)


def _covered(recorded: int, length: int, first: int) -> slice:
    """The part of a recording that a window needs: all of one that is no longer."""
    return slice(0, recorded) if recorded <= length else slice(first, first + length)


def _view(excerpts: Excerpts, first: int, length: int, drawn: SpectrogramParams) -> AudioView:
    samples = excerpts[_covered(excerpts.length, length, first)]
    if excerpts.length <= length:
        samples = np.resize(np.roll(samples, -first), length)
    spectrogram = {field.name: getattr(drawn, field.name) for field in fields(SpectrogramParams)}
    return AudioView(**spectrogram, waveform=np.ascontiguousarray(samples))
