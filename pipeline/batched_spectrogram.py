"""Spectrograms of a whole batch of sounds at once, for a device; on the CPU each is made alone.

The recipe is that of `pipeline.spectrogram`, Kaldi's; torchaudio's takes one waveform at a time and
makes its filters anew for each. Energies agree to 1e-4. What a view adds to its spectrogram, masks
and noise, crosses to the device packed behind its waveform in one row.
"""

from functools import cache
from typing import Literal

import torch
from torch import Tensor
from torchaudio.compliance import kaldi

from pipeline.decoding.resample import RATE
from pipeline.views.audio import BINS, HOP, WINDOW, AudioView, drawn_noise

PREEMPHASIS = 0.97
"""Of Kaldi: each sample less this part of the one before."""
FFT = 512
"""Points of the transform: the window's 400 samples, padded to a power of two."""
_DRAWN = 5
"""First frame and frames, first bin and bins of the masks, and the roll."""


def row_length(samples: int, frames: int) -> int:
    """Columns of a row that `packed` makes."""
    return samples + frames * BINS + _DRAWN


def packed(view: AudioView, frames: int) -> Tensor:
    """A view as one row, float32 [row_length]: waveform, noise of `frames` frames, masks, roll."""
    noise = drawn_noise(view, frames, BINS)
    roll = view.roll if view.noise_level else 0  # as `apply_noise` has it
    drawn = torch.tensor([*view.time_mask, *view.frequency_mask, roll], dtype=torch.float32)
    return torch.cat((torch.from_numpy(view.waveform), noise.flatten(), drawn))


def log_mels(waveforms: Tensor, window: Literal["hamming", "hanning"]) -> Tensor:
    """`spectrogram.log_mel` of each waveform float32 [B, samples], on its device.

    Returns float32 [B, frames, 128].
    """
    frames = waveforms.unfold(-1, WINDOW, HOP)
    frames = frames - frames.mean(-1, keepdim=True)
    before = torch.cat((frames[..., :1], frames[..., :-1]), dim=-1)
    shape, filters = _filters(window, waveforms.device)
    with torch.autocast(waveforms.device.type, enabled=False):
        spectrum = torch.fft.rfft((frames - PREEMPHASIS * before) * shape, FFT).abs().square()
        energies = spectrum @ filters
    return energies.clamp(min=torch.finfo(torch.float32).eps).log()


def spectrograms(
    rows: Tensor,
    frames: int,
    window: Literal["hamming", "hanning"],
    mean: float,
    std: float,
    centred: bool = False,
) -> Tensor:
    """Standardised log-mel energies float32 [B, frames, 128] of packed views [B, row_length].

    Frames beyond the sound are rows of zero energy before they are standardised.

    Args:
        rows: what `packed` made, with the same `frames`.
        frames: of a spectrogram.
        window: as in `log_mels`.
        mean: of the standardisation.
        std: likewise.
        centred: whether the waveform's mean is taken off first.
    """
    samples = rows.shape[1] - row_length(0, frames)
    waveforms, noise, drawn = rows.split([samples, frames * BINS, _DRAWN], dim=1)
    if centred:
        waveforms = waveforms - waveforms.mean(1, keepdim=True)
    energies = log_mels(waveforms, window)[:, :frames]
    energies = torch.nn.functional.pad(energies, (0, 0, 0, frames - energies.shape[1]))
    first, count, low, bins, roll = drawn.long().unsqueeze(-1).unbind(1)
    place, pitch = (torch.arange(size, device=rows.device) for size in (frames, BINS))
    masked = ((place >= first) & (place < first + count))[:, :, None]
    masked = masked | ((pitch >= low) & (pitch < low + bins))[:, None]
    noisy = (energies.masked_fill(masked, 0.0) - mean) / std + noise.view(-1, frames, BINS)
    source = ((place - roll) % frames)[:, :, None].expand_as(noisy)
    return noisy.gather(1, source)


@cache
def _filters(window: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """The window [400], and the Mel filters [257, 128]."""
    shape = kaldi._feature_window_function(window, WINDOW, 0.42, device, torch.float32)
    banks, _ = kaldi.get_mel_banks(BINS, FFT, float(RATE), 20.0, 0.0, 100.0, -500.0, 1.0)
    return shape, torch.nn.functional.pad(banks, (0, 1)).T.contiguous().to(device)
