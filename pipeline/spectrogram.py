"""Log-mel energies by Kaldi's recipe: 128 bins, frames of 25 ms every 10 ms (supplement 2.1)."""

from typing import Literal

from torch import Tensor
from torchaudio.compliance import kaldi

from pipeline.decoding.resample import RATE


def log_mel(waveform: Tensor, window: Literal["hamming", "hanning"], mels: int = 128) -> Tensor:
    """Energies float32 [frames, mels] of a waveform's first channel.

    Args:
        waveform: float32 [channels, samples] at 16 kHz, in -1..1.
        window: the student's is `hamming` (supplement 2.1), ViT-Lens's `hanning`.
        mels: bins from 20 Hz to 8 kHz.
    """
    return kaldi.fbank(
        waveform,
        sample_frequency=RATE,
        num_mel_bins=mels,
        window_type=window,
        htk_compat=True,
        use_energy=False,
        dither=0.0,
    )
