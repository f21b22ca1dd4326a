"""Holding a store: one recipe in one place, resumable; what is missing, and the label texts."""

import shutil
from pathlib import Path

import numpy as np

from pipeline.shards import ShardIndex
from pipeline.store import layout
from pipeline.store.marker import drop_markers, files_are_whole, read_marker
from pipeline.store.provenance import FILE as PROVENANCE_FILE
from pipeline.store.provenance import Provenance
from pipeline.store.shard_writer import ShardWriter
from pipeline.store.text import read_text, write_text


class StoreWriter(ShardWriter):
    """Creates or resumes the store at `path`; one at a time, in the run that holds the store.

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
        self.set_aside = _make_room(path, provenance)
        path.mkdir(exist_ok=True)
        _remove_partials(path)
        if not (path / PROVENANCE_FILE).exists():
            provenance.write(path)
        layout.lay_out(
            path, rows=index.rows, rows_per_shard=index.samples_per_shard, views=views, dim=dim
        )
        drop_markers(path, {info.name for info in index.shards})
        super().__init__(path, provenance, index)

    def pending(self) -> list[int]:
        """Tars without a valid marker, or whose content has changed since."""
        return [number for number in range(len(self.index.shards)) if not self._complete(number)]

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
