"""The cache formats of other projects, plainly re-implemented from their published descriptions.

Each writes tars of features and reads one view back in the stored order, in batches of BATCH rows.
`checked` adds xxh3 over what is read, where the format has a natural unit for it.
"""

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import xxhash
from safetensors import safe_open
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors
from safetensors.numpy import save_file

BATCH = 256
"""Rows of a batch."""
Batches = Iterator[np.ndarray]
"""Float16 [<= BATCH, dim] each."""


class Format(Protocol):
    """A way to keep features on disk."""

    name: str
    slow: bool
    """Whether a few tars are enough to time it."""

    def write(self, folder: Path, tars: Sequence[np.ndarray]) -> None:
        """Keep float16 [rows, views, dim] of each tar."""

    def read(self, folder: Path, view: int) -> Batches:
        """One epoch: the rows of all tars under one view."""


def batches(plane: np.ndarray) -> Batches:
    """Cut a plane [rows, dim] that lies in memory."""
    for start in range(0, len(plane), BATCH):
        yield plane[start : start + BATCH]


def stacked(rows: Iterator[np.ndarray]) -> Batches:
    """Batches of rows that come one by one."""
    waiting: list[np.ndarray] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == BATCH:
            yield np.stack(waiting)
            waiting = []
    if waiting:
        yield np.stack(waiting)


@dataclass
class Safetensors:
    """A safetensors file a tar, with a tensor a view."""

    checked: bool = False
    slow: bool = False
    paths: list[Path] = field(default_factory=list)

    @property
    def name(self) -> str:
        """With its check."""
        return "safetensors shards" + (" + xxh3" if self.checked else "")

    def write(self, folder: Path, tars: Sequence[np.ndarray]) -> None:
        """A tensor a view; the sum over it goes into the file's metadata."""
        for number, tar in enumerate(tars):
            views = {f"view-{v}": np.ascontiguousarray(tar[:, v]) for v in range(tar.shape[1])}
            sums = {name: xxhash.xxh3_128_hexdigest(plane.data) for name, plane in views.items()}
            self.paths.append(folder / f"{number:06}.safetensors")
            save_file(views, self.paths[-1], metadata=sums)

    def read(self, folder: Path, view: int) -> Batches:
        """The view's tensor of every file."""
        for path in self.paths:
            with safe_open(path, "np") as file:
                plane = file.get_tensor(f"view-{view}")
                if self.checked:
                    found = xxhash.xxh3_128_hexdigest(plane.data)
                    assert found == file.metadata()[f"view-{view}"]
            yield from batches(plane)


@dataclass
class NpyPartitions:
    """clip-retrieval: an .npy a partition, here a tar and view."""

    name: str = "npy partitions (clip-retrieval)"
    slow: bool = False
    paths: list[list[Path]] = field(default_factory=list)
    """Of each tar, view by view."""

    def write(self, folder: Path, tars: Sequence[np.ndarray]) -> None:
        """One file a tar and view."""
        for number, tar in enumerate(tars):
            views = range(tar.shape[1])
            self.paths.append([folder / f"img_emb_{view}_{number:06}.npy" for view in views])
            for view in views:
                np.save(self.paths[-1][view], tar[:, view])

    def read(self, folder: Path, view: int) -> Batches:
        """The view's files."""
        for paths in self.paths:
            yield from batches(np.load(paths[view]))


@dataclass
class KeyValueFile:
    """TinyViT: for each epoch a file of keys and one of records (seed, values) of one size."""

    name: str = "key + value files (TinyViT)"
    slow: bool = False

    def write(self, folder: Path, tars: Sequence[np.ndarray]) -> None:
        """Records of a 4-byte seed and the values."""
        for view in range(tars[0].shape[1]):
            with (
                (folder / f"keys-{view}.txt").open("w") as keys,
                (folder / f"values-{view}.bin").open("wb") as values,
            ):
                for number, tar in enumerate(tars):
                    for row, features in enumerate(tar[:, view]):
                        keys.write(f"{number:06}-{row:08}\n")
                        values.write(np.int32(row).tobytes() + features.tobytes())

    def read(self, folder: Path, view: int) -> Batches:
        """Seek each key's record."""
        keys = (folder / f"keys-{view}.txt").read_text().split()
        path = folder / f"values-{view}.bin"
        size = path.stat().st_size // len(keys)
        places = {key: place for place, key in enumerate(keys)}
        with path.open("rb") as file:

            def rows() -> Iterator[np.ndarray]:
                for key in keys:
                    file.seek(places[key] * size)
                    yield np.frombuffer(file.read(size), np.float16, offset=4)

            yield from stacked(rows())


