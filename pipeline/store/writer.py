"""Holding a store: one recipe in one place, resumable; what is missing, and the label texts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.places import is_remote, make_folder, move
from pipeline.shards import ShardIndex
from pipeline.store.layout import BLOCK, Layout, extract_command, lay_out
from pipeline.store.marker import blocks_there, drop_markers, files_are_whole, read_marker
from pipeline.store.provenance import FILE as PROVENANCE_FILE
from pipeline.store.provenance import Provenance
from pipeline.store.shard_writer import ShardWriter
from pipeline.store.text import read_text, write_text
from pipeline.store.writing import writing


class StoreWriter(ShardWriter):
    """Creates or resumes the store at `path`; one at a time, in the run that holds the store.

    A store of another fingerprint that lies there is set aside under its fingerprint's name,
    and one set aside earlier under ours is taken up again: recipes never mix, nothing is lost.
    Damaged metadata is written anew, and tars that the dataset no longer has are dropped. Views
    beyond those that the store was begun with are appended in blocks of as many; what is there is
    not touched, and a later run with fewer views drops nothing.

    Args:
        path: the store's folder.
        provenance: what determines the numbers.
        index: the dataset split.
        views: views of every sample.

    Raises:
        UserError: the provenance of the store that lies there is damaged, or nothing can be
            written there.
    """

    def __init__(self, path: Path, provenance: Provenance, index: ShardIndex, views: int) -> None:
        with writing(path, extract_command(path)):
            self.set_aside = _make_room(path, provenance)
            make_folder(path)
            _remove_partials(path)
            if not (path / PROVENANCE_FILE).exists():
                replace(provenance, notes={**provenance.notes, BLOCK: views}).write(path)
            layout = Layout.of(Provenance.read(path, extract_command(path)), path)
            self.dropped = drop_markers(path, {info.name for info in index.shards})
            """Tars that were in the store and are no longer in the dataset."""
            self.blocks = layout.blocks(views)
            """Blocks of views that are asked for; the store may have more."""
            lay_out(path, layout, len(index.shards), max(self.blocks, blocks_there(path)))
        super().__init__(path, provenance, index)

    def pending(self) -> list[tuple[int, int]]:
        """(tar, block) of the shards without a valid marker, or whose tar has changed since."""
        return list(self._pending())

    def _pending(self) -> Iterator[tuple[int, int]]:
        for block in range(self.blocks):
            for shard in range(len(self.index.shards)):
                if not self._complete(shard, block):
                    yield shard, block

    def write_text(self, features: np.ndarray) -> None:
        """Write the label prompts' features, float32 [classes, dim], with their checksum."""
        with writing(self.path, extract_command(self.path)):
            write_text(self.path, features, self.provenance.fingerprint, self.index.words)

    def has_text(self) -> bool:
        """Whether the text features of the present classes are there and intact."""
        there = read_text(self.path, self.provenance.fingerprint, self.index.words)
        return there is not None

    def _complete(self, shard: int, block: int) -> bool:
        info = self.index.shards[shard]
        marker = read_marker(self.path, info.name, block)
        return (
            marker is not None
            and marker.fingerprint == self.provenance.fingerprint
            and marker.tar_xxh3 == info.xxh3
            and marker.rows == info.count
            and files_are_whole(self.path, self.layout, shard, marker)
        )


def _make_room(path: Path, provenance: Provenance) -> Path | None:
    """Set a store of another recipe aside and take up an earlier one of ours, if there is one.

    What lies where a store is moved to is a leftover without provenance, or an older store of the
    very same recipe, which DVC may have brought back beside it.
    """
    aside = None
    if (path / PROVENANCE_FILE).exists():
        there = Provenance.read(path, extract_command(path))
        if there.fingerprint == provenance.fingerprint:
            return None
        aside = _named_after(path, there)
        move(path, aside)
    mine = _named_after(path, provenance)
    if mine.exists():
        move(mine, path)
    return aside


def _named_after(path: Path, provenance: Provenance) -> Path:
    return path.with_name(f".{path.stem}.{provenance.fingerprint[:12]}.zarr")


def _remove_partials(path: Path) -> None:
    """Delete what a killed writer left half written, where that can be."""
    if is_remote(path):
        return
    for leftover in path.rglob("*.partial"):
        leftover.unlink()
