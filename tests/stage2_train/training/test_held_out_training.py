"""Held-out scores while training: of the samples, texts and views that eval scores."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from eval import benchmark_scores
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.shards import read_index, write_index
from stage2_train.student import Student
from stage2_train.training import held_out
from stage2_train.training.held_out import HeldOut
from stage2_train.training.trainer import Trainer
from tests.stage2_train.training.trainings import params_of
from tests.tiny_world import tiny_params

BENCHMARKS = {
    "points": {"source": "objects", "teacher": "fake"},
    "image": {"source": "renders", "teacher": "clip"},
    "captions": {"source": "objects", "teacher": "fake", "metric": "retrieval"},
}


def scored(params: Params) -> tuple[HeldOut, Student]:
    """Of a student whose experts are no longer what they are drawn as."""
    parts = Trainer(params).assembly
    generator = torch.Generator().manual_seed(1)
    for parameter in parts.student.trainable().values():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data += 0.1 * noise
    return HeldOut(params, parts), parts.student


def test_a_whole_split_scores_as_eval_does(
    cached_world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mute(params: Params, teacher: str, source: str) -> SimpleNamespace:
        """The student alone is scored."""
        return SimpleNamespace(text_space=None, modality=params.sources[source].modality)

    monkeypatch.setattr(benchmark_scores, "teacher_of", mute)
    params = tiny_params(cached_world, benchmarks=BENCHMARKS)
    look, student = scored(params)
    student.train()
    found = look.scores(student)
    assert student.training
    student.eval()
    expected = {
        name: benchmark_scores.score(params, name, student).by_model["student"].values
        for name in found
    }
    assert found["points"] == pytest.approx(expected["points"]["top1"])
    assert found["image"] == pytest.approx(expected["image"]["top1"])
    assert found["captions"] == pytest.approx(expected["captions"]["to_text_r1"])


def test_few_samples_are_spread_evenly_over_the_tars(
    cached_world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cached_world / "shards/objects/test"
    index = read_index(folder)
    every = [key for key, _ in held_out._spread(folder, index)]
    assert len(every) == index.samples == 8
    monkeypatch.setattr(held_out, "SAMPLES", 3)
    assert [key for key, _ in held_out._spread(folder, index)] == [every[0], every[2], every[5]]


def test_other_words_than_the_training_has_are_encoded_anew(world: Path) -> None:
    folder, params = world / "shards/objects/test", params_of(world)
    look = scored(params)[0]._benchmarks["points"].texts
    write_index(folder, replace(read_index(folder), class_words=["a cube", "a rod"]))
    other = scored(params)[0]._benchmarks["points"].texts
    assert look.shape == other.shape
    assert not torch.allclose(look, other)


def test_a_label_of_no_class_is_refused(world: Path) -> None:
    folder = world / "shards/objects/test"
    write_index(folder, replace(read_index(folder), classes=["ball"]))
    with pytest.raises(
        UserError, match=r"found 1 classes and the label 1; run: .*pipeline.prepare"
    ):
        scored(params_of(world))


def test_a_split_with_nothing_to_score_names_the_way_out(
    cached_world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_out, "evaluation_inputs", lambda *_: iter(()))
    with pytest.raises(UserError, match=r"sample with labels among 256.*benchmark 'points' out"):
        scored(params_of(cached_world))


def test_what_cannot_be_scored_is_refused_at_once(cached_world: Path) -> None:
    params = tiny_params(cached_world, benchmarks=BENCHMARKS)
    with pytest.raises(ValueError, match="score_every must be >= 1 or null, found 0"):
        replace(params.train, score_every=0)
    watched = replace(params, train=replace(params.train, score_every=2))
    with pytest.raises(ValueError, match=r"train.score_every needs benchmarks, found none"):
        replace(watched, benchmarks={})
    blind = replace(params.student, modalities=("points",))
    with pytest.raises(ValueError, match=r"benchmark 'image' of image, which student.modalities"):
        replace(watched, student=blind)
