"""Where things lie in a store, and how its Zarr arrays are made.

    <cache>/<teacher>/<dataset>-<split>.zarr/
        provenance.json                 fingerprint and what it stands for
        features/                       [rows, views, dim] float16, or int8 beside its scale
        scale/                          [rows, views] float32, of int8 alone
        digests/                        [rows, views, 2] uint64: of the parameters, of the content
        key_hash/                       [rows] uint64
        text_features/                  [classes, dim] float32, where the teacher has a text space
        markers/<tar>.<block>.json      written last: this shard is complete, with its checksums

A block is the views that a store was begun with; views appended later are further blocks. One tar
under one block is one Zarr shard of every array and one task: whoever writes it owns it whole.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline import commands
from pipeline.atomic import write_atomically
from pipeline.errors import UserError
from pipeline.locations import path_or_url, remove
from pipeline.store.provenance import FILE as PROVENANCE
from pipeline.store.provenance import Provenance
from pipeline.store.zarr_files import group_files

FEATURES = "features"
SCALE = "scale"
DIGESTS = "digests"
KEY_HASH = "key_hash"
TEXT = "text_features"
MARKERS = "markers"
VERSION = 2
"""Of what is said above; part of a store's recipe, so that stores of other versions are refused."""
BLOCK = "views_per_shard"
"""Where the provenance's notes say how many views a block has."""
DTYPES = ("float16", "int8")
LARGEST = 1 << 20
"""Rows of a shard, views of a block, numbers of a feature."""
_INDEX_ENTRY, _INDEX_CHECKSUM = 16, 4
"""Bytes of a Zarr shard's index: offset and length of each inner chunk, then a crc32c."""


@dataclass(frozen=True)
class Layout:
    """Shapes of a store's row arrays."""

    rows: int
    """Room for a tar's samples: rows of a shard."""
    views: int
    """Views of a block and of a shard."""
    dim: int
    """Width of a feature."""
    dtype: str
    """Of the features: `float16` or `int8`."""

    @classmethod
    def of(cls, provenance: Provenance, store: Path) -> "Layout":
        """The layout that a store's provenance tells of.

        Raises:
            UserError: it tells of none that can be.
        """
        try:
            storage, views = provenance.determines["storage"], provenance.notes[BLOCK]
            layout = cls(storage["rows_per_shard"], views, storage["dim"], storage["dtype"])
            possible = layout.dtype in DTYPES and all(
                type(size) is int and 1 <= size <= LARGEST
                for size in (layout.rows, layout.views, layout.dim)
            )
        except (KeyError, TypeError):
            possible = False
        if not possible:
            raise UserError(
                f"{store / PROVENANCE}: tells of no array that can be; delete {store} and run: "
                f"{extract_command(store)}"
            )
        return layout

    @cached_property
    def dtypes(self) -> dict[str, str]:
        """Row array -> dtype."""
        scale = {SCALE: "float32"} if self.dtype == "int8" else {}
        return {FEATURES: self.dtype, **scale, DIGESTS: "uint64", KEY_HASH: "uint64"}

    def shape(self, name: str, shards: int = 1, blocks: int = 1) -> tuple[int, ...]:
        """Of a row array over some tars and blocks."""
        pairs = (shards * self.rows, blocks * self.views)
        inner = {FEATURES: (self.dim,), DIGESTS: (2,)}.get(name, ())
        return pairs[:1] if name == KEY_HASH else (*pairs, *inner)

    def chunk(self, name: str) -> tuple[int, ...]:
        """Of an inner chunk: all rows of a shard under one view."""
        shard = self.shape(name)
        return (shard[0], 1, *shard[2:]) if len(shard) > 1 else shard

    def blocks(self, views: int) -> int:
        """Blocks that hold as many views."""
        return -(-views // self.views)

    @property
    def plane_bytes(self) -> int:
        """Bytes of one tar's rows under one view, as `FeatureStore.read` gives them."""
        return sum(
            math.prod(self.chunk(name)) * np.dtype(dtype).itemsize
            for name, dtype in self.dtypes.items()
            if name != KEY_HASH
        )

    @property
    def shard_bytes(self) -> int:
        """Bytes of one tar's files under one block, the index of their chunks included."""
        total = 0
        for name, dtype in self.dtypes.items():
            shape = self.shape(name)
            chunks = self.views if len(shape) > 1 else 1
            total += math.prod(shape) * np.dtype(dtype).itemsize
            total += chunks * _INDEX_ENTRY + _INDEX_CHECKSUM
        return total


def store_path(cache: str | Path, teacher: str, dataset: str, split: str) -> Path:
    """Folder of the store of a teacher over a dataset split."""
    return path_or_url(cache) / teacher / f"{dataset}-{split}.zarr"


def extract_command(store: Path) -> str:
    """The command that fills a store, for the errors that recommend it."""
    return commands.extract_command(*_pair(store))


def repair_command(store: Path) -> str:
    """The command that extracts the damaged tars of a store again."""
    return commands.repair_command(*_pair(store))


def _pair(store: Path) -> tuple[str, str]:
    """Teacher and source of a store."""
    return store.parent.name, store.stem.rpartition("-")[0]


def lay_out(store: Path, layout: Layout, shards: int, blocks: int) -> None:
    """Put the metadata of the row arrays in place: inner chunk = the rows of a tar x one view.

    It follows from the arguments alone; what is missing, damaged or of another number of tars or
    blocks is written anew, and the shard files of tars that there are no longer are deleted.
    """
    arrays = {
        name: {
            "shape": layout.shape(name, shards, blocks),
            "dtype": dtype,
            "shards": layout.shape(name),
            "chunks": layout.chunk(name),
        }
        for name, dtype in layout.dtypes.items()
    }
    for name, content in group_files(arrays).items():
        file = store / name
        if not file.is_file() or file.read_bytes() != content:
            write_atomically(file, content)
    for name in layout.dtypes:
        for there in (store / name / "c").glob("*"):
            if not there.name.isdecimal() or int(there.name) >= shards:
                remove(there)


def shard_file(store: Path, array: str, shard: int, block: int = 0) -> Path:
    """File that holds one tar's part of a row array under one block."""
    inner = {KEY_HASH: "", SCALE: str(block)}.get(array, f"{block}/0")
    return store.joinpath(array, "c", str(shard), inner)
