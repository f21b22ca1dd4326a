"""From a canonical view to what the student's tokenizer takes; runs in the loader's threads."""

import numpy as np

from pipeline.config.student import StudentConfig
from stage2_train.tokenizers import group_points


def student_input(modality: str, view: np.ndarray, config: StudentConfig) -> tuple[np.ndarray, ...]:
    """Arrays of one sample, to be stacked: the image itself, or a cloud's groups and centres."""
    if modality == "points":
        return group_points(view, config.points.groups, config.points.group_size)
    return (view,)
