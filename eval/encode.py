"""A held-out split under its evaluation view, through a student or a teacher."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.places import place
from pipeline.samples import decode_member, decode_text
from pipeline.shards import ShardIndex, read_index, read_shard
from pipeline.views import EVALUATION, ViewMaker, chain_for

BATCH = 64


@dataclass(frozen=True)
class LabelledViews:
    """The labelled samples of a split, decoded, without randomness."""

    index: ShardIndex
    modality: str
    views: list[Any]
    """Canonical views; in memory, because student and teacher both read them."""
    labels: Tensor
    """Int64 [samples], indices into `index.classes`."""


def labelled_views(params: Params, source: str, split: str) -> LabelledViews:
    """Read a source's split.

    Raises:
        UserError: it is not prepared, or has no classes or no labelled sample.
    """
    folder = place(params.shards) / source / split
    index = read_index(folder)
    maker = ViewMaker(chain_for(index.modality, index.modality), params.seed, params.views)
    views, labels = [], []
    for key, members in _samples(folder, index):
        text = decode_text(members)
        if text.labels:
            views.append(maker(decode_member(members, index.modality), key, EVALUATION).array)
            labels.append(text.labels[0])
    if not labels:
        raise UserError(f"{folder}: no labelled sample; zero-shot needs labels and classes")
    return LabelledViews(index, index.modality, views, torch.tensor(labels))


def encode_views(views: Sequence[Any], encode: Callable[[Sequence[Any]], Tensor]) -> Tensor:
    """Features float32 [samples, dim] on the CPU; `encode` takes some views at a time."""
    chunks = [views[start : start + BATCH] for start in range(0, len(views), BATCH)]
    return torch.cat([encode(chunk).float().cpu() for chunk in chunks])


def _samples(folder: Path, index: ShardIndex) -> Iterator[tuple[str, dict[str, bytes]]]:
    for shard in index.shards:
        yield from read_shard(folder, shard)
