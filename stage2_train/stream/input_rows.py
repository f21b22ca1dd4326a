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
        self._parts: list[tuple[np.ndarray, np.dtype, tuple[int, ...]]] = []
        """Each beside the type and shape that a sample's must have."""

    def put(self, row: int, inputs: Inputs, key: str) -> None:
        """Those of one sample, at its place in the batch.

        Raises:
            ValueError: of another shape or type than those of the sample that came first.
        """
        if not self._parts:
            self._parts = [
                (np.empty((self._count, *part.shape), part.dtype), part.dtype, part.shape)
                for part in inputs
            ]
        for (whole, dtype, shape), part in zip(self._parts, inputs, strict=True):
            if part.dtype != dtype or part.shape != shape:
                raise ValueError(
                    f"sample '{key}': expected inputs {dtype} {shape}, as of the samples beside "
                    f"it, found {part.dtype} {part.shape}"
                )
            whole[row] = part

    def tensors(self) -> tuple[Tensor, ...]:
        """The parts, batch first, over the same memory."""
        return tuple(torch.from_numpy(whole) for whole, _, _ in self._parts)
