"""Classes of several names, as NYU-D's "others", which stands for seven kinds of room."""

import torch
from torch import Tensor


def merged_scores(scores: Tensor, class_of: Tensor) -> Tensor:
    """The score of a class: the greatest among those of its names.

    The best class is that of the best name, as ViT-Lens predicts it.

    Args:
        scores: [samples, names], cosines.
        class_of: int64 [names], the class of each name; every class from 0 on has one.

    Returns:
        [samples, classes].

    Raises:
        ValueError: a class has no name.
    """
    classes = int(class_of.max()) + 1
    if len(torch.unique(class_of)) < classes:
        raise ValueError(f"expected a name for each of {classes} classes")
    merged = scores.new_full((len(scores), classes), -torch.inf)
    return merged.scatter_reduce_(1, class_of.expand_as(scores), scores, "amax")
