"""Zero-shot scores of a benchmark: the student's, beside its specialist teacher's."""

from dataclasses import dataclass
from pathlib import Path

from eval.classification import ClassificationScores, majority_share, zero_shot_scores
from eval.encode import EncodedSplit, check_finite, encode_split, evaluation_views
from eval.figures import plot_confusion, write_per_class, write_predictions
from eval.models import student_model, teacher_model
from pipeline.config import Params
from pipeline.prompts import class_embeddings, templates
from stage1_extract.configured_teacher import teacher_of
from stage2_train.student import Student


@dataclass(frozen=True)
class BenchmarkScores:
    """One line of the score table."""

    data: EncodedSplit
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


def score(params: Params, name: str, student: Student) -> BenchmarkScores:
    """Score the student, and the benchmark's teacher where it can classify.

    Raises:
        UserError: the held-out split cannot be used, or a model's features are not finite.
    """
    benchmark = params.benchmarks[name]
    prompts = templates(params.sources[benchmark.source].prompts)
    teacher = teacher_of(params, benchmark.teacher, benchmark.source)
    maker = evaluation_views(params, benchmark.source)
    models = [student_model(student, maker)]
    if teacher.text_space is not None:
        models.append(teacher_model(teacher, maker))
    data = encode_split(params, benchmark.source, benchmark.split, models)
    for model, features in zip(models, data.features):
        check_finite(features, f"{name}: {model.name}")
    scores = [
        zero_shot_scores(
            features, class_embeddings(model.encode_text, data.index.words, prompts), data.labels
        )
        for model, features in zip(models, data.features)
    ]
    return BenchmarkScores(data, scores[0], scores[1] if len(scores) > 1 else None)


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
