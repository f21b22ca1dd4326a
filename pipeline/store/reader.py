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
from pipeline.store.text import read_text


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
        self._extract = layout.extract_command(path)
        self._repair = layout.repair_command(path)
        self.provenance = Provenance.read(path, self._extract)
        self._compare(expected or {})
        storage = self.provenance.determines["storage"]
        self.views, self.dim = storage["views"], storage["dim"]
        self._arrays = self._open_arrays()

    def read(self, shard: int, view: int) -> Plane:
        """The plane of tar number `shard` under `view`, checked against the tar's marker.

        Raises:
            UserError: the tar is not (or no longer) in the store, or its bytes changed.
            IndexError: there is no such view.
        """
        if not 0 <= view < self.views:
            raise IndexError(f"{self.path}: view {view} of {self.views}")
        marker = self.marker(shard)
        planes = {name: self._checked(name, shard, view, marker) for name in layout.ROW_ARRAYS}
        return Plane(**planes)

    def text_features(self) -> np.ndarray | None:
        """Label prompts in the teacher's own text space, float32 [classes, dim].

        None where the dataset has no classes or the teacher no text space.

        Raises:
            UserError: they should be there, and are not, or not intact.
        """
        if not (self.index.classes and self.provenance.determines["text"]["features"]):
            return None
        values = read_text(self.path, self.provenance.fingerprint, self.index.classes)
        if values is None:
            where = self.path / layout.TEXT
            raise UserError(f"{where}: missing, damaged or of other classes; run: {self._extract}")
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
        array, start = self._arrays[name], self.index.row_slice(shard).start
        rows = slice(start, start + marker.rows)
        plane = 0 if array.ndim == 1 else view
        file = layout.shard_file(self.path, name, shard)
        if not file.exists():  # Zarr would return its fill value
            raise self._damaged(file, "the file is missing")
        try:
            values = np.asarray(array[rows] if array.ndim == 1 else array[rows, view])
        except Exception as error:  # damaged bytes make the codecs raise nearly anything
            raise self._damaged(file, f"unreadable ({' '.join(str(error).split())})") from None
        if plane_checksum(values) != marker.checksums[name][plane]:
            raise self._damaged(file, f"view {plane} does not fit its checksum")
        return values

    def _open_arrays(self) -> dict[str, zarr.Array]:
        """The row arrays, if they are what the provenance says."""
        shapes = layout.array_shapes(self.index.samples_per_shard, self.views, self.dim)
        arrays = {}
        for name, shape in shapes.items():
            file = self.path / name / "zarr.json"
            try:
                array = arrays[name] = zarr.open_array(self.path / name, mode="r", zarr_format=3)
                found = f"{array.dtype} in shards of {array.shards}"
            except Exception as error:  # damaged metadata makes zarr raise nearly anything
                found = " ".join(str(error).split())
            expected = f"{layout.DTYPES[name]} in shards of {shape}"
            if found != expected:
                raise UserError(f"{file}: expected {expected}, found {found}; run: {self._extract}")
        return arrays

    def _compare(self, expected: Mapping[str, Any]) -> None:
        different = self.provenance.differences(expected)
        if different:
            raise UserError(
                f"{self.path}: made for another recipe ({different[0]}); put the params back or "
                f"run: {self._extract}"
            )

    def _damaged(self, file: Path, reason: str) -> UserError:
        return UserError(f"{file}: damaged, {reason}; run: {self._repair}")
