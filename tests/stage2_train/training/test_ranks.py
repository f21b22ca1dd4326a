"""Two ranks train as one does, and none of them hangs when something happens to the other."""

from pathlib import Path

import pytest
import torch

from pipeline.config import Params
from stage2_train.training.trainer import Trainer
from tests.stage2_train.training import trainings
from tests.stage2_train.training.rank_processes import on_ranks
from tests.stage2_train.training.trainings import logged, run


def params_of(root: Path, out: str = "runs", **train: object) -> Params:
    """Each rank loads by itself: processes of a rank's own would first import everything again."""
    return trainings.params_of(root, out, loader_workers=0, **train)


def assert_same_losses(found: list[dict], expected: list[dict]) -> None:
    assert [line["step"] for line in found] == [line["step"] for line in expected]
    free = ("recipe", "samples_per_second", "data_wait_share")
    for mine, theirs in zip(found, expected):
        kept = {name: value for name, value in theirs.items() if name not in free}
        assert {name: mine[name] for name in kept} == pytest.approx(kept, rel=2e-4, abs=1e-5)


@pytest.mark.parametrize("settings", [{}, {"batch_size": 26, "accumulate": 2}])
def test_the_gradients_of_two_ranks_are_those_of_the_whole_batch(
    cached_world: Path, settings: dict
) -> None:
    params = params_of(cached_world, **settings)
    whole = trainings.gradients(params)
    for found in on_ranks(2, trainings.gradients, params):
        assert found.keys() == whole.keys()
        for name, gradient in whole.items():
            torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=2e-6, msg=name)


def test_two_ranks_go_on_in_the_middle_of_what_one_began(world: Path) -> None:
    whole, cut = params_of(world), params_of(world, "cut")
    _, order = run(whole)
    finished, _ = run(cut, 2, trainings.terminated)
    assert not finished
    first, second = on_ranks(2, run, cut)
    assert first[0]
    assert second[0]
    for expected, mine, theirs in zip(order[2:], first[1], second[1], strict=True):
        assert torch.equal(torch.cat([mine, theirs]).sort(dim=0)[0], expected.sort(dim=0)[0])
    assert_same_losses(logged(cut), logged(whole))


def test_a_sigterm_to_one_rank_stops_both_at_the_same_step(world: Path) -> None:
    params = params_of(world)
    results = on_ranks(2, run, params, 2, trainings.terminated)
    assert [(finished, len(seen)) for finished, seen in results] == [(False, 2)] * 2
    progress = Trainer(params).checkpoints.latest()
    assert progress is not None
    assert progress.step == 2
    assert run(params)[0]


def test_a_dead_rank_stops_the_other_with_one_line(cached_world: Path, tmp_path: Path) -> None:
    said = tmp_path / "stderr"
    params = params_of(cached_world, str(tmp_path / "runs"))
    assert on_ranks(2, run, params, 2, trainings.killed, stderr=said) == [1, -9]
    [line] = [line for line in said.read_text().splitlines() if "error" in line]
    assert line.startswith("error: rank 0, step 2: lost another rank")


def test_a_hanging_rank_ends_with_its_number_and_step(cached_world: Path, tmp_path: Path) -> None:
    said = tmp_path / "stderr"
    params = params_of(cached_world, str(tmp_path / "runs"), step_timeout=1.0)
    assert on_ranks(2, run, params, 2, trainings.asleep, stderr=said) == [1, 1]
    assert "error: rank 1, step 2: training, or waiting for another rank for" in said.read_text()


def test_a_loss_that_is_not_finite_is_skipped_by_all_ranks(world: Path) -> None:
    params = params_of(world)
    results = on_ranks(2, run, params, 3, trainings.poisoned)
    assert [finished for finished, _ in results] == [True, True]
    log = logged(params)
    assert [line["skipped_steps"] for line in log] == [0, 0, 1, 1, 1, 1]
    assert "loss" not in log[2]
    assert all("loss" in line for line in log if line["step"] != 3)
