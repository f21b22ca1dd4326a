"""Shards and feature stores: what the stages have made already, and whether it is whole."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.commands import extract_command, prepare_command
from pipeline.config import Params, SourceConfig
from pipeline.doctor.finding import Finding, State, worst
from pipeline.errors import UserError
from pipeline.locations import path_or_url
from pipeline.preparation.identity import recipe
from pipeline.shards import INDEX, ShardIndex, read_index, remake_command
from pipeline.store import Provenance, store_path
from pipeline.store.drift import refuse_drifted
from pipeline.store.layout import Layout
from pipeline.store.marker import files_are_whole, read_marker


def shards(params: Params) -> Iterator[Finding]:
    """A finding for each source: the tars by number and size; their content is not read."""
    for name, source in params.sources.items():
        splits = [_split(params, name, source, split) for split in source.splits]
        state = worst(state for state, _ in splits)
        texts = [text for _, text in splits]
        if state == "to make":
            texts.append(f"run: {prepare_command(name)}")
        yield Finding("shards", name, state, "; ".join(texts))


def stores(params: Params) -> Iterator[Finding]:
    """A finding for each extraction: its tars by markers and sizes."""
    for name, pair in params.extract.items():
        path = store_path(params.cache, pair.teacher, pair.source, "train")
        make = f"run: {extract_command(pair.teacher, pair.source)}"
        folder = path_or_url(params.shards) / pair.source / "train"
        if not path.is_dir() or not (folder / INDEX).exists():
            yield Finding("store", name, "to make", make)
            continue
        try:
            done, tars = _complete(path, read_index(folder), params.views.count, make)
        except UserError as error:
            yield Finding("store", name, "wrong", str(error))
            continue
        text = f"{path}: {done:,} of {tars:,} tars"
        whole = done == tars
        yield Finding(
            "store", name, "there" if whole else "to make", text if whole else f"{text}; {make}"
        )


def _split(params: Params, name: str, source: SourceConfig, split: str) -> tuple[State, str]:
    folder = path_or_url(params.shards) / name / split
    if not (folder / INDEX).exists():
        return "to make", f"{split} not made"
    try:
        index = read_index(folder)
    except UserError as error:
        return "wrong", str(error)
    if index.recipe != recipe(source, params.seed) or index.modality != source.modality:
        return "to make", f"{split} of another recipe"
    for shard in index.shards:
        size = _size(folder / shard.name)
        if size != shard.bytes:
            expected = f"expected {shard.bytes:,} bytes, found {size:,}"
            return "wrong", f"{folder / shard.name}: {expected}; {remake_command(folder)}"
    return "there", f"{split} {index.samples:,} in {len(index.shards):,} tars"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _complete(path: Path, index: ShardIndex, views: int, mend: str) -> tuple[int, int]:
    """Tars whose every view is there, and all tars."""
    layout = Layout.of(Provenance.read(path, mend), path)
    refuse_drifted(path)
    done = 0
    for number, shard in enumerate(index.shards):
        markers = [read_marker(path, shard.name, block) for block in range(layout.blocks(views))]
        done += all(
            marker is not None
            and marker.tar_xxh3 == shard.xxh3
            and files_are_whole(path, layout, number, marker)
            for marker in markers
        )
    return done, len(index.shards)
