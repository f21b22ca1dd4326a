"""One picture of a sample: what is stored, and its views with their digests."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import Params
from pipeline.drawing import draw_rows
from pipeline.errors import UnreadableSample, UserError
from pipeline.locations import path_or_url
from pipeline.samples import decode_member, decode_text
from pipeline.shards import ShardIndex, read_index, read_shard
from pipeline.unknown_name import unknown_name
from pipeline.views import EVALUATION, View, ViewMaker, chains_of


@dataclass(frozen=True)
class FoundSample:
    """A sample and where it lies."""

    key: str
    members: dict[str, bytes]
    location: str
    """Split and tar."""
    index: ShardIndex


@dataclass(frozen=True)
class Row:
    """One member of a sample under one chain."""

    title: str
    stored: Any
    """The decoded member."""
    views: dict[int, View]
    """By number; `EVALUATION` first."""


def show(params: Params, source: str, key: str, out: Path) -> Path:
    """Write the picture of one sample and return its path.

    Raises:
        UserError: no such key, an unreadable sample, or a path that cannot be written.
    """
    found = find_sample(params, source, key)
    rows = sample_rows(params, params.sources[source].modality, found)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draw_rows(rows, f"{source}   {found.location}   {key}   {_words(found)}", out)
    except (OSError, ValueError) as error:
        raise UserError(f"{out}: cannot be written ({error}); name a PNG file with --out") from None
    return out


def find_sample(params: Params, source: str, key: str) -> FoundSample:
    """Look a key up in every prepared split of a source, tar by tar.

    Raises:
        UserError: a split is not prepared, or none has the key; the nearest ones are named.
    """
    known: list[str] = []
    for found in _samples(params, source):
        if found.key == key:
            return found
        known.append(found.key)
    raise unknown_name(f"key of {source}", key, known)


def keys(params: Params, source: str) -> Iterator[str]:
    """Keys of a source, split by split and tar by tar.

    Raises:
        UserError: a split is not prepared.
    """
    return (found.key for found in _samples(params, source))


def _samples(params: Params, source: str) -> Iterator[FoundSample]:
    for split in params.sources[source].splits:
        folder = path_or_url(params.shards) / source / split
        index = read_index(folder)
        for shard in index.shards:
            for key, members in read_shard(folder, shard):
                yield FoundSample(key, members, f"{split}/{shard.name}", index)


def sample_rows(params: Params, modality: str, found: FoundSample) -> list[Row]:
    """The sample's own chain and those of its paired members, as far as it has them.

    Raises:
        UserError: the member that gives the source its modality is missing or unreadable.
    """
    rows: dict[str, Row] = {}
    for model, chain in chains_of(modality).items():
        try:
            stored = decode_member(found.members, chain.member)
            maker = ViewMaker(chain, params.seed, params.views)
            numbers = [EVALUATION, *range(params.views.count)]
            views = dict(zip(numbers, maker.views(stored, found.key, numbers)))
        except UnreadableSample as error:
            if model == modality:
                raise UserError(f"{found.location}: sample '{found.key}': {error}") from None
            continue
        paired = "" if chain.member == modality else f" paired with {modality}"
        rows.setdefault(chain.description, Row(f"{chain.member}{paired}", stored, views))
    return list(rows.values())


def _words(found: FoundSample) -> str:
    """Its labels, or where it has none its first caption."""
    try:
        text = decode_text(found.members)
    except UnreadableSample:
        return ""
    names = dict(enumerate(found.index.classes))
    labels = [names.get(label, f"label {label}, of no class") for label in text.labels]
    return f"({', '.join(labels or text.captions[:1])})"
