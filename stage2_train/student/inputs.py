"""From canonical views to what the student's tokenizers take; runs where views are made."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.batched_spectrogram import packed
from pipeline.config.student import StudentConfig
from pipeline.device import default_device
from pipeline.views.audio import spectrogram_frames
from stage2_train.student.tokenizers import group_points, spectrogram


def student_input(modality: str, view: Any, config: StudentConfig) -> tuple[Tensor, ...]:
    """Parts of one sample, to be stacked; `view` is a `View.array` of the modality's own chain.

    A cloud's groups and centres, a sound's spectrogram with its masks and noise; images, videos
    and depth maps as they are.
    """
    if modality == "points":
        groups, centres = group_points(view, config.points.groups, config.points.group_size)
        return torch.from_numpy(groups), torch.from_numpy(centres)
    if modality == "audio":
        return (spectrogram(torch.from_numpy(view.waveform), view),)
    return (torch.from_numpy(np.ascontiguousarray(view)),)


def raw_input(modality: str, view: Any, config: StudentConfig) -> tuple[Tensor, ...]:
    """`student_input` for a student on a GPU, which groups clouds and makes spectrograms faster.

    A cloud's xyz, a sound packed with its masks and noise; the others as they are.
    """
    if modality == "points":
        return (torch.from_numpy(np.ascontiguousarray(view[:, :3])),)
    if modality == "audio":
        return (packed(view, spectrogram_frames(len(view.waveform))),)
    return student_input(modality, view, config)


def loader_input(modality: str, view: Any, config: StudentConfig) -> tuple[np.ndarray, ...]:
    """As arrays, `raw_input` on a machine that trains on a GPU, `student_input` on any other."""
    if modality not in ("points", "audio"):
        return (view,)
    make = raw_input if default_device() == "cuda" else student_input
    return tuple(part.numpy() for part in make(modality, view, config))


def encodable(modality: str, view: Any, config: StudentConfig) -> Tensor:
    """One sample of what `Student.encode` takes stacked: of a cloud its xyz, of a sound its
    spectrogram, the others as they are."""
    make = raw_input if modality == "points" else student_input
    return make(modality, view, config)[0]


def stacked(samples: Iterable[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Parts of a batch, batch first, from those of its samples."""
    return tuple(torch.stack(part) for part in zip(*samples))


def tokenizer_input(parts: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    """What `Student.forward` takes: the one part itself, or all of several."""
    return parts[0] if len(parts) == 1 else parts
