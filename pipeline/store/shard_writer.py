"""Writing one whole shard, by whichever process owns its tar."""

import socket
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.atomic import write_atomically
from pipeline.errors import UserError
from pipeline.shards import ShardIndex
from pipeline.store.codec import encode
from pipeline.store.layout import (
    DIGESTS,
    KEY_HASH,
    Layout,
    extract_command,
    shard_file,
)
from pipeline.store.marker import ShardMarker, marker_path, plane_checksum, write_marker
from pipeline.store.provenance import Provenance
from pipeline.store.writing import writing
from pipeline.store.zarr_files import fill_value, shard_content


@dataclass(frozen=True)
class ShardFeatures:
    """What a task makes of one tar under one block of views; rows in the tar's order."""

    features: np.ndarray
    """Float [rows, views, dim]; NaN where the sample failed."""
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
        self.layout = Layout.of(self._check_recipe(), path)

    def write(self, shard: int, data: ShardFeatures, block: int = 0) -> None:
        """Write one tar's features under one block of views, then its marker.

        Raises:
            ValueError: the rows do not fit the index; nothing is written.
            UserError: the store was meanwhile replaced by another recipe's, and nothing is
                written; or it cannot be written, and the tar has no marker.
        """
        info, arrays = self.index.shards[shard], self._row_arrays(data)
        for name, values in arrays.items():
            expected = (info.count, *self.layout.shape(name)[1:])
            if values.shape != expected:
                raise ValueError(f"{info.name}: {name} is {values.shape}, expected {expected}")
        self._check_recipe()
        with writing(self.path, extract_command(self.path)):
            marker_path(self.path, info.name, block).unlink(missing_ok=True)
            sizes = {
                name: self._put(name, shard, block, self._padded(name, values))
                for name, values in arrays.items()
            }
            write_marker(self.path, self._marker(shard, block, arrays, sizes, data.failed))

    def _row_arrays(self, data: ShardFeatures) -> dict[str, np.ndarray]:
        return {
            **encode(data.features, self.layout.dtype),
            DIGESTS: np.stack([data.params_digest, data.view_digest], axis=-1),
            KEY_HASH: data.key_hash,
        }

    def _put(self, name: str, shard: int, block: int, values: np.ndarray) -> int:
        """Write one array's file of a shard, and return its bytes; the keys, which all blocks
        share, only where they differ."""
        content = shard_content(values, self.layout.chunk(name))
        file = shard_file(self.path, name, shard, block)
        there = name == KEY_HASH and block and file.exists() and file.read_bytes() == content
        if not there:
            write_atomically(file, content)
        return len(content)

    def _check_recipe(self) -> Provenance:
        """A worker may have another weights file than the client, or outlive its client."""
        there = Provenance.read(self.path, extract_command(self.path))
        if there.fingerprint != self.provenance.fingerprint:
            different = there.differences(self.provenance.determines)
            raise UserError(
                f"{self.path}: made for another recipe than the one on {socket.gethostname()} "
                f"({different[0] if different else 'it has further fields'})"
            )
        return there

    def _marker(
        self,
        shard: int,
        block: int,
        arrays: dict[str, np.ndarray],
        sizes: dict[str, int],
        failed: list[str],
    ) -> ShardMarker:
        info = self.index.shards[shard]
        return ShardMarker(
            tar=info.name,
            block=block,
            tar_xxh3=info.xxh3,
            fingerprint=self.provenance.fingerprint,
            rows=info.count,
            failed=failed,
            checksums={name: _plane_checksums(values) for name, values in arrays.items()},
            sizes=sizes,
        )

    def _padded(self, name: str, values: np.ndarray) -> np.ndarray:
        """Fill the room of a short tar: a whole shard is written without reading an old one."""
        dtype = self.layout.dtypes[name]
        padded = np.full(self.layout.shape(name), fill_value(dtype), dtype)
        padded[: len(values)] = values
        return padded


def _plane_checksums(values: np.ndarray) -> list[str]:
    if values.ndim == 1:
        return [plane_checksum(values)]
    return [plane_checksum(values[:, view]) for view in range(values.shape[1])]
