"""A teacher's forward pass over the seeded views of a source."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.device import default_device
from pipeline.views import ViewMaker
from stage1_extract.teachers import Teacher
from stage1_extract.teachers.protocol import PreparesBatches


@dataclass(frozen=True)
class ForwardPass:
    """A teacher, the views that it sees, and the batches that it sees them in."""

    teacher: Teacher
    maker: ViewMaker
    batch_size: int
    """Views in a batch."""
    precision: str
    """`float32`, or `bfloat16` by autocast."""
    views: range
    """Numbers of the views of every sample."""

    @property
    def rows_per_batch(self) -> int:
        """Samples whose views make up a batch."""
        return max(1, self.batch_size // len(self.views))

    def input(self, view: Any) -> Tensor:
        """One canonical view as a row of `encode`'s batches: preprocessed, or left to the GPU."""
        if isinstance(self.teacher, PreparesBatches) and default_device() == "cuda":
            return self.teacher.raw(view)
        return self.teacher.preprocess(view)

    def encode(self, inputs: Tensor) -> Tensor:
        """Features float32 [B, dim] of `input` rows on the CPU; not waited for on a GPU."""
        device = default_device()
        if device == "cuda":
            inputs = self._on_gpu(inputs)
        low = self.precision == "bfloat16"
        with torch.autocast(device, torch.bfloat16, enabled=low):
            return self.teacher.encode(inputs).float()

    def feature(self, view: Any) -> Tensor:
        """Feature float32 [dim] of one canonical view, on the CPU.

        On a GPU the view fills a batch: the size of a matrix product decides how it is rounded.
        """
        row = self.input(view)
        count = self.rows_per_batch * len(self.views) if default_device() == "cuda" else 1
        return self.encode(row.repeat(count, *[1] * row.ndim))[0].cpu()

    def _on_gpu(self, inputs: Tensor) -> Tensor:
        if not inputs.is_pinned():
            inputs = inputs.pin_memory()
        inputs = inputs.to("cuda", non_blocking=True)
        teacher = self.teacher
        return teacher.prepare(inputs) if isinstance(teacher, PreparesBatches) else inputs
