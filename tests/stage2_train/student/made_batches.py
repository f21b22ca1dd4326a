"""Made mini-batches of every modality, for a student of `conftest.EVERY_MODALITY`."""

from typing import Any

import torch
from torch import Generator, Tensor


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=Generator().manual_seed(seed))


def images(count: int = 3) -> Tensor:
    return (uniform(count, 3, 32, 32, seed=1) * 256).to(torch.uint8)


def videos(count: int = 3) -> Tensor:
    return (uniform(count, 6, 3, 32, 32, seed=2) * 256).to(torch.uint8)


def disparities(count: int = 3) -> Tensor:
    return uniform(count, 1, 32, 32, seed=3) * 8 + 0.1


def waveforms(count: int = 3) -> Tensor:
    return uniform(count, 8000, seed=4) - 0.5


def every_batch(count: int = 3) -> dict[str, Any]:
    """Modality -> a mini-batch, as `Student.encode` takes it."""
    return {
        "image": images(count),
        "video": videos(count),
        "points": uniform(count, 60, 3, seed=5) - 0.5,
        "depth": disparities(count),
        "audio": waveforms(count),
    }
