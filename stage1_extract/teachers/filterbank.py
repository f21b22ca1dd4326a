"""ViT-Lens's audio: five-second clips, their log-mel filterbanks, and those of canonical views.

Facts: TencentARC/ViT-Lens@2b4f2e0, vitlens/src/open_clip/modal_audio/processors/at_processor.py
(AudioASTProcessorEval) and util_transforms.py.
"""

from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from pipeline import spectrogram
from pipeline.batched_spectrogram import spectrograms
from pipeline.errors import UserError
from pipeline.views.audio import AudioView, apply_masks, apply_noise

RATE = 16000
"""Samples a second."""
SECONDS = 5.0
"""Length of a clip."""
CLIP = int(RATE * SECONDS)
WINDOWS = 3
"""Clips taken from a longer recording (`n_clip` of the official API)."""
MEAN, STD = -4.2677393, 4.5689974
"""Of AudioSet's log-mel values; ONE deviation, where AST divides by two."""


def clips(waveform: np.ndarray) -> list[Tensor]:
    """Cut a waveform float32 [N] or [channels, N] at 16 kHz into clips [channels, 80000].

    At most 5 s give one clip, repeated from its start until it is 5 s long; the official code
    then crops at random, here the crop is pinned to the first sample. More give three, whose
    starts are a third of (length - 5 s) apart: the end of the recording is never reached.
    """
    samples = np.atleast_2d(np.asarray(waveform, np.float32))
    if samples.size == 0:
        raise UserError("expected a waveform with samples, found an empty one")
    length = samples.shape[1] / RATE
    if length <= SECONDS:
        return [_clip(samples)]
    step = Fraction(length - SECONDS) / WINDOWS  # exact, as the official sampler counts
    starts = [int(step * number * RATE) for number in range(WINDOWS)]
    return [_clip(samples[:, start:]) for start in starts]


def _clip(samples: np.ndarray) -> Tensor:
    clip = torch.from_numpy(samples[:, np.arange(CLIP) % samples.shape[1]])
    return clip - clip.mean()


def log_mel(clip: Tensor, frames: int = 512, mels: int = 128) -> Tensor:
    """Return Kaldi's log-mel energies [frames, mels] of a clip's first channel.

    25 ms Hanning windows every 10 ms, no dither; missing frames are rows of zeros. `clip` is
    float32 [channels, samples] in -1..1 with mean 0. Masks, where there are any, come next.
    """
    energies = spectrogram.log_mel(clip, "hanning", mels)[:frames]
    return torch.nn.functional.pad(energies, (0, 0, 0, frames - len(energies)))


def standardise(energies: Tensor) -> Tensor:
    """Return (x - MEAN) / STD; what was padded with zeros becomes +0.934."""
    return (energies - MEAN) / STD


def view_bank(view: AudioView, frames: int, mels: int) -> Tensor:
    """Return the model's input [frames, mels] of a canonical view, with its masks and noise."""
    clip = torch.from_numpy(view.waveform)[None]
    energies = apply_masks(log_mel(clip - clip.mean(), frames, mels), view)
    return apply_noise(standardise(energies), view)


def packed_banks(rows: Tensor, frames: int) -> Tensor:
    """`view_bank` of views that `batched_spectrogram.packed` made into rows, to 1e-4.

    Returns float32 [B, frames, 128].
    """
    return spectrograms(rows, frames, "hanning", MEAN, STD, centred=True)