@dataclass
class FilesInTars:
    """A file a sample, with all its views, in a tar beside the data."""

    name: str
    encode: Callable[[np.ndarray], bytes]
    decode: Callable[[bytes], Any]
    """Gives float16 [views, dim]."""
    slow: bool = True

    def write(self, folder: Path, tars: Sequence[np.ndarray]) -> None:
        """One tar a tar."""
        for number, tar in enumerate(tars):
            with tarfile.open(folder / f"{number:06}.tar", "w") as file:
                for row, features in enumerate(tar):
                    data = self.encode(features)
                    info = tarfile.TarInfo(f"{number:06}-{row:08}.features")
                    info.size = len(data)
                    file.addfile(info, io.BytesIO(data))

    def read(self, folder: Path, view: int) -> Batches:
        """Stream the tars; all views of a sample come with it."""

        def rows() -> Iterator[np.ndarray]:
            for path in sorted(folder.glob("*.tar")):
                with tarfile.open(path, "r|") as file:
                    for entry in file:
                        member = file.extractfile(entry)
                        assert member is not None
                        yield np.asarray(self.decode(member.read())[view])

        yield from stacked(rows())


@dataclass
class TorchFiles:
    """torchdistill: a .pt file a sample."""

    name: str = "a .pt file a sample (torchdistill)"
    slow: bool = True

    def write(self, folder: Path, tars: Sequence[np.ndarray]) -> None:
        """A folder a tar."""
        for number, tar in enumerate(tars):
            place = folder / f"{number:06}"
            place.mkdir()
            for row, features in enumerate(tar):
                torch.save(torch.from_numpy(features.copy()), place / f"{row:08}.pt")

    def read(self, folder: Path, view: int) -> Batches:
        """Open file after file."""
        paths = sorted(folder.rglob("*.pt"))
        yield from stacked(torch.load(path, weights_only=True)[view].numpy() for path in paths)


@dataclass
class Memmap:
    """One raw array of everything, rows taken in random order, nothing checked."""

    name: str = "memmap, random rows"
    slow: bool = False

    def write(self, folder: Path, tars: Sequence[np.ndarray]) -> None:
        """An .npy, so that its shape is known."""
        rows = sum(len(tar) for tar in tars)
        shape = (rows, *tars[0].shape[1:])
        file = np.lib.format.open_memmap(folder / "all.npy", "w+", np.float16, shape)
        np.concatenate(tars, out=file)
        file.flush()

    def read(self, folder: Path, view: int) -> Batches:
        """Batches of random rows."""
        file = np.load(folder / "all.npy", mmap_mode="r")
        order = np.random.default_rng(0).permutation(len(file))
        for start in range(0, len(order), BATCH):
            yield file[order[start : start + BATCH], view]


def _npz(features: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, features=features)
    return buffer.getvalue()


def _pth_gz(features: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    torch.save({"features": torch.from_numpy(features.copy())}, buffer)
    return gzip.compress(buffer.getvalue(), compresslevel=6)


def _from_pth_gz(data: bytes) -> Any:
    loaded = torch.load(io.BytesIO(gzip.decompress(data)), weights_only=True)
    return loaded["features"].numpy()


PEERS: list[Format] = [
    Safetensors(),
    Safetensors(checked=True),
    NpyPartitions(),
    KeyValueFile(),
    Memmap(),
    FilesInTars(
        "safetensors in tars (Theia)",
        lambda features: save_safetensors({"features": features}),
        lambda data: load_safetensors(data)["features"],
    ),
    FilesInTars("npz in tars", _npz, lambda data: np.load(io.BytesIO(data))["features"]),
    FilesInTars("pth.gz in tars (MobileCLIP-DR)", _pth_gz, _from_pth_gz),
    TorchFiles(),
]
