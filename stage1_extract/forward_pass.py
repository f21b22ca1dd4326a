"""A teacher's forward pass over the seeded views of a source."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.device import default_device
from pipeline.views import ViewMaker
from stage1_extract.teachers import Teacher


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

    def encode(self, inputs: Tensor) -> Tensor:
        """Features float32 [B, dim] of preprocessed views on the CPU; not waited for on a GPU."""
        device = default_device()
        if device == "cuda":
            inputs = inputs.pin_memory().to(device, non_blocking=True)
        low = self.precision == "bfloat16"
        with torch.autocast(device, torch.bfloat16, enabled=low):
            return self.teacher.encode(inputs).float()
