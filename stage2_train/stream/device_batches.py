"""The way of a rank's batches to its device: on a GPU copied while the step before computes."""

import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from stage2_train.stream.loader import LoadedBatches


class DeviceBatches:
    """Takes from a feed and moves to a device.

    Args:
        device: of the student.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._copies = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._next: LoadedBatches | None = None
        self.waited = 0.0
        """Seconds spent waiting for the feed, in all."""

    def take(self, feed: Iterator[LoadedBatches]) -> LoadedBatches:
        """The next of the feed, on the device."""
        loaded, self._next = self._next or self._fetched(feed), None
        if self._copies is not None:
            computing = torch.cuda.current_stream(self._device)
            computing.wait_stream(self._copies)
            for batch in loaded.batches:
                for tensor in batch.tensors:
                    tensor.record_stream(computing)
        return loaded

    def fetch_ahead(self, feed: Iterator[LoadedBatches]) -> None:
        """On a GPU, wait for the next of the feed already now, and start to copy it."""
        if self._copies is not None:
            self._next = self._fetched(feed)

    def _fetched(self, feed: Iterator[LoadedBatches]) -> LoadedBatches:
        started = time.monotonic()
        loaded = next(feed)
        self.waited += time.monotonic() - started
        with torch.cuda.stream(self._copies):  # None: no stream
            return replace(loaded, batches=[each.mapped(self._to) for each in loaded.batches])

    def _to(self, part: Tensor) -> Tensor:
        """Copies from memory that is not pinned would wait for the device."""
        if self._copies is not None and not part.is_cuda and not part.is_pinned():
            part = part.pin_memory()
        return part.to(self._device, non_blocking=True)
