"""A look at what a student in training has learned: retrieval on a fixed batch of each source."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.config import Params
from pipeline.samples import UnreadableSample, decode_member, decode_text
from pipeline.shards import ShardIndex, read_shard
from pipeline.views import EVALUATION, ViewMaker, chain_for
from stage2_train.stream.targets import source_folder
from stage2_train.stream.texts import TextTable
from stage2_train.student import Student
from stage2_train.student.inputs import stacked, student_input, tokenizer_input

SAMPLES = 64
"""Of each source: the first readable ones of its first tar, under the evaluation view."""


@dataclass(frozen=True)
class _Probed:
    """One source's samples."""

    modality: str
    inputs: tuple[Tensor, ...]
    rows: list[tuple[int, ...]]
    """Rows of each sample's label texts in the TextTable."""
    candidates: Tensor
    """Int64, the distinct ones among them."""


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
        self._texts = texts
        folders = {source: source_folder(params, source, split) for source in indexes}
        read = {s: _read(params, s, folders[s], index, texts) for s, index in indexes.items()}
        self._sources = {source: probed for source, probed in read.items() if probed.rows}

    @torch.no_grad()
    def recalls(self, student: Student) -> dict[str, float]:
        """Source -> R@1; the student is left in evaluation mode."""
        student.eval()
        return {source: self._recall(student, probed) for source, probed in self._sources.items()}

    def _recall(self, student: Student, probed: _Probed) -> float:
        batch = tokenizer_input(probed.inputs)
        embeddings = F.normalize(student.encode(probed.modality, batch), dim=-1)
        texts = F.normalize(self._texts.features[probed.candidates], dim=-1)
        nearest = (embeddings @ texts.to(embeddings).T).argmax(-1).cpu()
        found = probed.candidates[nearest].tolist()
        return sum(row in own for row, own in zip(found, probed.rows)) / len(found)


def _read(
    params: Params, source: str, folder: Path, index: ShardIndex, texts: TextTable
) -> _Probed:
    maker = ViewMaker(chain_for(index.modality, index.modality), params.seed, params.views)
    inputs, rows = [], []
    for key, members in read_shard(folder, index.shards[0]):
        try:
            view = maker(decode_member(members, maker.chain.member), key, EVALUATION)
            rows.append(texts.rows(source, decode_text(members)))
        except UnreadableSample:
            continue
        inputs.append(student_input(index.modality, view.array, params.student))
        if len(inputs) == SAMPLES:
            break
    candidates = torch.tensor(sorted({row for own in rows for row in own}))
    return _Probed(index.modality, stacked(inputs), rows, candidates)
