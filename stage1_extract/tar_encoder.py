"""One teacher over the samples of one tar."""

import numpy as np
import torch
from torch import Tensor

from pipeline.store import ShardFeatures, without_unstorable
from pipeline.views.digest import key_digest
from stage1_extract.forward_pass import ForwardPass
from stage1_extract.shared_views import TeacherInputs


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
        self._waiting: list[Tensor] = []
        self._encoded: list[Tensor] = []

    def add(self, sample: TeacherInputs) -> None:
        """Take the next sample; one that could not be used gets its row and no features."""
        if sample.inputs is not None:
            self._usable.append(len(self._keys))
            self._waiting.append(sample.inputs)
        self._keys.append(sample.key)
        self._params_digests.append(sample.params_digest)
        self._view_digests.append(sample.view_digest)
        if len(self._waiting) == self._forward.rows_per_batch:
            self._encode()

    def finish(self) -> ShardFeatures:
        """Encode what is left, and wait for the features of all samples."""
        if self._waiting:
            self._encode()
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

    def _encode(self) -> None:
        self._encoded.append(self._forward.encode(torch.cat(self._waiting)))
        self._waiting = []

    def _features(self) -> np.ndarray:
        """Float32 [rows, views, dim]; NaN without a feature, and for what no store can hold."""
        shape = (len(self._keys), len(self._forward.views), self._forward.teacher.dim)
        features = np.full(shape, np.nan, dtype=np.float32)
        if self._encoded:
            encoded = torch.cat(self._encoded).cpu().numpy()
            features[self._usable] = without_unstorable(encoded).reshape(-1, *shape[1:])
        return features
