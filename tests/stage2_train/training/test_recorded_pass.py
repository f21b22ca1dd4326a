"""A pass that is recorded and replayed gives what the pass itself gives, or is done as it is.

A recording of a GPU is stood in for by the same work done again where it was done, over what lies
there by then; `benchmarks.gpu` compares real ones.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import torch

from stage2_train.training.checkpoint import Progress
from stage2_train.training.recorded_pass import WARM_UP, RecordedPass, cuda_graph
from stage2_train.training.trainer import Trainer
from tests.stage2_train.training.trainings import params_of

STEPS = WARM_UP + 3
Record = Callable[[Callable[[], None]], Callable[[], None]]


def again(trainer: Trainer, run: Callable[[], None]) -> Callable[[], None]:
    """A stand-in for `cuda_graph`: a replay writes gradients where the recorded pass wrote them."""
    run()
    parameters = [p for p in trainer.objective.parameters() if p.grad is not None]
    places = [p.grad for p in parameters]

    def replay() -> None:
        for parameter in parameters:
            parameter.grad = None
        run()
        for parameter, place in zip(parameters, places):
            assert parameter.grad is not None
            assert place is not None
            place.copy_(parameter.grad)
            parameter.grad = place

    return replay


def losses(trainer: Trainer) -> list[float]:
    """Of some steps."""
    with trainer.feed(Progress(step=0, cursors={})) as feed:
        return [trainer.update(feed, 1e-2, lambda: False).values["loss"] for _ in range(STEPS)]


def recorded(trainer: Trainer, record: Record) -> RecordedPass:
    run = partial(trainer.update._backward, last=True)
    parameters = [p for p in trainer.objective.parameters() if p.requires_grad]
    trainer.update._recorded = RecordedPass(run, parameters, record)
    return trainer.update._recorded


def test_a_training_of_recorded_steps_is_the_training(cached_world: Path) -> None:
    replays = []

    def record(run: Callable[[], None]) -> Callable[[], None]:
        replay = again(trainer, run)

        def counted() -> None:
            replays.append(replay)
            replay()

        return counted

    trainer = Trainer(params_of(cached_world))
    recorded(trainer, record)
    assert losses(trainer) == losses(Trainer(params_of(cached_world)))
    assert len(replays) == STEPS - WARM_UP


def test_what_cannot_be_recorded_goes_on_as_it_was(
    cached_world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(run: Callable[[], None]) -> Callable[[], None]:
        run()
        raise RuntimeError("CUDA error: operation not permitted\nmore of it")

    trainer = Trainer(params_of(cached_world))
    recorded(trainer, fails)
    assert losses(trainer) == losses(Trainer(params_of(cached_world)))
    assert capsys.readouterr().out == (
        "the step could not be recorded as a CUDA graph and runs without: "
        "CUDA error: operation not permitted\n"
    )


def test_other_shapes_are_recorded_anew(cached_world: Path) -> None:
    trainer, kept = Trainer(params_of(cached_world)), []

    def record(run: Callable[[], None]) -> Callable[[], None]:
        kept.append(run)
        return again(trainer, run)

    passes = recorded(trainer, record)
    with trainer.feed(Progress(step=0, cursors={})) as feed:
        whole = next(feed).batches
    half = [batch.mapped(lambda tensor: tensor[: len(tensor) // 2]) for batch in whole]
    trainer.objective.train()
    alone = passes(whole).total.item()
    for batches in [half, *[whole] * STEPS, *[half] * STEPS]:
        total = passes(batches).total.item()
        assert (total == pytest.approx(alone)) == (batches is whole)
    assert len(kept) == 2


def test_the_mini_batches_that_were_recorded_stay_as_they_are(cached_world: Path) -> None:
    trainer = Trainer(params_of(cached_world))
    passes = recorded(trainer, partial(again, trainer))
    with trainer.feed(Progress(step=0, cursors={})) as feed:
        first, second = next(feed).batches, next(feed).batches
    before = [tensor.clone() for batch in first for tensor in batch.tensors]
    for batches in [*[first] * (WARM_UP + 1), second]:
        passes(batches)
    after = [tensor for batch in first for tensor in batch.tensors]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("ended", [False, True])
def test_what_a_failing_recording_leaves_begun_is_ended(
    monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """Torch's own exit stops at CUDA's error, before it puts stream and allocator back."""
    current, calls = ["own"], []

    @contextmanager
    def stream(name: str) -> Iterator[None]:
        before, current[0] = current[0], name
        try:
            yield
        finally:
            current[0] = before

    @contextmanager
    def graph(*_: object, **__: object) -> Iterator[None]:
        current[0] = "recording"
        yield
        raise RuntimeError("capture invalidated")

    def end(*where: object) -> None:
        calls.append(("end", *where))
        if ended:
            raise RuntimeError("not currently recording")

    for name, stand_in in {
        "CUDAGraph": object, "graph": graph, "graph_pool_handle": lambda: (0, 7),
        "current_device": lambda: 3, "current_stream": lambda: current[0], "stream": stream,
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(torch.cuda.memory, "_cuda_endAllocateToPool", end)
    monkeypatch.setattr(
        torch.cuda.memory, "_cuda_releasePool", lambda *where: calls.append(("release", *where))
    )
    with pytest.raises(RuntimeError, match="capture invalidated"):
        cuda_graph(lambda: None)
    assert current == ["own"]
    assert calls == [("end", 3, (0, 7)), *([] if ended else [("release", 3, (0, 7))])]
