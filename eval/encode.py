"""A held-out split through the models that are scored: its features are kept, its views are not."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eval.held_out import MOST_SAMPLES, HeldOutSample, HeldOutSamples, Unreadable, tasks
from pipeline.commands import prepare_command
from pipeline.config import Params
from pipeline.device import default_device
from pipeline.engine import Workers
from pipeline.errors import UserError
from pipeline.locations import path_or_url
from pipeline.progress import ProgressLine
from pipeline.samples import SampleText
from pipeline.shards import INDEX, ShardIndex, read_index
from pipeline.views import ViewMaker, chain_for
from stage1_extract.shared_views import FEW_VIEWS, TarRows
from stage2_train.student.files import BATCH

BATCHES_AHEAD = 2
_MEND = "Lower train.loader_workers, or run again"


@dataclass(frozen=True)
class Encoder:
    """A model that is scored."""

    name: str
    """For messages: `the student`."""
    handed_on: Callable[[Any], Any]
    """Makes of a canonical view what `encode` takes, in the process that makes the view."""
    encode: Callable[[Sequence[Any]], Tensor]
    """Features [views, dim] of some of these."""


@dataclass(frozen=True)
class EncodedSplit:
    """The samples of a split that can be scored, and what each model makes of them."""

    folder: Path
    index: ShardIndex
    by: str | None
    """What they are scored by: `labels` or `captions`; None: neither."""
    features: list[Tensor] = field(default_factory=list)
    """For each model float32 [samples, dim] on the CPU, not normalised."""
    texts: list[SampleText] = field(default_factory=list)
    folds: list[int | None] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    """Key -> why the sample was left out."""
    keys: list[str] = field(default_factory=list)

    @property
    def labels(self) -> Tensor:
        """Int64 [samples], the first label of each."""
        return torch.tensor([text.labels[0] for text in self.texts])


@torch.no_grad()
def encode_split(
    params: Params,
    source: str,
    split: str,
    encoders: Sequence[Encoder],
    *,
    by: str | None = "labels",
    windows: int = 1,
    modality: str | None = None,
) -> EncodedSplit:
    """Encode a source's split under its evaluation views, each made once for all models.

    Unreadable samples are left out, and told on stderr. Of a sound's windows the features are
    averaged. `train.loader_workers` processes make the views, where they are many. `modality` is
    that of what is paired with the source's own, and encoded in its place.

    Raises:
        UserError: the split is not prepared, has no sample with `by` that is readable, or a label
            that is none of its classes; or a process died or hangs.
    """
    folder = path_or_url(params.shards) / source / split
    index = read_index(folder)
    if windows > 1 and (modality or index.modality) != "audio":
        raise UserError(f"{folder}: {index.modality} has no {windows} windows, only sounds have")
    handed_on = tuple(encoder.handed_on for encoder in encoders)
    make = HeldOutSamples(evaluation_views(params, source, modality), windows, by, handed_on)
    workers = params.train.loader_workers if index.samples * windows >= FEW_VIEWS else 0
    found = EncodedSplit(folder, index, by)
    parts: list[list[Tensor]] = [[] for _ in encoders]
    with Workers(make, workers, _MEND) as pool, _spared(workers), ProgressLine("sample") as line:
        line.begin(index.samples)
        for batch in _batches(_kept(pool, found, line), max(1, BATCH // windows)):
            for place, encoder in enumerate(encoders):
                parts[place].append(_features(encoder, [each.views[place] for each in batch]))
    _check_read(found)
    found.features.extend(torch.cat(features) for features in parts)
    return found


def evaluation_views(params: Params, source: str, modality: str | None = None) -> ViewMaker:
    """Makes the views that a source's samples are scored under; of another modality than its own,
    those of what is paired with them.

    Raises:
        UserError: nothing of that modality is paired with such samples.
    """
    own = params.sources[source].modality
    return ViewMaker(chain_for(own, modality or own), params.seed, params.views)


@contextmanager
def _spared(workers: int) -> Iterator[None]:
    """Leave each worker a core: torch's threads spin on it while they wait for each other."""
    threads = torch.get_num_threads()
    if workers:
        torch.set_num_threads(1 if default_device() == "cuda" else max(1, threads - workers))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _kept(
    pool: Workers[TarRows, list[HeldOutSample | Unreadable]],
    found: EncodedSplit,
    line: ProgressLine,
) -> Iterator[HeldOutSample]:
    """The samples that can be scored, noted in `found` as they pass."""
    todo, done = tasks(found.folder, found.index), 0
    for task, samples in zip(todo, pool.map(todo, BATCHES_AHEAD * BATCH // MOST_SAMPLES)):
        for sample in samples:
            if isinstance(sample, Unreadable):
                found.unreadable[sample.key] = sample.why
                continue
            _check_labels(found, sample.text)
            found.keys.append(sample.key)
            found.texts.append(sample.text)
            found.folds.append(sample.fold)
            yield sample
        done += len(task.rows)
        line.update(done, f"{found.index.dataset}/{found.index.split}")


def _batches(samples: Iterator[HeldOutSample], size: int) -> Iterator[list[HeldOutSample]]:
    while batch := list(islice(samples, size)):
        yield batch


def _features(encoder: Encoder, samples: Sequence[Sequence[Any]]) -> Tensor:
    """Float32 [samples, dim] on the CPU: the mean over each one's windows, as ViT-Lens."""
    every = encoder.encode([view for views in samples for view in views]).float().cpu()
    if len(every) == len(samples):
        return every
    counts = [len(views) for views in samples]
    return torch.stack([part.mean(dim=0) for part in every.split(counts)])


def _check_labels(found: EncodedSplit, text: SampleText) -> None:
    classes = len(found.index.classes)
    if found.by == "labels" and max(text.labels) >= classes:
        raise UserError(
            f"{found.folder / INDEX}: expected a class for every label, found {classes} classes "
            f"and the label {max(text.labels)}; run: {prepare_command(found.index.dataset)}"
        )


def _check_read(found: EncodedSplit) -> None:
    folder, index = found.folder, found.index
    if found.unreadable:
        key, why = next(iter(found.unreadable.items()))
        told = (
            f"{folder}: {len(found.unreadable)} of {index.samples} samples are unreadable; the "
            f"first: {key}: {why}"
        )
        if not found.texts:
            mend = f"run: {prepare_command(index.dataset)}"
            raise UserError(f"{told}; none is left to score; {mend}")
        print(f"{told}; they are left out", file=sys.stderr)
    if not found.texts:
        needs = "labels and classes" if found.by == "labels" else "captions"
        raise UserError(f"{folder}: no sample with {found.by}; zero-shot needs {needs}")


def check_finite(features: Tensor, who: str) -> None:
    """Refuse features [samples or texts, dim] that no cosine can be taken of.

    Raises:
        UserError: of `who`, with how many inputs it happened to.
    """
    broken = int((~features.isfinite()).any(dim=-1).sum())
    if broken:
        raise UserError(
            f"{who} gives features that are not finite for {broken} of {len(features)} inputs; "
            "its weights are damaged, or its training diverged: train or download it again"
        )
