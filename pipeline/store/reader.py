"""Reading a store: (tar, view) planes, every byte behind a verified checksum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.shards import ShardIndex
from pipeline.store.codec import decode
from pipeline.store.layout import (
    BLOCK,
    KEY_HASH,
    TEXT,
    Layout,
    extract_command,
    repair_command,
    shard_file,
)
from pipeline.store.marker import (
    ShardMarker,
    blocks_there,
    marker_path,
    plane_checksum,
    read_marker,
)
from pipeline.store.planes import read_chunk
from pipeline.store.provenance import Provenance
from pipeline.store.text import read_text


@dataclass(frozen=True)
class Plane:
    """The rows of one tar under one view, in the tar's order."""

    shard: int
    """The tar's number."""
    view: int
    features: np.ndarray
    """Float16 [rows, dim], NaN where the sample failed; or int8 steps of `scale`."""
    digests: np.ndarray
    """Uint64 [rows, 2]: of the key, the view and its parameters, and of the view's content."""
    scale: np.ndarray | None = None
    """Float32 [rows] of int8, NaN where the sample failed."""

    @property
    def params_digest(self) -> np.ndarray:
        """Uint64 [rows]."""
        return self.digests[:, 0]

    @property
    def view_digest(self) -> np.ndarray:
        """Uint64 [rows]; 0 where the sample failed."""
        return self.digests[:, 1]

    def target(self, row: int) -> np.ndarray:
        """The features of one row, float32 [dim]; NaN where the sample failed."""
        return decode(self.features[row], None if self.scale is None else self.scale[row])


@dataclass(frozen=True)
class PickedRows:
    """Rows of any planes of a store, one after the other."""

    places: Sequence[tuple[Plane, int]]
    """Of which plane each row is, and which."""
    digests: np.ndarray
    """Uint64 [rows, 2], as of `Plane`."""
    features: np.ndarray
    """Float32 [rows, dim]; NaN where a sample failed."""

    @classmethod
    def of(cls, places: Sequence[tuple[Plane, int]]) -> "PickedRows":
        """Copies of a store's rows, decoded."""
        scales = [plane.scale[row] for plane, row in places if plane.scale is not None]
        return cls(
            places,
            np.array([plane.digests[row] for plane, row in places]),
            decode(
                np.array([plane.features[row] for plane, row in places]),
                np.array(scales) if scales else None,
            ),
        )


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
        self._extract, self._repair = extract_command(path), repair_command(path)
        self.provenance = Provenance.read(path, self._extract)
        if BLOCK not in self.provenance.notes:
            raise UserError(f"{path}: written by an older version; run: {self._extract}")
        self._compare(expected or {})
        self.layout = Layout.of(self.provenance, path)
        self._markers: dict[tuple[int, int], ShardMarker] = {}
        self.views = max(1, blocks_there(path)) * self.layout.views
        """Views that some tar has; a plane that is missing says so when it is read."""

    def read(self, shard: int, view: int) -> Plane:
        """The plane of tar number `shard` under `view`, checked against its marker.

        Raises:
            UserError: the tar is not (or no longer) in the store under this view, or its bytes
                changed.
        """
        block, number = divmod(view, self.layout.views)
        marker = self.marker(shard, block)
        names = (name for name in self.layout.dtypes if name != KEY_HASH)
        arrays = {name: self._checked(name, shard, number, marker) for name in names}
        return Plane(shard=shard, view=view, **arrays)

    def key_hash(self, shard: int) -> np.ndarray:
        """Uint64 [rows] of a tar's keys, checked as a plane is; raises what `read` raises.

        The digest of a view's parameters covers its key too; these tell whose row it is.
        """
        return self._checked(KEY_HASH, shard, 0, self.marker(shard))

    def text_features(self) -> np.ndarray | None:
        """Label prompts in the teacher's own text space, float32 [classes, dim].

        None where the dataset has no classes or the teacher no text space.

        Raises:
            UserError: they should be there, and are not, or not intact.
        """
        if not (self.index.classes and self.provenance.determines["text"]["features"]):
            return None
        values = read_text(self.path, self.provenance.fingerprint, self.index.words)
        if values is None:
            where = self.path / TEXT
            raise UserError(f"{where}: missing, damaged or of other classes; run: {self._extract}")
        return values

    def marker(self, shard: int, block: int = 0) -> ShardMarker:
        """The valid completion marker of a tar under a block of views, read once and kept.

        Raises:
            UserError: there is none, or the tar has changed since.
        """
        if (shard, block) not in self._markers:
            self._markers[shard, block] = self._read_marker(shard, block)
        return self._markers[shard, block]

    def _read_marker(self, shard: int, block: int) -> ShardMarker:
        info = self.index.shards[shard]
        marker = read_marker(self.path, info.name, block)
        where = marker_path(self.path, info.name, block)
        if marker is None:
            raise UserError(
                f"{where}: no valid completion marker, so this tar is not cached; "
                f"run: {self._extract}"
            )
        if marker.fingerprint != self.provenance.fingerprint:
            raise self._damaged(where, "it belongs to another fingerprint")
        if marker.tar_xxh3 == info.xxh3 and marker.rows != info.count:
            raise self._damaged(where, f"it has {marker.rows} rows, the tar {info.count}")
        if marker.tar_xxh3 != info.xxh3:
            raise UserError(
                f"{where}: the tar has changed since it was cached (xxh3 {marker.tar_xxh3}, "
                f"now {info.xxh3}); run: {self._extract}"
            )
        return marker

    def _checked(self, name: str, shard: int, number: int, marker: ShardMarker) -> np.ndarray:
        """One array's rows under view `number` of the marker's block."""
        file = shard_file(self.path, name, shard, marker.block)
        shape = self.layout.shape(name)
        try:
            chunk = read_chunk(file, number, (shape[0], *shape[2:]), self.layout.dtypes[name])
        except FileNotFoundError:
            raise self._damaged(file, "the file is missing") from None
        except (OSError, ValueError) as error:
            raise self._damaged(file, f"unreadable ({error})") from None
        values = chunk[: marker.rows]
        if [plane_checksum(values)] != marker.checksums.get(name, [])[number : number + 1]:
            raise self._damaged(file, f"view {number} does not fit its checksum")
        return values

    def _compare(self, expected: Mapping[str, Any]) -> None:
        different = self.provenance.differences(expected)
        if different:
            raise UserError(
                f"{self.path}: made for another recipe ({different[0]}); put the params back or "
                f"run: {self._extract}"
            )

    def _damaged(self, file: Path, reason: str) -> UserError:
        return UserError(f"{file}: damaged, {reason}; run: {self._repair}")
