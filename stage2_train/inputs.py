"""From canonical views to what the student's tokenizers take; runs in the loader's threads."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.config.student import StudentConfig
from stage2_train.tokenizers import group_points, spectrogram


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


def stacked(samples: Iterable[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Parts of a batch, batch first, from those of its samples."""
    return tuple(torch.stack(part) for part in zip(*samples))


def tokenizer_input(parts: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    """What `Student.forward` takes: the one part itself, or all of several."""
    return parts[0] if len(parts) == 1 else parts
