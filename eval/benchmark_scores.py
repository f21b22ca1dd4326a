"""Zero-shot scores of a benchmark: the student's, beside its specialist teacher's."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eval.classification import ClassificationScores, majority_share, zero_shot_scores
from eval.encode import LabelledViews, check_finite, encode_views, labelled_views
from eval.figures import plot_confusion, write_per_class, write_predictions
from pipeline.config import Params
from pipeline.prompts import class_embeddings, templates
from stage1_extract.configured_teacher import teacher_of
from stage1_extract.teachers import Teacher
from stage2_train.student import Student
from stage2_train.student.inputs import encodable


@dataclass(frozen=True)
class BenchmarkScores:
    """One line of the score table."""

    data: LabelledViews
    student: ClassificationScores
    teacher: ClassificationScores | None
    """None where the teacher has no text space to classify in."""

    def metrics(self) -> dict[str, float | int]:
        """Scalars for metrics.json."""
        values: dict[str, float | int] = {
            "samples": len(self.data.labels),
            "unreadable": len(self.data.unreadable),
            "classes": len(self.data.index.classes),
            "chance": round(1 / len(self.data.index.classes), 4),
            "majority": round(majority_share(self.data.labels), 4),
            "student_top1": round(self.student.top1, 4),
            "student_top5": round(self.student.top5, 4),
        }
        if self.teacher is not None:
            values["teacher_top1"] = round(self.teacher.top1, 4)
        return values


@torch.no_grad()
def score(params: Params, name: str, student: Student) -> BenchmarkScores:
    """Score the student, and the benchmark's teacher where it can classify.

    Raises:
        UserError: the held-out split cannot be used, or a model's features are not finite.
    """
    benchmark = params.benchmarks[name]
    data = labelled_views(params, benchmark.source, benchmark.split)
    prompts = templates(params.sources[benchmark.source].prompts)
    classes = data.index.words
    features = encode_views(data.views, partial(_student_features, student, data.modality))
    check_finite(features, f"{name}: the student")
    embeddings = class_embeddings(student.encode_text, classes, prompts)
    teacher = teacher_of(params, benchmark.teacher, benchmark.source)
    return BenchmarkScores(
        data,
        zero_shot_scores(features, embeddings, data.labels),
        _teacher_scores(teacher, data, prompts, f"{name}: the teacher {benchmark.teacher}"),
    )


def _student_features(student: Student, modality: str, views: Sequence[Any]) -> Tensor:
    inputs = [encodable(modality, view, student.config) for view in views]
    return student.encode(modality, torch.stack(inputs))


def _teacher_scores(
    teacher: Teacher, data: LabelledViews, prompts: tuple[str, ...], who: str
) -> ClassificationScores | None:
    filled = [prompt.format(label) for label in data.index.words for prompt in prompts]
    texts = teacher.encode_text(filled)
    if texts is None:
        return None
    embeddings = class_embeddings(lambda _: texts, data.index.words, prompts)
    features = encode_views(
        data.views, lambda views: teacher.encode(torch.stack(list(map(teacher.preprocess, views))))
    )
    check_finite(features, who)
    return zero_shot_scores(features, embeddings, data.labels)


def write(out: Path, name: str, result: BenchmarkScores) -> None:
    """Write one benchmark's table, predictions and plot."""
    classes, labels = result.data.index.classes, result.data.labels
    columns = {"student": result.student.per_class}
    if result.teacher is not None:
        columns["teacher"] = result.teacher.per_class
    guesses = result.student.predictions
    write_per_class(out / "per_class" / f"{name}.csv", classes, labels, columns)
    write_predictions(out / "predictions" / f"{name}.csv", classes, labels, guesses)
    title = f"{name}: student, {len(labels)} held-out samples, top-1 {result.student.top1:.1%}"
    plot_confusion(out / "confusion" / f"{name}.png", classes, labels, guesses, title)
