"""What the student takes of a draw's samples, put together while each is at hand."""

import numpy as np
import torch
from torch import Tensor

Inputs = tuple[np.ndarray, ...]
"""What the student takes of one sample."""


class InputRows:
    """Parts of a batch, filled sample by sample: each is copied while it is in the processor's
    cache, and freed.

    Args:
        count: of the samples.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._parts: list[np.ndarray] = []

    def put(self, row: int, inputs: Inputs, key: str) -> None:
        """Those of one sample, at its place in the batch.

        Raises:
            ValueError: of another shape or type than those of the sample that came first.
        """
        if not self._parts:
            self._parts = [np.empty((self._count, *part.shape), part.dtype) for part in inputs]
        for whole, part in zip(self._parts, inputs, strict=True):
            if part.shape != whole.shape[1:] or part.dtype != whole.dtype:
                raise ValueError(
                    f"sample '{key}': expected inputs {whole.dtype} {whole.shape[1:]}, as of the "
                    f"samples beside it, found {part.dtype} {part.shape}"
                )
            whole[row] = part

    def tensors(self) -> tuple[Tensor, ...]:
        """The parts, batch first, over the same memory."""
        return tuple(map(torch.from_numpy, self._parts))
