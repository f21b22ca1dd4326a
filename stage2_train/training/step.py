"""One training step's loss: the objectives put together over the mini-batches of all modalities."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.config.train import ObjectiveWeights
from pipeline.errors import UserError
from pipeline.identity import differences
from stage2_train.stream.join import MiniBatch
from stage2_train.stream.order import BatchSplit
from stage2_train.stream.targets import TeacherTargets
from stage2_train.stream.texts import TextTable
from stage2_train.student import Student
from stage2_train.student.inputs import tokenizer_input
from stage2_train.student.projectors import FeatureProjectors
from stage2_train.training.global_batch import Encoded, GlobalBatch, exchange, valid_rows
from stage2_train.training.objectives import (
    GatheredFeatures,
    LabelledFeatures,
    feature_distillation,
    load_balance,
    similarity_distillation,
    soft_binding,
)
from stage2_train.training.ranks import Ranks

_SEEN_BY_CLIP = ("image", "video")
"""Modalities whose own views CLIP encodes, a clip as the mean of its frames; of the others its
features are those of a paired image, to be bound to and not to be copied."""


@dataclass(frozen=True)
class StepLoss:
    """What a step is optimised for, and what is logged of it.

    Total and parts are this rank's shares: their sums over the ranks are the whole batch's loss.
    """

    total: Tensor
    parts: dict[str, Tensor]
    """`<part>/<source or extraction>` -> unweighted scalar, detached."""
    expert_use: dict[str, Tensor]
    """Source -> share of each expert that it sees, over all ranks."""


class Objective(nn.Module):
    """What a training optimises: a module of mini-batches -> `StepLoss`."""

    student: Student
    projectors: FeatureProjectors | None
    """Heads that only training needs, where there are some."""
    texts: Tensor
    """Float32 [texts, embed_dim], the TextTable's features, on the student's device."""
    recordable = False
    """Whether a pass is the same work whatever its data, without waiting for the device."""

    def save(self, folder: Path) -> None:
        """Write what was trained.

        Raises:
            OSError: it cannot be written; what lies there is as it was.
        """
        self.student.save(folder, self.projectors)


class StepObjective(Objective):
    """The student, its projectors and every objective as one module of mini-batches -> loss.

    Every rank sees every source in every step, so no parameter is ever without a gradient.

    Args:
        student: encodes every modality.
        projectors: one head per distilled teacher.
        texts: label texts of the run.
        targets: source -> its opened stores.
        splits: source -> how the ranks share its mini-batch.
        anchor: name of the teacher whose image features are anchors.
        weights: of the loss parts.

    Raises:
        UserError: the anchor teacher is not the student's own CLIP.
    """

    projectors: FeatureProjectors
    recordable = True

    def __init__(
        self,
        student: Student,
        projectors: FeatureProjectors,
        texts: TextTable,
        targets: Mapping[str, list[TeacherTargets]],
        splits: Mapping[str, BatchSplit],
        anchor: str,
        weights: ObjectiveWeights,
    ) -> None:
        super().__init__()
        self.student, self.projectors, self.weights = student, projectors, weights
        self.register_buffer("texts", texts.features, persistent=False)
        self.encode = student.forward
        self._splits, self._ranks = splits, Ranks.current()
        stores = [(source, store) for source in targets for store in targets[source]]
        anchors = [(source, store) for source, store in stores if store.teacher["name"] == anchor]
        self._teachers = {
            s.name: s.teacher["name"] for _, s in stores if s.teacher["name"] != anchor
        }
        self._first_class = texts.first_class
        self._class_texts = {
            store.name: _on_device(store.store.text_features(), texts.features.device)
            for _, store in stores
        }
        self._means = {
            store.name: _on_device(store.mean(), texts.features.device)
            for _, store in stores
            if store.name in self._teachers
        }
        for _, store in anchors:
            _require_own_clip(student, store)
        self._paired = [
            (source, store.name)
            for source, store in anchors
            if store.store.index.modality != "image"
        ]

    def forward(self, batches: list[MiniBatch]) -> StepLoss:
        """The weighted sum of all parts over one step's mini-batches."""
        encoded = [Encoded(b, self.encode(b.modality, tokenizer_input(b.inputs))) for b in batches]
        batch = exchange(encoded, self._splits, self._paired, self._ranks)
        labels = self._label_texts(batch)
        parts: dict[str, Tensor] = {}
        for item in encoded:
            source = item.batch.source
            parts[f"text_binding/{source}"] = self._bind(item, batch, labels)
            if item.batch.modality != "image":
                parts[f"image_binding/{source}"] = self._image_binding(item, encoded, batch)
            parts[f"balance/{source}"] = load_balance(
                batch.use[source], item.output.probability * self._fraction(source)
            )
            parts |= self._distillation(item, batch)
        total = sum(
            getattr(self.weights, name.split("/")[0]) * part for name, part in parts.items()
        )
        assert isinstance(total, Tensor)
        use = {source: shares.mean(0) for source, shares in batch.use.items()}
        return StepLoss(total, {name: part.detach() for name, part in parts.items()}, use)

    def _fraction(self, source: str) -> float:
        return self._splits[source].fraction(self._ranks.rank)

    def _labelled(
        self, features: Tensor, rows: Tensor, valid: Tensor | None = None
    ) -> LabelledFeatures:
        return LabelledFeatures(features, self.texts[rows], valid)

    def _label_texts(self, batch: GlobalBatch) -> GatheredFeatures:
        """All label texts of the step, as anchors; the ranks share them as queries.

        Of a text that several samples have, the first counts: as many rows as samples, whatever
        the labels, so that the device need not be asked how many there are.
        """
        rows = torch.cat(list(batch.texts.values())).sort().values
        first = torch.cat((rows.new_ones(1, dtype=torch.bool), rows[1:] != rows[:-1]))
        everyone = self._labelled(self.texts[rows], rows, first)
        own = (part.tensor_split(self._ranks.count)[self._ranks.rank] for part in (rows, first))
        row, valid = own
        return GatheredFeatures(self._labelled(self.texts[row], row, valid), everyone)

    def _image_binding(self, item: Encoded, encoded: list[Encoded], batch: GlobalBatch) -> Tensor:
        """Bind a mini-batch to its paired images' cached features and to the step's images."""
        local, gathered = [], []
        for source, name in self._paired:
            if source == item.batch.source:
                local.append(self._present(item.batch.targets[name], item.batch.text))
                gathered.append(self._present(batch.paired[name], batch.texts[source]))
        for other in encoded:
            source = other.batch.source
            if other.batch.modality == "image":
                local.append(self._every(other.output.embedding.float(), other.batch.text))
                gathered.append(self._every(batch.embeddings[source], batch.texts[source]))
        if not gathered:
            return item.output.embedding.sum() * 0.0
        anchors = GatheredFeatures(_concatenated(local), _concatenated(gathered))
        return self._bind(item, batch, anchors)

    def _every(self, features: Tensor, rows: Tensor) -> LabelledFeatures:
        return self._labelled(features, rows, torch.ones_like(rows, dtype=torch.bool))

    def _present(self, features: Tensor, rows: Tensor) -> LabelledFeatures:
        """Rows of features, of which those that are NaN do not count."""
        valid = valid_rows(features)
        return self._labelled(torch.where(valid[:, None], features, 0.0), rows, valid)

    def _bind(self, item: Encoded, batch: GlobalBatch, anchors: GatheredFeatures) -> Tensor:
        source = item.batch.source
        samples = GatheredFeatures(
            self._labelled(item.output.embedding, item.batch.text),
            self._labelled(batch.embeddings[source], batch.texts[source]),
        )
        return soft_binding(
            samples,
            anchors,
            tau=self.weights.binding_temperature,
            logit_scale=self.student.logit_scale,
        )

    def _distillation(self, item: Encoded, batch: GlobalBatch) -> dict[str, Tensor]:
        """Follow every cached teacher of the source."""
        parts: dict[str, Tensor] = {}
        for name, target in item.batch.targets.items():
            counted = {"valid": item.valid(name), "total": batch.valid[name]}
            if name in self._teachers:
                projected = self.projectors(self._teachers[name], item.output.hidden)
                loss = feature_distillation(projected, target, mean=self._means[name], **counted)
                parts[f"teacher_feature/{name}"] = loss
                parts |= self._similarity(name, item, counted)
            elif item.batch.modality in _SEEN_BY_CLIP:
                loss = feature_distillation(item.output.embedding, target, **counted)
                parts[f"anchor/{name}"] = loss
        return parts

    def _similarity(
        self, name: str, item: Encoded, counted: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Answer zero-shot as the teacher does, where it can."""
        classes = self._class_texts[name]
        if classes is None:
            return {}
        first = self._first_class[item.batch.source]
        loss = similarity_distillation(
            item.output.embedding,
            item.batch.targets[name],
            self.texts[first : first + len(classes)],
            classes,
            temperature=self.weights.similarity_temperature,
            **counted,
        )
        return {f"teacher_similarity/{name}": loss}


def _concatenated(parts: list[LabelledFeatures]) -> LabelledFeatures:
    return LabelledFeatures(*(torch.cat(column) for column in zip(*parts)))


def _on_device(classes: np.ndarray | None, device: torch.device) -> Tensor | None:
    return None if classes is None else torch.from_numpy(classes).to(device)


def _require_own_clip(student: Student, target: TeacherTargets) -> None:
    different = differences(target.teacher, student.openclip.identity)
    if different:
        raise UserError(
            f"train.anchor: {target.store.path} holds features of another CLIP than the student's "
            f"own ({different[0]}); anchors must live in the student's space: give `student` and "
            f"`teachers.{target.teacher['name']}` the same arch and weights"
        )
