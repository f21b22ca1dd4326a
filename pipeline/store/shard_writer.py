"""Writing one whole tar's rows, by whichever process owns the tar."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.shards import ShardIndex
from pipeline.store import layout
from pipeline.store.marker import ShardMarker, marker_path, plane_checksum, write_marker
from pipeline.store.provenance import Provenance


@dataclass(frozen=True)
class ShardFeatures:
    """What a task makes of one tar; rows in the tar's order."""

    features: np.ndarray
    """Float16 [rows, views, dim]; NaN where the sample failed."""
    params_digest: np.ndarray
    """Uint64 [rows, views]."""
    view_digest: np.ndarray
    """Uint64 [rows, views]."""
    key_hash: np.ndarray
    """Uint64 [rows]."""
    failed: list[str]
    """Keys of the samples that could not be used."""


class ShardWriter:
    """Writes whole tars into a store that is there, from any process that owns the tars.

    Args:
        path: the store's folder.
        provenance: what determines the numbers that will be written.
        index: the dataset split.

    Raises:
        UserError: no store is there, or it belongs to another recipe.
    """

    def __init__(self, path: Path, provenance: Provenance, index: ShardIndex) -> None:
        self.path, self.provenance, self.index = path, provenance, index
        self._check_recipe()
        self._arrays = layout.open_to_write(path)

    def write(self, shard: int, data: ShardFeatures) -> None:
        """Write one tar's features, then its marker.

        Raises:
            ValueError: the rows do not fit the index; nothing is written.
            UserError: the store was meanwhile replaced by another recipe's; nothing is written.
        """
        info = self.index.shards[shard]
        arrays = {name: getattr(data, name) for name in layout.ROW_ARRAYS}
        for name, values in arrays.items():
            expected = (info.count, *self._arrays[name].shape[1:])
            if values.shape != expected:
                raise ValueError(f"{info.name}: {name} is {values.shape}, expected {expected}")
        self._check_recipe()
        marker_path(self.path, info.name).unlink(missing_ok=True)
        for name, values in arrays.items():
            # Zarr reads the shard that it replaces, and fails on a damaged one
            layout.shard_file(self.path, name, shard).unlink(missing_ok=True)
            self._arrays[name][self.index.row_slice(shard)] = self._padded(name, values)
        write_marker(self.path, self._marker(shard, arrays, data.failed))

    def _check_recipe(self) -> None:
        """A worker may have another weights file than the client, or outlive its client."""
        there = Provenance.read(self.path, layout.extract_command(self.path))
        if there.fingerprint != self.provenance.fingerprint:
            different = there.differences(self.provenance.determines)
            raise UserError(
                f"{self.path}: made for another recipe than the one on {socket.gethostname()} "
                f"({different[0] if different else 'it has further fields'})"
            )

    def _marker(self, shard: int, arrays: dict[str, np.ndarray], failed: list[str]) -> ShardMarker:
        info = self.index.shards[shard]
        files = {name: layout.shard_file(self.path, name, shard) for name in arrays}
        for file in files.values():
            _sync(file)
        return ShardMarker(
            tar=info.name,
            tar_xxh3=info.xxh3,
            fingerprint=self.provenance.fingerprint,
            rows=info.count,
            failed=failed,
            checksums={name: _plane_checksums(values) for name, values in arrays.items()},
            sizes={name: file.stat().st_size for name, file in files.items()},
        )

    def _padded(self, name: str, values: np.ndarray) -> np.ndarray:
        """Fill the room of a short tar: a whole shard is written without reading an old one."""
        array = self._arrays[name]
        padded = np.full(
            (self.index.samples_per_shard, *values.shape[1:]), array.fill_value, array.dtype
        )
        padded[: len(values)] = values
        return padded


def _plane_checksums(values: np.ndarray) -> list[str]:
    if values.ndim == 1:
        return [plane_checksum(values)]
    return [plane_checksum(values[:, view]) for view in range(values.shape[1])]


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
