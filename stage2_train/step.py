"""One training step's loss: the objectives put together over the mini-batches of all modalities."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pipeline.config.train import ObjectiveWeights
from pipeline.errors import UserError
from pipeline.weights import file_sha256
from stage2_train.inputs import tokenizer_input
from stage2_train.objectives import (
    feature_distillation,
    similarity_distillation,
    soft_binding,
)
from stage2_train.projectors import FeatureProjectors
from stage2_train.stream import MiniBatch
from stage2_train.student import Student, StudentOutput
from stage2_train.targets import TeacherTargets
from stage2_train.texts import TextTable

_SEEN_BY_CLIP = ("image", "video")
"""Modalities whose own views CLIP encodes, a clip as the mean of its frames; of the others its
features are those of a paired image, to be bound to and not to be copied."""


@dataclass(frozen=True)
class StepLoss:
    """What a step is optimised for, and what is logged of it."""

    total: Tensor
    parts: dict[str, Tensor]
    """`<part>/<source or extraction>` -> unweighted scalar, detached."""
    expert_use: dict[str, Tensor]
    """Modality -> share of each expert it sees."""


@dataclass(frozen=True)
class Encoded:
    """A mini-batch and what the student made of it."""

    batch: MiniBatch
    output: StudentOutput


class StepObjective(nn.Module):
    """The student, its projectors and every objective as one module of mini-batches -> loss.

    Args:
        student: encodes every modality.
        projectors: one head per distilled teacher.
        texts: label texts of the run.
        targets: the opened stores.
        anchor: name of the teacher whose image features are anchors.
        weights: of the loss parts.

    Raises:
        UserError: the anchor teacher is not the student's own CLIP.
    """

    texts: Tensor
    """The TextTable's features, on the student's device."""

    def __init__(
        self,
        student: Student,
        projectors: FeatureProjectors,
        texts: TextTable,
        targets: Iterable[TeacherTargets],
        anchor: str,
        weights: ObjectiveWeights,
    ) -> None:
        super().__init__()
        self.student, self.projectors, self.weights = student, projectors, weights
        self.register_buffer("texts", texts.features, persistent=False)
        self._anchors = {t.name for t in targets if t.teacher["name"] == anchor}
        self._teachers = {t.name: t.teacher["name"] for t in targets if t.teacher["name"] != anchor}
        self._first_class = texts.first_class
        self._class_texts = {t.name: t.store.text_features() for t in targets}
        for target in targets:
            if target.name in self._anchors:
                _require_own_clip(student, target)

    def forward(self, batches: list[MiniBatch]) -> StepLoss:
        """The weighted sum of all parts over one step's mini-batches."""
        encoded = [Encoded(b, self.student(b.modality, tokenizer_input(b.inputs))) for b in batches]
        parts: dict[str, Tensor] = {}
        for item in encoded:
            source = item.batch.source
            parts[f"text_binding/{source}"] = self._text_binding(item, encoded)
            if item.batch.modality != "image":
                parts[f"image_binding/{source}"] = self._image_binding(item, encoded)
            parts[f"balance/{source}"] = item.output.balance_loss
            parts |= self._distillation(item)
        total = sum(
            getattr(self.weights, name.split("/")[0]) * part for name, part in parts.items()
        )
        assert isinstance(total, Tensor)
        use = {item.batch.modality: item.output.expert_use.detach() for item in encoded}
        return StepLoss(total, {name: part.detach() for name, part in parts.items()}, use)

    def _text_binding(self, item: Encoded, encoded: list[Encoded]) -> Tensor:
        """Bind a mini-batch to all label texts of the step."""
        rows = torch.cat([other.batch.text for other in encoded]).unique()
        return self._bind(item, self.texts[rows], self.texts[rows])

    def _image_binding(self, item: Encoded, encoded: list[Encoded]) -> Tensor:
        """Bind a mini-batch to its paired images' cached features and to the step's images."""
        own_texts = self.texts[item.batch.text]
        anchors, texts = [], []
        for name in self._anchors & item.batch.targets.keys():
            paired = item.batch.targets[name]
            there = _valid(paired)
            anchors.append(paired[there])
            texts.append(own_texts[there])
        for other in encoded:
            if other.batch.modality == "image":
                anchors.append(other.output.embedding)
                texts.append(self.texts[other.batch.text])
        if not anchors:
            return item.output.embedding.sum() * 0.0
        return self._bind(item, torch.cat(anchors), torch.cat(texts))

    def _bind(self, item: Encoded, anchors: Tensor, anchor_texts: Tensor) -> Tensor:
        return soft_binding(
            item.output.embedding,
            anchors,
            self.texts[item.batch.text],
            anchor_texts,
            tau=self.weights.binding_temperature,
            logit_scale=self.student.logit_scale,
        )

    def _distillation(self, item: Encoded) -> dict[str, Tensor]:
        """Follow every cached teacher of the source."""
        parts: dict[str, Tensor] = {}
        for name, target in item.batch.targets.items():
            valid = _valid(target)
            if name in self._teachers:
                projected = self.projectors(self._teachers[name], item.output.hidden)
                parts[f"teacher_feature/{name}"] = feature_distillation(
                    projected, target, valid=valid
                )
                parts |= self._similarity(name, item, valid)
            elif item.batch.modality in _SEEN_BY_CLIP:
                parts[f"anchor/{name}"] = feature_distillation(
                    item.output.embedding, target, valid=valid
                )
        return parts

    def _similarity(self, name: str, item: Encoded, valid: Tensor) -> dict[str, Tensor]:
        """Answer zero-shot as the teacher does, where it can."""
        classes = self._class_texts[name]
        if classes is None:
            return {}
        first = self._first_class[item.batch.source]
        loss = similarity_distillation(
            item.output.embedding,
            item.batch.targets[name],
            self.texts[first : first + len(classes)],
            torch.from_numpy(classes).to(self.texts.device),
            temperature=self.weights.similarity_temperature,
            valid=valid,
        )
        return {f"teacher_similarity/{name}": loss}


def _valid(target: Tensor) -> Tensor:
    return ~target.isnan().any(dim=-1)


def _require_own_clip(student: Student, target: TeacherTargets) -> None:
    mine = file_sha256(student.openclip.weights)
    theirs = target.teacher["weights_sha256"]
    if mine != theirs:
        raise UserError(
            f"train.anchor: {target.store.path} holds features of CLIP weights {theirs[:12]}, the "
            f"student's own CLIP is {mine[:12]}; anchors must live in the student's space: give "
            f"`student` and `teachers.{target.teacher['name']}` the same arch and weights"
        )
