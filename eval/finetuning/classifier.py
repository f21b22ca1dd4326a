"""A student under a linear head: what a fine-tuning trains, saves and scores."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eval.finetuning import saved
from eval.finetuning.plan import Mode
from stage2_train.stream.join import MiniBatch
from stage2_train.student import Student
from stage2_train.student.inputs import tokenizer_input
from stage2_train.training.ranks import Ranks
from stage2_train.training.step import Objective, StepLoss

_UNLABELLED = -100
_IMAGE_ONLY = ("conv1.", "class_embedding", "positional_embedding")
"""Parameters of CLIP's trunk that other modalities' tokens do not pass, but for videos'."""


class Classifier(Objective):
    """Cross-entropy of a linear head over the student's normalised embeddings.

    The head starts as the zero-shot classifier, so that training starts from its scores.

    Args:
        student: encodes the modality; its parameters are set to be trained or not.
        modality: of the samples.
        mode: `adapters` trains what stage 2 does of that modality, `full` the frozen CLIP too.
        classes: their names.
        texts: float32 [texts, embed_dim], the label texts, those of the classes first.
    """

    def __init__(
        self, student: Student, modality: str, mode: Mode, classes: Sequence[str], texts: Tensor
    ) -> None:
        super().__init__()
        self.student, self.projectors, self.recipe = student, None, ""
        self._modality, self._mode, self._classes = modality, mode, list(classes)
        self._ranks, self._portable = Ranks.current(), list(student.trainable().values())
        self.register_buffer("texts", texts, persistent=False)
        self.head = zero_shot_head(texts[: len(classes)])
        _train_only(student, modality, mode)

    def forward(self, batches: list[MiniBatch]) -> StepLoss:
        """Of the one mini-batch of a step; samples without a label do not count."""
        (batch,) = batches
        labels = batch.text.where(batch.text < len(self._classes), _UNLABELLED)
        logits = self.logits(tokenizer_input(batch.inputs))
        counted = self._ranks.summed((labels != _UNLABELLED).sum()).clamp(min=1)
        loss = F.cross_entropy(logits, labels, ignore_index=_UNLABELLED, reduction="sum") / counted
        right = (logits.detach().argmax(-1) == labels).sum() / counted
        return StepLoss(loss, {f"top1/{batch.source}": right}, {})

    def logits(self, x: Any) -> Tensor:
        """Float32 [B, classes] of what the modality's tokenizer takes."""
        embedding = self.student(self._modality, x).embedding.float()
        # bfloat16 has three digits for logits of up to 100
        with torch.autocast(embedding.device.type, enabled=False):
            return self.head(self.student.logit_scale.exp() * F.normalize(embedding, dim=-1))

    def save(self, folder: Path) -> None:
        """Write the trained tensors, and of adapters the student; the card is the last.

        Raises:
            OSError: it cannot be written.
        """
        if self._mode == "adapters":
            with _counted_as_trained(self._portable):
                self.student.save(folder)
        card = saved.Card(recipe=self.recipe, mode=self._mode, classes=self._classes)
        saved.write(folder, self._trained(), card)

    def restore(self, folder: Path) -> bool:
        """Take the tensors of an equal training that `save` wrote; False where there are none.

        Raises:
            UserError: what lies there cannot be read.
        """
        return saved.restore(folder, self._trained(), self.recipe)

    def _trained(self) -> dict[str, nn.Parameter]:
        return {name: p for name, p in self.named_parameters() if p.requires_grad}


def zero_shot_head(classes: Tensor) -> nn.Linear:
    """A head that answers as the class embeddings [classes, dim] do."""
    head = nn.utils.skip_init(nn.Linear, classes.shape[1], len(classes))
    with torch.no_grad():
        head.weight.copy_(classes)
        head.bias.zero_()
    return head


@contextmanager
def _counted_as_trained(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Let a student save those too that are not trained here."""
    idle = [parameter for parameter in parameters if not parameter.requires_grad]
    try:
        for parameter in idle:
            parameter.requires_grad_(True)
        yield
    finally:
        for parameter in idle:
            parameter.requires_grad_(False)


def _train_only(student: Student, modality: str, mode: Mode) -> None:
    """Let only parameters be trained that every sample passes: no rank lacks a gradient."""
    others = {other for other in student.config.modalities if other != modality}
    for name, parameter in student.trainable().items():
        parameter.requires_grad_(others.isdisjoint(name.split(".")))
    if mode == "full":
        like_images = modality in ("image", "video")
        for name, parameter in student.visual.named_parameters():
            parameter.requires_grad_(like_images or not name.startswith(_IMAGE_ONLY))
