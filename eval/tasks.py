"""What a benchmark asks of a model: to name the class, to find all classes, or to find captions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from eval.classification import class_cosines, classification_scores, majority_share
from eval.encode import EncodedSplit, check_finite
from eval.folds import fold_scores
from eval.merged_classes import merged_scores
from eval.multilabel import label_matrix, multilabel_scores
from eval.protocol import Protocol
from eval.retrieval_scores import RetrievalScores, retrieval_scores
from pipeline.config.evaluation import Metric
from pipeline.errors import UserError
from pipeline.prompts import class_embeddings, text_embeddings

TextEncoder = Callable[[Sequence[str]], Tensor]


@dataclass(frozen=True)
class ModelScores:
    """What one model scores."""

    values: dict[str, float]
    """Fractions of 1 by name; the first is the benchmark's own."""
    predictions: Tensor | None = None
    """Int64 [samples], where each has one class."""
    per_class: Tensor | None = None
    """Float64 [classes]: top-1 or average precision within each."""


@dataclass(frozen=True)
class ZeroShotTask:
    """A benchmark's samples beside the way to score them."""

    data: EncodedSplit
    protocol: Protocol
    prompts: tuple[str, ...]

    @cached_property
    def metric(self) -> Metric:
        """The protocol's, or what the data say."""
        if self.protocol.metric is not None:
            return self.protocol.metric
        if self.data.by == "captions":
            return "retrieval"
        if any(len(text.labels) > 1 for text in self.data.texts):
            return "map"
        return "top1" if None in self.data.folds else "folds"

    @cached_property
    def classes(self) -> list[str]:
        """What is told apart."""
        names = self.data.index.classes
        return [*names[: -self.protocol.others], "others"] if self.protocol.others else names

    @property
    def labels(self) -> Tensor:
        """Int64 [samples], the class of each."""
        return self._class_of[self.data.labels]

    @cached_property
    def counts(self) -> list[int]:
        """Samples of each class."""
        if self.metric == "map":
            return self._label_matrix().sum(dim=0).tolist()
        return self.labels.bincount(minlength=len(self.classes)).tolist()

    def described(self) -> dict[str, float | int]:
        """How many samples there are, and what knowing nothing would score."""
        said: dict[str, float | int] = {
            "samples": len(self.data.texts),
            "unreadable": len(self.data.unreadable),
        }
        if self.metric == "retrieval":
            captions = sum(len(text.captions) for text in self.data.texts)
            return {**said, "captions": captions, "chance": round(1 / len(self.data.texts), 4)}
        said["classes"] = len(self.classes)
        if self.metric == "map":
            shares = [count / len(self.data.texts) for count in self.counts if count]
            return {**said, "chance": round(sum(shares) / len(shares), 4)}
        chance, majority = 1 / len(self.classes), majority_share(self.labels)
        return {**said, "chance": round(chance, 4), "majority": round(majority, 4)}

    def scores(self, features: Tensor, encode_text: TextEncoder) -> ModelScores:
        """Of a model by its features, float32 [samples, dim] on the CPU, and its text encoder.

        Raises:
            UserError: by folds, of which a sample has none; a text's feature is not finite.
        """
        encode_text = _checked(encode_text)
        if self.metric == "retrieval":
            return _retrieval(self.data, features, encode_text)
        words = self.data.index.words
        cosines = class_cosines(features, class_embeddings(encode_text, words, self.prompts))
        if self.metric == "map":
            return self._multilabel(cosines)
        if self.protocol.others:
            cosines = merged_scores(cosines, self._class_of)
        scores = classification_scores(cosines, self.labels)
        values = {"top1": scores.top1, "top5": scores.top5}
        if self.metric == "folds":
            by_fold = fold_scores(scores.predictions, self.labels, self._folds())
            values = {"folds": by_fold.mean, **values}
        return ModelScores(values, scores.predictions, scores.per_class)

    @property
    def _class_of(self) -> Tensor:
        return torch.arange(len(self.data.index.classes)).clamp(max=len(self.classes) - 1)

    def _multilabel(self, cosines: Tensor) -> ModelScores:
        scores = multilabel_scores(cosines, self._label_matrix())
        return ModelScores({"map": scores.mean_average_precision}, per_class=scores.per_class)

    def _label_matrix(self) -> Tensor:
        return label_matrix([text.labels for text in self.data.texts], len(self.classes))

    def _folds(self) -> Tensor:
        folds = [fold for fold in self.data.folds if fold is not None]
        lacking = len(self.data.folds) - len(folds)
        if lacking:
            raise UserError(
                f"{self.data.folder}: {lacking} samples have no `fold` in their meta.json, by "
                "which their benchmark is scored; set its metric to top1"
            )
        return torch.tensor(folds)


def _checked(encode_text: TextEncoder) -> TextEncoder:
    def checked(texts: Sequence[str]) -> Tensor:
        features = encode_text(texts)
        check_finite(features, "the text tower")
        return features

    return checked


def _retrieval(data: EncodedSplit, features: Tensor, encode_text: TextEncoder) -> ModelScores:
    """Recalls of the samples that captions find, and of the captions that samples find."""
    captions = [caption for text in data.texts for caption in text.captions]
    counts = torch.tensor([len(text.captions) for text in data.texts])
    samples = torch.arange(len(counts))
    owners = samples.repeat_interleave(counts)
    texts = text_embeddings(encode_text, captions).cpu()
    return ModelScores(
        _recalls("from_text", retrieval_scores(texts, features, owners, samples))
        | _recalls("to_text", retrieval_scores(features, texts, samples, owners))
    )


def _recalls(way: str, scores: RetrievalScores) -> dict[str, float]:
    return {f"{way}_r{k}": recall for k, recall in scores.recalls.items()}
