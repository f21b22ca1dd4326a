"""Zero-shot scores of a benchmark: the student's, beside its specialist teacher's."""

from dataclasses import dataclass
from pathlib import Path

from eval.encode import check_finite, encode_split, evaluation_views
from eval.figures import plot_confusion, write_per_class, write_predictions
from eval.models import Model, student_model, teacher_model
from eval.protocol import protocol_of
from eval.published import published_student, published_teacher
from eval.tasks import ModelScores, ZeroShotTask
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.locations import path_or_url
from pipeline.prompts import templates
from pipeline.shards import read_index
from pipeline.views import chain_for
from stage1_extract.configured_teacher import teacher_of
from stage2_train.student import Student


@dataclass(frozen=True)
class BenchmarkScores:
    """One line of the score table."""

    task: ZeroShotTask
    by_model: dict[str, ModelScores]
    """Of `student` and `teacher`, as far as there are."""
    published: dict[str, dict[str, float]]
    """What others report of the same two on the same protocol."""

    def metrics(self) -> dict[str, float | int]:
        """Scalars for metrics.json."""
        said = self.task.described()
        for who, scores in self.by_model.items():
            said |= {f"{who}_{name}": round(value, 4) for name, value in scores.values.items()}
        for who, theirs in self.published.items():
            said |= {f"published_{who}_{name}": value for name, value in theirs.items()}
        if any(self.published.values()) and self.task.protocol.samples:
            said["published_samples"] = self.task.protocol.samples
        return said

    def own(self, who: str) -> float:
        """The score that a model is compared by."""
        return next(iter(self.by_model[who].values.values()))


def score(params: Params, name: str, student: Student | None) -> BenchmarkScores:
    """Score the student, if there is one, and the benchmark's teacher where it has a text space.

    Raises:
        UserError: the held-out split cannot be used, a model's features are not finite, or there is
            no model to score.
    """
    benchmark = params.benchmarks[name]
    source, protocol = params.sources[benchmark.source], protocol_of(benchmark)
    models = _models(params, name, student)
    index = read_index(path_or_url(params.shards) / benchmark.source / benchmark.split)
    captions = protocol.metric == "retrieval" or not index.classes
    data = encode_split(
        params, benchmark.source, benchmark.split, list(models.values()),
        by="captions" if captions else "labels", windows=protocol.windows,
    )  # fmt: skip
    task = ZeroShotTask(data, protocol, templates(protocol.prompts or source.prompts))
    scores = dict[str, ModelScores]()
    for (who, model), features in zip(models.items(), data.features):
        check_finite(features, f"{name}: {model.name}")
        scores[who] = task.scores(features, model.encode_text)
    return BenchmarkScores(task, scores, _published(params, name, student))


def _models(params: Params, name: str, student: Student | None) -> dict[str, Model]:
    benchmark = params.benchmarks[name]
    teacher = teacher_of(params, benchmark.teacher, benchmark.source)
    maker = evaluation_views(params, benchmark.source)
    if chain_for(maker.chain.member, teacher.modality) is not maker.chain:
        raise UserError(
            f"{name}: the teacher {benchmark.teacher} reads {teacher.modality}, and "
            f"{benchmark.source} is {maker.chain.member}; name a teacher of that"
        )
    models = {} if student is None else {"student": student_model(student, maker)}
    if teacher.text_space is not None:
        models["teacher"] = teacher_model(teacher, maker)
    elif student is None:
        raise UserError(
            f"{name}: the teacher {benchmark.teacher} has no text space to be scored zero-shot in; "
            "leave the benchmark out"
        )
    return models


def _published(params: Params, name: str, student: Student | None) -> dict[str, dict[str, float]]:
    benchmark = params.benchmarks[name]
    modality = params.sources[benchmark.source].modality
    arch, weights, _ = params.teachers[benchmark.teacher].model(modality)
    theirs = {"teacher": published_teacher(benchmark.protocol, arch, weights)}
    if student is None:
        return theirs
    return {"student": published_student(benchmark.protocol, student.config.projector), **theirs}


def write(out: Path, name: str, result: BenchmarkScores) -> None:
    """Write one benchmark's tables and plot, as far as its task has classes."""
    task = result.task
    columns = {who: s.per_class for who, s in result.by_model.items() if s.per_class is not None}
    if columns:
        path = out / "per_class" / f"{name}.csv"
        write_per_class(path, task.classes, task.counts, columns)
    who, first = next(iter(result.by_model.items()))
    if first.predictions is None:
        return
    labels, guesses = task.labels, first.predictions
    write_predictions(out / "predictions" / f"{name}.csv", task.classes, labels, guesses)
    top1 = f"top-1 {first.values['top1']:.1%}"
    title = f"{name}: {who}, {len(labels)} held-out samples, {top1}"
    plot_confusion(out / "confusion" / f"{name}.png", task.classes, labels, guesses, title)
