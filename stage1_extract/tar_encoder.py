"""One teacher over the samples of one tar."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pipeline.store import ShardFeatures, without_unstorable
from pipeline.views import View
from pipeline.views.digest import key_digest
from stage1_extract.forward_pass import ForwardPass

BATCHES_QUEUED = 2
"""Batches that a GPU has before it while another is put together."""


class TarEncoder:
    """Takes a tar's samples in their order and encodes them whenever they fill a batch.

    The batches depend on the tar alone, so that any process repeats them to the last bit.
    """

    def __init__(self, forward: ForwardPass) -> None:
        self._forward = forward
        self._keys: list[str] = []
        self._params_digests: list[list[int]] = []
        self._view_digests: list[list[int]] = []
        self._usable: list[int] = []
        self._batch: Tensor | None = None
        self._filled = 0
        self._encoded: list[_Features] = []

    def add(self, key: str, views: Sequence[View] | None) -> None:
        """Take the next sample's views, as handed on; None where the sample cannot be used: it gets
        its row and no features."""
        numbers = self._forward.views
        if views is None:
            drawn = [self._forward.maker.params_digest(key, view) for view in numbers]
            self._view_digests.append([0] * len(numbers))
        else:
            drawn = [view.params_digest for view in views]
            self._view_digests.append([view.content_digest for view in views])
            self._usable.append(len(self._keys))
            for view in views:
                self._put(self._forward.input(view.array))
        self._keys.append(key)
        self._params_digests.append(drawn)

    def flush(self) -> None:
        """Encode what is left; on a GPU nothing is waited for."""
        if self._batch is not None:
            self._encode(self._batch[: self._filled])

    def features(self) -> ShardFeatures:
        """Those of all samples, behind `flush`; waits for them, in whichever thread."""
        features = self._features()
        failed = np.isnan(features).any(axis=(1, 2))
        features[failed] = np.nan
        return ShardFeatures(
            features=features,
            params_digest=np.array(self._params_digests, dtype=np.uint64),
            view_digest=np.array(self._view_digests, dtype=np.uint64),
            key_hash=np.array([key_digest(key) for key in self._keys], dtype=np.uint64),
            failed=[self._keys[row] for row in np.flatnonzero(failed)],
        )

    def _put(self, row: Tensor) -> None:
        """Copied by numpy: torch would have the threads of all cores copy, which views are made on,
        and the wait for the last of them is longer than the copy."""
        if self._batch is None:
            self._batch = self._forward.room(row)
        assert (row.shape, row.dtype) == (self._batch.shape[1:], self._batch.dtype), row.shape
        self._batch.numpy()[self._filled] = row.numpy()
        self._filled += 1
        if self._filled == len(self._batch):
            self._encode(self._batch)

    def _encode(self, batch: Tensor) -> None:
        self._encoded.append(_Features(self._forward.encode(batch)))
        self._batch, self._filled = None, 0
        if len(self._encoded) > BATCHES_QUEUED:
            self._encoded[-1 - BATCHES_QUEUED].wait()

    def _features(self) -> np.ndarray:
        """Float32 [rows, views, dim]; NaN without a feature, and for what no store can hold."""
        shape = (len(self._keys), len(self._forward.views), self._forward.teacher.dim)
        features = np.full(shape, np.nan, dtype=np.float32)
        if self._encoded:
            encoded = np.concatenate([each.wait() for each in self._encoded])
            features[self._usable] = without_unstorable(encoded).reshape(-1, *shape[1:])
        return features


class _Features:
    """A batch's, on their way from the device."""

    def __init__(self, features: Tensor) -> None:
        self._there, self._arrived = features, None
        if features.is_cuda:
            self._there = torch.empty(features.shape, pin_memory=True)
            self._there.copy_(features, non_blocking=True)
            self._arrived = torch.cuda.Event(blocking=True)
            self._arrived.record()

    def wait(self) -> np.ndarray:
        """Float32 [batch, dim]."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._there.numpy()
