"""A teacher's forward pass over the seeded views of a source."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from pipeline.device import default_device
from pipeline.views import ViewMaker
from stage1_extract.teachers import Teacher
from stage1_extract.teachers.protocol import PreparesBatches


def canonical(view: Any) -> Any:
    """The view as it is."""
    return view


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

    @cached_property
    def handed_on(self) -> Callable[[Any], Any]:
        """Makes of a canonical view what `input` takes, in the process that makes the view."""
        if self._prepares is None or default_device() != "cuda":
            return canonical
        return self._prepares.raw

    def input(self, view: Any) -> Tensor:
        """One view, as handed on, as a row of a batch: preprocessed, or left to the GPU."""
        return self.teacher.preprocess(view) if self.handed_on is canonical else view

    def room(self, row: Tensor) -> Tensor:
        """An empty batch of rows like this one, from which a GPU can copy by itself."""
        shape = (self.rows_per_batch * len(self.views), *row.shape)
        return torch.empty(shape, dtype=row.dtype, pin_memory=default_device() == "cuda")

    def encode(self, inputs: Tensor) -> Tensor:
        """Features float32 [B, dim] of `input` rows on the CPU; not waited for on a GPU."""
        device = default_device()
        if device == "cuda":
            inputs = self.on_gpu(inputs)
        low = self.precision == "bfloat16"
        with torch.autocast(device, torch.bfloat16, enabled=low):
            return self.teacher.encode(inputs).float()

    def feature(self, view: Any) -> Tensor:
        """Feature float32 [dim] of one canonical view, on the CPU.

        On a GPU the view fills a batch: the size of a matrix product decides how it is rounded.
        """
        row = self.input(self.handed_on(view))
        count = self.rows_per_batch * len(self.views) if default_device() == "cuda" else 1
        return self.encode(row.repeat(count, *[1] * row.ndim))[0].cpu()

    def on_gpu(self, inputs: Tensor) -> Tensor:
        """`input` rows on the GPU, prepared there if they were left to it."""
        if not inputs.is_pinned():
            inputs = inputs.pin_memory()
        inputs = inputs.to("cuda", non_blocking=True)
        return inputs if self._prepares is None else self._prepares.prepare(inputs)

    @cached_property
    def _prepares(self) -> PreparesBatches | None:
        return self.teacher if isinstance(self.teacher, PreparesBatches) else None
