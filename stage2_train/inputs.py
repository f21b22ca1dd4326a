"""From a canonical view to what the student's tokenizer takes; runs in the loader's threads."""

from typing import Any

import numpy as np
import torch

from pipeline.config.student import StudentConfig
from stage2_train.tokenizers import group_points, spectrogram


def student_input(modality: str, view: Any, config: StudentConfig) -> tuple[np.ndarray, ...]:
    """Arrays of one sample, to be stacked; `view` is a `View.array` of the modality's own chain.

    A cloud's groups and centres, a sound's spectrogram with its masks and noise; images, videos
    and depth maps as they are.
    """
    if modality == "points":
        return group_points(view, config.points.groups, config.points.group_size)
    if modality == "audio":
        return (spectrogram(torch.from_numpy(view.waveform), view).numpy(),)
    return (view,)
