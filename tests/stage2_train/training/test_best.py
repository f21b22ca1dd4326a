"""The student of the best held-out scores: kept whole, and at no cost to the training."""

import json
from pathlib import Path
from statistics import fmean

import pytest

from pipeline.config import Params
from stage2_train.student import Student, portable
from stage2_train.training.best import BEST, SCORES
from stage2_train.training.held_out import HeldOut
from stage2_train.training.trainer import STUDENT, Trainer
from tests.pipeline.made_store import tree
from tests.stage2_train.training import trainings
from tests.stage2_train.training.rank_processes import on_ranks
from tests.stage2_train.training.trainings import logged, run

BY_STEP = {2: 0.25, 4: 0.75, 6: 0.5}
"""Scores of a training of 6 steps whose student of step 4 is the best."""


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores as in `BY_STEP`, whatever the student has learned, each once."""
    left = iter(BY_STEP.values())
    monkeypatch.setattr(HeldOut, "scores", lambda *_: {"points": next(left)})


def params_of(root: Path, out: str = "runs", **train: object) -> Params:
    """Loaded by the rank itself, for its processes would first import everything."""
    return trainings.params_of(root, out, loader_workers=0, **train)


def kept(params: Params) -> dict:
    return json.loads(Path(params.train.out, BEST, SCORES).read_text())


def test_scores_change_nothing_of_the_student(world: Path) -> None:
    plain, watched = params_of(world), params_of(world, "watched", score_every=2)
    assert Trainer(plain).run()
    assert Trainer(watched).run()
    students = [tree(Path(params.train.out, STUDENT)) for params in (plain, watched)]
    assert students[0] == students[1]
    assert not Path(plain.train.out, BEST).exists()


@pytest.mark.usefixtures("planned")
def test_the_student_of_the_best_scores_is_kept_with_its_step(world: Path) -> None:
    params = params_of(world, score_every=2)
    trainer = Trainer(params)
    assert trainer.run()
    found = kept(params)
    assert (found["step"], found["mean"], found["scores"]) == (4, 0.75, {"points": 0.75})
    assert found["recipe"] == trainer.checkpoints.folder.name
    best, last = (Student.load(Path(params.train.out, name)) for name in (BEST, STUDENT))
    assert any((best.trainable()[n] != p).any() for n, p in last.trainable().items())


def test_scores_are_logged_at_their_steps_and_at_the_last(world: Path) -> None:
    params = params_of(world, score_every=4)
    assert Trainer(params).run()
    lines = {line["step"]: line for line in logged(params) if "held_out" in line}
    assert list(lines) == [4, 6]
    each = [value for name, value in lines[4].items() if name.startswith("held_out/")]
    assert lines[4]["held_out"] == fmean(each)
    assert kept(params)["samples"] == {"points": 6}  # two have no label


@pytest.mark.usefixtures("one_thread")
def test_a_killed_training_goes_on_with_its_scores_and_best(world: Path) -> None:
    whole, cut = params_of(world, score_every=1), params_of(world, "cut", score_every=1)
    assert Trainer(whole).run()
    assert on_ranks(1, run, cut, 5, trainings.killed) == [-9]
    assert Trainer(cut).run()
    scores = [[line["held_out"] for line in logged(params)] for params in (whole, cut)]
    assert scores[0] == scores[1]
    best = [tree(Path(params.train.out, BEST)) for params in (whole, cut)]
    assert best[0] == best[1]


def test_a_resumed_training_keeps_its_better_earlier_student(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = params_of(world, score_every=2)
    monkeypatch.setattr(HeldOut, "scores", lambda *_: {"points": 0.75})
    assert not run(params, 3, trainings.terminated)[0]
    monkeypatch.setattr(HeldOut, "scores", lambda *_: {"points": 0.5})
    assert run(params_of(world, score_every=1))[0]  # the same recipe
    assert kept(params)["step"] == 2
    assert run(params)[0]  # from the start
    assert kept(params)["mean"] == 0.5


@pytest.mark.usefixtures("planned")
def test_a_full_disk_leaves_the_former_best_as_it_was(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = params_of(world, score_every=2)

    def filled(_: Trainer) -> None:
        monkeypatch.setattr(portable, "save", full)

    def full(_: object) -> bytes:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run(params, 4, filled)
    assert kept(params)["step"] == 2
    assert Student.load(Path(params.train.out, BEST))


def test_the_first_of_two_ranks_scores(world: Path) -> None:
    params = params_of(world, score_every=3)
    assert [finished for finished, _ in on_ranks(2, run, params)] == [True, True]
    assert [line["step"] for line in logged(params) if "held_out" in line] == [3, 6]
    assert Student.load(Path(params.train.out, BEST))
