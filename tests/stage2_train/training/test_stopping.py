"""Asked to stop, a training ends behind its step with a checkpoint, and goes on from there."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stage2_train.__main__ import train
from stage2_train.training.trainer import STUDENT, Trainer
from tests.stage2_train.training import trainings
from tests.stage2_train.training.trainings import logged, params_of, run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_a_checkpoint_and_the_training_goes_on(
    world: Path, number: signal.Signals
) -> None:
    params = params_of(world, checkpoint_every=1000)
    before = signal.getsignal(number)
    assert not run(params, 2, lambda _: os.kill(os.getpid(), number))[0]
    assert signal.getsignal(number) is before
    progress = Trainer(params).checkpoints.latest()
    assert progress is not None
    assert progress.step == 2
    assert run(params)[0]
    assert [line["step"] for line in logged(params)] == [1, 2, 3, 4, 5, 6]


def test_behind_the_last_step_it_is_too_late_to_stop(world: Path) -> None:
    params = params_of(world)
    assert run(params, 6, trainings.terminated)[0]
    assert Path(params.train.out, STUDENT).exists()


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C")]
)
def test_the_command_ends_with_the_signals_exit_code_and_one_line(
    world: Path, monkeypatch, capsys, number: signal.Signals, name: str
) -> None:
    def stopped(trainer: Trainer) -> bool:
        with trainer.stop:
            signal.raise_signal(number)
        return False

    monkeypatch.setattr(Trainer, "run", stopped)
    with pytest.raises(SystemExit) as ended:
        train(params_of(world))
    assert ended.value.code == 128 + number
    said = capsys.readouterr().err
    assert said.startswith(f"stopped by {name} after saving a checkpoint; to go on, run: ")
    assert said.count("\n") == 1


TWICE = """
import signal, time
from stage2_train.training import stopping
with stopping.StopRequest():
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)  # torchrun's echo of the first
    stopping.ECHO = -1.0
    print("still here", flush=True)
    signal.raise_signal(signal.SIGINT)
    print("and still here")
"""


def test_a_second_ctrl_c_ends_at_once_but_not_the_firsts_echo() -> None:
    ended = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (130, "still here\n")
    assert ended.stderr == "stopped by Ctrl-C\n"
