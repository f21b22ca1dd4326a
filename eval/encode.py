"""A held-out split under its evaluation view, through a student or a teacher."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.commands import prepare_command
from pipeline.config import Params
from pipeline.errors import UnreadableSample, UserError
from pipeline.locations import path_or_url
from pipeline.samples import decode_member, decode_text
from pipeline.shards import INDEX, ShardIndex, read_index, read_shard
from pipeline.views import EVALUATION, ViewMaker, chain_for
from stage2_train.student.files import BATCH


@dataclass(frozen=True)
class LabelledViews:
    """The labelled samples of a split, decoded, without randomness."""

    index: ShardIndex
    modality: str
    views: list[Any]
    """Canonical views; in memory, because student and teacher both read them."""
    labels: Tensor
    """Int64 [samples], indices into `index.classes`."""
    unreadable: dict[str, str]
    """Key -> why the sample was left out."""


def labelled_views(params: Params, source: str, split: str) -> LabelledViews:
    """Read a source's split; unreadable samples are left out, and told on stderr.

    Raises:
        UserError: it is not prepared, has no labelled sample that is readable, or a label that is
            none of its classes.
    """
    folder = path_or_url(params.shards) / source / split
    index = read_index(folder)
    maker = ViewMaker(chain_for(index.modality, index.modality), params.seed, params.views)
    views, labels = list[Any](), list[int]()
    unreadable: dict[str, str] = {}
    for key, members in _samples(folder, index):
        try:
            text = decode_text(members)
            if text.labels:
                views.append(maker(decode_member(members, index.modality), key, EVALUATION).array)
                labels.append(text.labels[0])
        except UnreadableSample as error:
            unreadable[key] = str(error)
    _check_read(folder, index, labels, unreadable)
    return LabelledViews(index, index.modality, views, torch.tensor(labels), unreadable)


def _check_read(
    folder: Path, index: ShardIndex, labels: list[int], unreadable: dict[str, str]
) -> None:
    mend = f"run: {prepare_command(index.dataset)}"
    if unreadable:
        key, why = next(iter(unreadable.items()))
        told = (
            f"{folder}: {len(unreadable)} of {index.samples} samples are unreadable; the first: "
            f"{key}: {why}"
        )
        if not labels:
            raise UserError(f"{told}; none is left to score; {mend}")
        print(f"{told}; they are left out", file=sys.stderr)
    if not labels:
        raise UserError(f"{folder}: no labelled sample; zero-shot needs labels and classes")
    if max(labels) >= len(index.classes):
        raise UserError(
            f"{folder / INDEX}: expected a class for every label, found {len(index.classes)} "
            f"classes and the label {max(labels)}; {mend}"
        )


def encode_views(views: Sequence[Any], encode: Callable[[Sequence[Any]], Tensor]) -> Tensor:
    """Features float32 [samples, dim] on the CPU; `encode` takes some views at a time."""
    chunks = [views[start : start + BATCH] for start in range(0, len(views), BATCH)]
    return torch.cat([encode(chunk).float().cpu() for chunk in chunks])


def check_finite(features: Tensor, who: str) -> None:
    """Refuse features [samples, dim] that no cosine can be taken of.

    Raises:
        UserError: of `who`, with how many samples it happened to.
    """
    broken = int((~features.isfinite()).any(dim=-1).sum())
    if broken:
        raise UserError(
            f"{who} gives features that are not finite for {broken} of {len(features)} samples; "
            "its weights are damaged, or its training diverged: train or download it again"
        )


def _samples(folder: Path, index: ShardIndex) -> Iterator[tuple[str, dict[str, bytes]]]:
    for shard in index.shards:
        yield from read_shard(folder, shard)
