"""What was run: data, feature stores and student, with their sizes and fingerprints."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path

from eval.report.curves import Record
from eval.report.missing import Missing, found
from pipeline.config import Params
from pipeline.locations import path_or_url
from pipeline.shards import read_index
from pipeline.store.layout import Layout, extract_command, store_path
from pipeline.store.marker import ShardMarker, blocks_there, read_marker
from pipeline.store.provenance import Provenance
from pipeline.timing import read_timing, split_timing, store_timing
from pipeline.weights import file_sha256
from stage2_train.student.portable import TENSORS, stored_card

LIBRARIES = ("torch", "torchvision", "torchaudio", "open_clip_torch", "numpy", "zarr", "av")


@dataclass(frozen=True)
class Split:
    """A prepared split of a source."""

    source: str
    split: str
    modality: str
    samples: int
    tars: int
    bytes: int
    licence: str
    seconds: float | None
    """That its preparation took; None where nothing recorded them."""


@dataclass(frozen=True)
class Store:
    """A feature store."""

    teacher: str
    source: str
    fingerprint: str
    licence: str
    rows: int
    views: int
    dim: int
    dtype: str
    bytes: int
    versions: dict[str, str]
    """Of the libraries that computed it."""
    seconds: float | None
    """That its extraction took; None where nothing recorded them."""


@dataclass(frozen=True)
class Training:
    """The student and the run that made it."""

    recipe: str
    """Fingerprint of what was trained; empty where its curves do not say it."""
    steps: int
    seconds: float
    """About: the curves tell the pace of some steps."""
    sha256: str
    """Of the student's tensors."""
    bytes: int
    """Of its folder."""
    arch: str
    modalities: tuple[str, ...]


def splits(params: Params) -> dict[str, Split | Missing]:
    """Every split of every source, by `source/split`."""
    pairs = [(name, split) for name, each in params.sources.items() for split in each.splits]
    return {"/".join(pair): found(partial(_split, params, *pair)) for pair in pairs}


def _split(params: Params, source: str, split: str) -> Split:
    folder = path_or_url(params.shards) / source / split
    index, timing = read_index(folder), read_timing(split_timing(folder))
    total = sum(shard.bytes for shard in index.shards)
    tars = len(index.shards)
    return Split(
        source, split, index.modality, index.samples, tars, total, index.licence,
        seconds=timing.seconds if timing else None,
    )  # fmt: skip


def stores(params: Params) -> dict[str, Store | Missing]:
    """Every feature store, by its name under `extract`."""
    return {
        name: found(partial(_store, params, each.teacher, each.source))
        for name, each in params.extract.items()
    }


def _store(params: Params, teacher: str, source: str) -> Store:
    path = store_path(params.cache, teacher, source, "train")
    provenance = Provenance.read(path, extract_command(path))
    layout, markers = Layout.of(provenance, path), list(_markers(params, path, source))
    notes, timing = provenance.notes, read_timing(store_timing(path))
    return Store(
        teacher, source, provenance.fingerprint, str(notes.get("licence", "")),
        rows=sum(marker.rows for marker in markers if marker.block == 0),
        views=(1 + max((marker.block for marker in markers), default=-1)) * layout.views,
        dim=layout.dim, dtype=layout.dtype,
        bytes=sum(sum(marker.sizes.values()) for marker in markers),
        versions={name: str(number) for name, number in notes.get("versions", {}).items()},
        seconds=timing.seconds if timing and timing.of == provenance.fingerprint else None,
    )  # fmt: skip


def _markers(params: Params, path: Path, source: str) -> Iterator[ShardMarker]:
    index = read_index(path_or_url(params.shards) / source / "train")
    for shard, block in product(index.shards, range(blocks_there(path))):
        marker = read_marker(path, shard.name, block)
        if marker is not None:
            yield marker


def training(params: Params, ckpt: Path, curves: list[Record]) -> Training:
    """The student of a folder; `curves` may be empty.

    Raises:
        UserError: there is none.
    """
    card, last = stored_card(ckpt), curves[-1] if curves else {}
    steps = int(last.get("step", 0))
    paces = [r["samples_per_second"] for r in curves if r.get("samples_per_second", 0) > 0]
    each = sum(params.train.batch_size / pace for pace in paces) / max(len(paces), 1)
    return Training(
        recipe=str(last.get("recipe", "")), steps=steps, seconds=steps * each,
        sha256=file_sha256(ckpt / TENSORS),
        bytes=sum(file.stat().st_size for file in ckpt.rglob("*") if file.is_file()),
        arch=card.config.arch, modalities=card.config.modalities,
    )  # fmt: skip


def versions() -> dict[str, str]:
    """Of the libraries that the page was made with."""
    return {name: version(name) for name in LIBRARIES}
