"""A look at what a student in training has learned: retrieval on a fixed batch of each source."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from pipeline.config import Params
from pipeline.shards import ShardIndex, read_shard
from stage2_train.stream.targets import source_folder
from stage2_train.stream.texts import TextTable
from stage2_train.student import Student
from stage2_train.student.inputs import stacked
from stage2_train.training.retrieval import Retrieval, evaluation_inputs

SAMPLES = 64
"""Of each source: the first readable ones of its first tar, under the evaluation view."""


class Probe:
    """Retrieval R@1 of every source: how often the nearest of its label texts is the sample's own.

    The samples are of the training split: it shows that training goes on, not how good it is.
    """

    def __init__(
        self,
        params: Params,
        indexes: Mapping[str, ShardIndex],
        texts: TextTable,
        split: str = "train",
    ) -> None:
        folders = {source: source_folder(params, source, split) for source in indexes}
        read = {s: _read(params, s, folders[s], index, texts) for s, index in indexes.items()}
        self._sources = {source: probed for source, probed in read.items() if probed}

    def recalls(self, student: Student) -> dict[str, float]:
        """Source -> R@1."""
        return {source: probed.recall(student) for source, probed in self._sources.items()}


def _read(
    params: Params, source: str, folder: Path, index: ShardIndex, texts: TextTable
) -> Retrieval | None:
    samples = read_shard(folder, index.shards[0])
    readable = list(islice(evaluation_inputs(params, index.modality, samples), SAMPLES))
    if not readable:
        return None
    rows = [texts.rows(source, text) for text, _ in readable]
    candidates = sorted({row for own in rows for row in own})
    place = {row: number for number, row in enumerate(candidates)}
    return Retrieval(
        index.modality,
        stacked(made for _, made in readable),
        [{place[row] for row in own} for own in rows],
        texts.features[candidates],
    )
