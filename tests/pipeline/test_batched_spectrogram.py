"""Spectrograms of a batch agree with those made one by one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.batched_spectrogram import log_mels, packed, spectrograms
from pipeline.spectrogram import log_mel
from pipeline.views.audio import UNCHANGED, AudioView, apply_masks, apply_noise

MEAN, STD = -4.0, 4.5


def sounds(count: int, samples: int = 8000) -> torch.Tensor:
    draw = np.random.default_rng(1).uniform(-0.5, 0.5, (count, samples))
    return torch.from_numpy(draw.astype(np.float32))


def view_of(waveform: torch.Tensor, number: int) -> AudioView:
    drawn = replace(
        UNCHANGED,
        time_mask=(number, 7),
        frequency_mask=(100, 9 * number),
        noise_level=0.05 * number,
        noise_key=np.array([number, 1], np.uint64),
        roll=3 - 5 * number,
    )
    return AudioView(**vars(drawn), waveform=waveform.numpy())


@pytest.mark.parametrize("window", ["hamming", "hanning"])
def test_energies_are_kaldis(window) -> None:
    waveforms = torch.cat((sounds(3), 1e-4 * sounds(1), torch.zeros(1, 8000)))
    expected = torch.stack([log_mel(one[None], window) for one in waveforms])
    torch.testing.assert_close(log_mels(waveforms, window), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("frames", [48, 60])
def test_masks_noise_and_roll_are_those_of_each_view(frames: int) -> None:
    views = [view_of(sound, number) for number, sound in enumerate(sounds(3))]
    expected = []
    for view in views:
        energies = log_mel(torch.from_numpy(view.waveform)[None], "hamming")
        energies = torch.nn.functional.pad(energies, (0, 0, 0, frames - len(energies)))
        expected.append(apply_noise((apply_masks(energies, view) - MEAN) / STD, view))
    rows = torch.stack([packed(view, frames) for view in views])
    found = spectrograms(rows, frames, "hamming", MEAN, STD)
    torch.testing.assert_close(found, torch.stack(expected), rtol=0, atol=1e-4)
