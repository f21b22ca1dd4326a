"""Everything that the page shows of a run, each part by itself or why it is missing."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from eval.report import curves, recipe, scores
from eval.report.curves import Chart
from eval.report.experts import ExpertUse, expert_use
from eval.report.failures import CAUSES, Failure, Words, examples, failures
from eval.report.held_out import HeldOut, held_out
from eval.report.missing import Missing, found
from eval.report.neighbours import Near, Texts, neighbours, texts_of
from eval.report.scores import ClassScore, Confusion, Row
from pipeline.config import Params
from pipeline.device import default_device
from stage2_train.student import Student

EXAMPLES = 6
"""Failures of a cause that are shown."""


@dataclass(frozen=True)
class Gallery:
    """Items, queries, and what they find."""

    held_out: HeldOut
    texts: Texts
    near: list[dict[str, list[Near]]]
    """Of every item, then of every text: modality -> its nearest items."""


@dataclass(frozen=True)
class Failures:
    """Wrong answers by cause."""

    asked: int
    """Questions with a known answer: every labelled item, of every other modality."""
    counts: dict[str, int]
    examples: Mapping[str, list[Failure]]


@dataclass(frozen=True)
class Contents:
    """The parts of the page."""

    params: Params
    splits: dict[str, recipe.Split | Missing]
    stores: dict[str, recipe.Store | Missing]
    training: recipe.Training | Missing
    curves: list[Chart] | Missing
    scores: list[Row] | Missing
    per_class: dict[str, list[ClassScore]] | Missing
    confusions: dict[str, list[Confusion]] | Missing
    matrices: dict[str, str] | Missing
    gallery: Gallery | Missing
    experts: list[ExpertUse] | Missing
    failures: Failures | Missing

    def missing(self) -> dict[str, str]:
        """Part -> why it is not there."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        parts |= self.splits | self.stores
        if not isinstance(self.gallery, Missing):
            parts |= self.gallery.held_out.left_out
        return {name: part.why for name, part in parts.items() if isinstance(part, Missing)}


def contents_of(params: Params, ckpt: Path) -> Contents:
    """Of the run that a student's folder lies in."""
    run = ckpt.parent
    records = found(lambda: curves.records(run))
    known = [] if isinstance(records, Missing) else records
    return Contents(
        params=params,
        splits=recipe.splits(params),
        stores=recipe.stores(params),
        training=found(lambda: recipe.training(params, ckpt, known)),
        curves=records if isinstance(records, Missing) else curves.charts(records),
        scores=found(lambda: _scores(ckpt)),
        per_class=found(lambda: scores.per_class(ckpt)),
        confusions=found(lambda: scores.confusions(ckpt)),
        matrices=found(lambda: scores.matrices(ckpt)),
        **_by_the_student(params, ckpt),
    )


def _scores(ckpt: Path) -> list[Row]:
    known = scores.metrics(ckpt)
    return scores.rows(known, scores.seconds(ckpt, known))


def _by_the_student(params: Params, ckpt: Path) -> dict[str, Any]:
    """The parts that need the student."""
    student = found(lambda: Student.load(ckpt, device=default_device()))
    if isinstance(student, Missing):
        return dict.fromkeys(("gallery", "experts", "failures"), student)
    gallery = found(lambda: _gallery(params, student))
    if isinstance(gallery, Missing):
        return dict.fromkeys(("gallery", "experts", "failures"), gallery)
    return {
        "gallery": gallery,
        "experts": expert_use(student, gallery.held_out),
        "failures": failures_of(gallery),
    }


def _gallery(params: Params, student: Student) -> Gallery:
    shown = held_out(params, student)
    texts = texts_of(params, student, shown)
    return Gallery(shown, texts, neighbours(shown, texts))


def failures_of(gallery: Gallery) -> Failures:
    """What the gallery's items find wrongly among each other."""
    shown, texts = gallery.held_out, gallery.texts
    labels = {name: shown.labels(name) for name in shown.modalities}
    features = dict(
        zip((text.label for text in texts.texts if text.kind == "class"), texts.embeddings)
    )
    wrong = failures(shown, Words(features, filter(None, labels.values())))
    labelled = [item.modality for item in shown.items if item.label]
    asked = sum(one != other for one in labelled for other in labels if labels[other])
    counts = {cause: sum(each.cause == cause for each in wrong) for cause in CAUSES}
    return Failures(asked, counts, examples(wrong, shown, EXAMPLES))
