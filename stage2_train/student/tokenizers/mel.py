"""The student's spectrogram: 128 Mel bins, 25 ms Hamming window, 10 ms hop (supplement 2.1).

The same in two places: a data loader makes it from a view, with its masks and noise, or leaves that
to a device; the audio tokenizer makes it from raw waveforms, without.
"""

from torch import Tensor

from pipeline import batched_spectrogram
from pipeline.spectrogram import log_mel
from pipeline.views.audio import UNCHANGED, SpectrogramParams, apply_masks, apply_noise

MEAN, STD = -4.2677393, 4.5689974
"""Of AudioSet's log-mel values, as ViT-Lens standardises (TencentARC/ViT-Lens@2b4f2e0,
at_processor.py): one deviation, where AST divides by two. They were measured with Hanning windows;
Hamming adds some 0.06."""


def spectrogram(waveform: Tensor, drawn: SpectrogramParams = UNCHANGED) -> Tensor:
    """Standardised log-mel energies float32 [frames, 128]: 498 frames of five seconds.

    Args:
        waveform: float32 [samples] at 16 kHz in -1..1, on any device.
        drawn: masks, set before standardising, and noise, added after: those of the view.
    """
    energies = apply_masks(log_mel(waveform[None], "hamming"), drawn)
    return apply_noise((energies - MEAN) / STD, drawn)


def spectrograms(packed: Tensor, frames: int) -> Tensor:
    """`spectrogram` of views that `batched_spectrogram.packed` made into rows, to 1e-4.

    Returns float32 [B, frames, 128].
    """
    return batched_spectrogram.spectrograms(packed, frames, "hamming", MEAN, STD)
