"""Zero-shot scores of a student in training on a fixed part of every benchmark.

They are quick looks, not `eval.zeroshot`: one window of a sound, the source's own prompts, no
merged classes, and of a sample with several labels whether the nearest class is one of them.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from torch import Tensor

from pipeline.commands import prepare_command
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.locations import path_or_url
from pipeline.prompts import class_embeddings, templates, text_embeddings
from pipeline.rows import read_rows
from pipeline.samples import SampleText
from pipeline.shards import INDEX, ShardIndex, read_index
from stage2_train.student import Student
from stage2_train.student.inputs import stacked
from stage2_train.training.assembly import Assembly
from stage2_train.training.retrieval import Retrieval, evaluation_inputs

SAMPLES = 256
"""Of each benchmark: spaced evenly over its split, so the same ones wherever the shards are the
same. Their inputs stay in memory: 150 kB of an image of 224 pixels, 1.2 MB of a clip of 8."""


class HeldOut:
    """Top-1 of every benchmark with classes, of the others R@1 of a sample's own captions.

    Raises:
        UserError: a split is not prepared, or has nothing to score.
    """

    def __init__(self, params: Params, parts: Assembly) -> None:
        self._benchmarks = {name: _read(params, name, parts) for name in params.benchmarks}

    @property
    def samples(self) -> dict[str, int]:
        """Benchmark -> how many of its samples are scored: those readable and with a text."""
        return {name: len(scored.own) for name, scored in self._benchmarks.items()}

    def scores(self, student: Student) -> dict[str, float]:
        """Benchmark -> score, a fraction of 1."""
        return {name: scored.recall(student) for name, scored in self._benchmarks.items()}


def _read(params: Params, name: str, parts: Assembly) -> Retrieval:
    benchmark = params.benchmarks[name]
    folder = path_or_url(params.shards) / benchmark.source / benchmark.split
    index = read_index(folder)
    by = "captions" if benchmark.metric == "retrieval" or not index.classes else "labels"
    readable = evaluation_inputs(params, index.modality, _spread(folder, index))
    kept = [(text, made) for text, made in readable if getattr(text, by)]
    if not kept:
        raise UserError(
            f"{folder}: expected a readable sample with {by} among {SAMPLES} to score while "
            f"training, found none; leave benchmark '{name}' out, or set train.score_every to null"
        )
    said, inputs = [text for text, _ in kept], stacked(made for _, made in kept)
    if by == "captions":
        return Retrieval(index.modality, inputs, *_captions(said, parts.student))
    _check_labels(folder, index, said)
    own = [set(text.labels) for text in said]
    return Retrieval(index.modality, inputs, own, _classes(params, benchmark.source, index, parts))


def _spread(folder: Path, index: ShardIndex) -> Iterator[tuple[str, dict[str, bytes]]]:
    """`SAMPLES` of a split, spaced evenly."""
    wanted, first = min(SAMPLES, index.samples), 0
    rows = [number * index.samples // wanted for number in range(wanted)]
    for shard in index.shards:
        own = [row - first for row in rows if first <= row < first + shard.count]
        first += shard.count
        if own:
            yield from read_rows(folder, shard, own)


def _captions(said: list[SampleText], student: Student) -> tuple[list[set[int]], Tensor]:
    """Rows of each sample's captions among those of all, and their embeddings."""
    captions = sorted(set(chain.from_iterable(text.captions for text in said)))
    row = {caption: number for number, caption in enumerate(captions)}
    own = [{row[caption] for caption in text.captions} for text in said]
    return own, text_embeddings(student.encode_text, captions)


def _classes(params: Params, source: str, index: ShardIndex, parts: Assembly) -> Tensor:
    """Class embeddings; those that the training has already, where it has them."""
    trained = parts.indexes.get(source)
    if trained is not None and trained.words == index.words:
        return parts.texts.classes(source)
    prompts = templates(params.sources[source].prompts)
    return class_embeddings(parts.student.encode_text, index.words, prompts)


def _check_labels(folder: Path, index: ShardIndex, said: list[SampleText]) -> None:
    classes, highest = len(index.classes), max(max(text.labels) for text in said)
    if highest >= classes:
        raise UserError(
            f"{folder / INDEX}: expected a class for every label, found {classes} classes and the "
            f"label {highest}; run: {prepare_command(index.dataset)}"
        )
