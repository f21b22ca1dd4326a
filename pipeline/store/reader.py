"""Reading a store: (tar, view) planes, every byte behind a verified checksum."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from pipeline.errors import UserError
from pipeline.shards import ShardIndex
from pipeline.store import layout
from pipeline.store.marker import ShardMarker, plane_checksum, read_marker
from pipeline.store.provenance import Provenance


@dataclass(frozen=True)
class Plane:
    """The rows of one tar under one view, in the tar's order."""

    features: np.ndarray
    """Float16 [rows, dim]; NaN where the sample failed."""
    params_digest: np.ndarray
    """Uint64 [rows]."""
    view_digest: np.ndarray
    """Uint64 [rows]."""
    key_hash: np.ndarray
    """Uint64 [rows]."""


class FeatureStore:
    """A complete store, opened for reading.

    Args:
        path: the store's folder.
        index: the shards that the store was made from.
        expected: what the reader knows of the recipe (part of `Provenance.determines`).

    Raises:
        UserError: no store, a damaged one, or one whose fingerprint differs: the first
            differing field is named, and the command that makes the right store.
    """

    def __init__(
        self, path: Path, index: ShardIndex, expected: Mapping[str, Any] | None = None
    ) -> None:
        self.path, self.index = path, index
        teacher, source = path.parent.name, path.stem.rpartition("-")[0]
        self._extract = f"python -m stage1_extract --teacher {teacher} --source {source}"
        self._repair = (
            f"python -m stage1_extract.verify --teacher {teacher} --source {source} --repair"
        )
        self.provenance = Provenance.read(path, self._extract)
        self._compare(expected or {})
        try:
            self._group = zarr.open_group(path, mode="r", zarr_format=3)
            self.views, self.dim = self._array(layout.FEATURES).shape[1:]
        except (KeyError, ValueError, TypeError, OSError) as error:
            raise self._damaged(path, f"its Zarr metadata is unreadable ({error})") from None

    def read(self, shard: int, view: int) -> Plane:
        """The plane of tar number `shard` under `view`, checked against the tar's marker.

        Raises:
            UserError: the tar is not (or no longer) in the store, or its bytes changed.
        """
        marker = self.marker(shard)
        planes = {name: self._checked(name, shard, view, marker) for name in layout.ROW_ARRAYS}
        return Plane(**planes)

    def text_features(self) -> np.ndarray | None:
        """Label prompts in the teacher's own text space, float32 [classes, dim], or None."""
        if layout.TEXT not in self._group:
            return None
        array = self._array(layout.TEXT)
        values = np.asarray(array[:])
        if plane_checksum(values) != array.attrs.get("xxh3"):
            raise self._damaged(self.path / layout.TEXT, "its checksum does not fit")
        return values

    def marker(self, shard: int) -> ShardMarker:
        """The valid completion marker of a tar.

        Raises:
            UserError: there is none, or the tar has changed since.
        """
        info = self.index.shards[shard]
        marker = read_marker(self.path, info.name)
        where = self.path / layout.MARKERS / f"{info.name}.json"
        if marker is None:
            raise UserError(
                f"{where}: no valid completion marker, so this tar is not cached; "
                f"run: {self._extract}"
            )
        if marker.fingerprint != self.provenance.fingerprint:
            raise self._damaged(where, "it belongs to another fingerprint")
        if marker.tar_xxh3 != info.xxh3:
            raise UserError(
                f"{where}: the tar has changed since it was cached (xxh3 {marker.tar_xxh3}, "
                f"now {info.xxh3}); run: {self._extract}"
            )
        return marker

    def _checked(self, name: str, shard: int, view: int, marker: ShardMarker) -> np.ndarray:
        array = self._array(name)
        start = self.index.row_slice(shard).start
        rows = slice(start, start + marker.rows)
        plane = 0 if array.ndim == 1 else view
        file = layout.shard_file(self.path, name, shard)
        if not file.exists():  # Zarr would return its fill value
            raise self._damaged(file, "the file is missing")
        try:
            values = np.asarray(array[rows] if array.ndim == 1 else array[rows, view])
        except (ValueError, OSError, KeyError, RuntimeError) as error:
            raise self._damaged(file, f"unreadable ({' '.join(str(error).split())})") from None
        if plane_checksum(values) != marker.checksums[name][plane]:
            raise self._damaged(file, f"view {plane} does not fit its checksum")
        return values

    def _compare(self, expected: Mapping[str, Any]) -> None:
        different = self.provenance.differences(expected)
        if different:
            raise UserError(
                f"{self.path}: made for another recipe ({different[0]}); put the params back or "
                f"run: {self._extract}"
            )

    def _array(self, name: str) -> zarr.Array:
        array = self._group[name]
        assert isinstance(array, zarr.Array)
        return array

    def _damaged(self, file: Path, reason: str) -> UserError:
        return UserError(f"{file}: damaged, {reason}; run: {self._repair}")
