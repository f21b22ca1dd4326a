"""Filling a store: one whole tar at a time, resumable, never two recipes in one place."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.shards import ShardIndex
from pipeline.store import layout
from pipeline.store.marker import (
    ShardMarker,
    drop_markers,
    files_are_whole,
    marker_path,
    plane_checksum,
    read_marker,
    write_marker,
)
from pipeline.store.provenance import FILE as PROVENANCE_FILE
from pipeline.store.provenance import Provenance
from pipeline.store.text import read_text, write_text


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


class StoreWriter:
    """Opens, creates or resumes the store at `path`.

    A store of another fingerprint that lies there is set aside under its fingerprint's name,
    and one set aside earlier under ours is taken up again: recipes never mix, nothing is lost.
    Damaged metadata is written anew, and tars that the dataset no longer has are dropped.

    Args:
        path: the store's folder.
        provenance: what determines the numbers, `storage` with views and dim included.
        index: the dataset split.
        views: views of every sample.
        dim: width of a feature.

    Raises:
        UserError: the provenance of the store that lies there is damaged.
    """

    def __init__(
        self, path: Path, provenance: Provenance, index: ShardIndex, views: int, dim: int
    ) -> None:
        self.path, self.provenance, self.index = path, provenance, index
        self.set_aside = _make_room(path, provenance)
        path.mkdir(exist_ok=True)
        _remove_partials(path)
        if not (path / PROVENANCE_FILE).exists():
            provenance.write(path)
        self._arrays = layout.lay_out(
            path, rows=index.rows, rows_per_shard=index.samples_per_shard, views=views, dim=dim
        )
        drop_markers(path, {info.name for info in index.shards})

    def pending(self) -> list[int]:
        """Tars without a valid marker, or whose content has changed since."""
        return [number for number in range(len(self.index.shards)) if not self._complete(number)]

    def write(self, shard: int, data: ShardFeatures) -> None:
        """Write one tar's features, then its marker.

        Raises:
            ValueError: the rows do not fit the index; nothing is written.
        """
        info = self.index.shards[shard]
        arrays = {name: getattr(data, name) for name in layout.ROW_ARRAYS}
        for name, values in arrays.items():
            expected = (info.count, *self._arrays[name].shape[1:])
            if values.shape != expected:
                raise ValueError(f"{info.name}: {name} is {values.shape}, expected {expected}")
        marker_path(self.path, info.name).unlink(missing_ok=True)
        for name, values in arrays.items():
            # Zarr reads the shard that it replaces, and fails on a damaged one
            layout.shard_file(self.path, name, shard).unlink(missing_ok=True)
            self._arrays[name][self.index.row_slice(shard)] = self._padded(name, values)
        write_marker(self.path, self._marker(shard, arrays, data.failed))

    def write_text(self, features: np.ndarray) -> None:
        """Write the label prompts' features, float32 [classes, dim], with their checksum."""
        write_text(self.path, features, self.provenance.fingerprint, self.index.classes)

    def has_text(self) -> bool:
        """Whether the text features of the present classes are there and intact."""
        there = read_text(self.path, self.provenance.fingerprint, self.index.classes)
        return there is not None

    def _complete(self, shard: int) -> bool:
        info = self.index.shards[shard]
        marker = read_marker(self.path, info.name)
        return (
            marker is not None
            and marker.fingerprint == self.provenance.fingerprint
            and marker.tar_xxh3 == info.xxh3
            and marker.rows == info.count
            and files_are_whole(self.path, shard, marker)
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


def _make_room(path: Path, provenance: Provenance) -> Path | None:
    """Set a store of another recipe aside and take up an earlier one of ours, if there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = None
    if (path / PROVENANCE_FILE).exists():
        there = Provenance.read(path, layout.extract_command(path))
        if there.fingerprint == provenance.fingerprint:
            return None
        aside = _named_after(path, there)
        _replace_folder(path, aside)
    mine = _named_after(path, provenance)
    if mine.exists():
        _replace_folder(mine, path)
    return aside


def _replace_folder(folder: Path, target: Path) -> None:
    """Rename a folder; what lies at the target is a leftover without provenance, or an older
    store of the very same recipe, which DVC may have brought back beside it."""
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)


def _named_after(path: Path, provenance: Provenance) -> Path:
    return path.with_name(f".{path.stem}.{provenance.fingerprint[:12]}.zarr")


def _remove_partials(path: Path) -> None:
    """Delete what a killed writer left half written."""
    for leftover in path.rglob("*.partial"):
        leftover.unlink()
