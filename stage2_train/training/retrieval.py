"""Fixed samples and texts: how often the nearest text of a sample is one of its own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.config import Params
from pipeline.samples import SampleText, UnreadableSample, decode_member, decode_text
from pipeline.views import EVALUATION, ViewMaker, chain_for
from stage2_train.student import Student
from stage2_train.student.files import BATCH
from stage2_train.student.inputs import student_input, tokenizer_input


@dataclass(frozen=True)
class Retrieval:
    """Samples of one modality, made ready once, beside the texts that are told apart."""

    modality: str
    inputs: tuple[Tensor, ...]
    """Parts of what the student's tokenizer takes, each [samples, ...]."""
    own: list[set[int]]
    """Rows in `texts` of each sample's own."""
    texts: Tensor
    """Float32 [texts, embed_dim], normalised."""

    @torch.no_grad()
    def recall(self, student: Student) -> float:
        """R@1 under the student's evaluation mode; the mode that it was in is restored."""
        training = student.training
        student.eval()
        found = [row for batch in self._batches() for row in self._nearest(student, batch)]
        student.train(training)
        return sum(row in own for row, own in zip(found, self.own, strict=True)) / len(found)

    def _batches(self) -> Iterator[tuple[Tensor, ...]]:
        yield from zip(*(part.split(BATCH) for part in self.inputs))

    def _nearest(self, student: Student, batch: tuple[Tensor, ...]) -> list[int]:
        embeddings = F.normalize(student.encode(self.modality, tokenizer_input(batch)), dim=-1)
        return (embeddings @ self.texts.to(embeddings).T).argmax(-1).tolist()


def evaluation_inputs(
    params: Params, modality: str, samples: Iterable[tuple[str, Mapping[str, bytes]]]
) -> Iterator[tuple[SampleText, tuple[Tensor, ...]]]:
    """Text and student's input of each sample that is readable, under its evaluation view."""
    maker = ViewMaker(chain_for(modality, modality), params.seed, params.views)
    for key, members in samples:
        try:
            text = decode_text(members)
            view = maker(decode_member(members, maker.chain.member), key, EVALUATION)
        except UnreadableSample:
            continue
        yield text, student_input(modality, view.array, params.student)
