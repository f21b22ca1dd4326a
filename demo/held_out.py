"""Zero-shot scores of a nano teacher on held-out data."""

from collections.abc import Sequence

import torch
from torch import Tensor

from eval.classification import majority_share, zero_shot_scores
from pipeline.prompts import class_embeddings
from stage1_extract.teachers import Teacher


@torch.no_grad()
def scores(
    teacher: Teacher,
    inputs: Tensor,
    labels: Sequence[str],
    classes: list[str],
    prompts: Sequence[str],
) -> dict[str, float | int]:
    """What scores.json says: samples, share of the most frequent class, top-1.

    Args:
        teacher: with a text space.
        inputs: [samples, ...], preprocessed.
        labels: class name of each sample.
        classes: all class names.
        prompts: templates of the class names.
    """
    numbers = torch.tensor([classes.index(label) for label in labels])
    embeddings = class_embeddings(lambda texts: _text(teacher, texts), classes, prompts)
    result = zero_shot_scores(teacher.encode(inputs), embeddings, numbers)
    return {
        "samples": len(labels),
        "majority": round(majority_share(numbers), 4),
        "top1": round(result.top1, 4),
    }


def _text(teacher: Teacher, texts: Sequence[str]) -> Tensor:
    features = teacher.encode_text(texts)
    assert features is not None, f"the nano {teacher.name} carries its text tower"
    return features
