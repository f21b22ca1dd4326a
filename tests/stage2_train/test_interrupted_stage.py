"""Ctrl-C in `dvc repro`, which has removed the stage's outputs: the next one goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from msgspec import to_builtins
from ruamel.yaml import YAML

from stage2_train.training.trainer import STUDENT
from tests.stage2_train.training.trainings import logged, params_of

ROOT = Path(__file__).parents[2]
PATIENCE = 300
"""Seconds; nothing comes near unless it hangs."""
STAGE = {
    "cmd": f"{sys.executable} -m stage2_train",
    "outs": ["runs/student"],
    "plots": [{"runs/curves.json": {"x": "step", "y": "loss"}}],
}


def repro(world: Path) -> subprocess.Popen:
    """In a group of its own, as a terminal's."""
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"], cwd=world, text=True, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def steps_done(log: Path, stage: subprocess.Popen, count: int) -> None:
    """Wait for so many lines in a training's log."""
    ends = time.monotonic() + PATIENCE
    while not log.exists() or log.read_text().count("\n") < count:
        assert stage.poll() is None, stage.communicate()
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_ctrl_c_saves_a_checkpoint_that_the_next_repro_goes_on_from(world: Path) -> None:
    params = params_of(world, epochs=400)
    YAML(typ="safe", pure=True).dump(to_builtins(params), world / "params.yaml")
    YAML(typ="safe", pure=True).dump({"stages": {"train": STAGE}}, world / "dvc.yaml")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=world, check=True)
    log, student = world / "runs" / "log.jsonl", world / "runs" / STUDENT
    student.mkdir(parents=True)
    (student / "earlier").touch()

    with repro(world) as stage:
        steps_done(log, stage, 2)
        group = psutil.Process(stage.pid).children(recursive=True)
        os.killpg(stage.pid, signal.SIGINT)
        _, said = stage.communicate(timeout=PATIENCE)
    assert stage.returncode != 0
    assert "stopped by Ctrl-C after saving a checkpoint; to go on, run: dvc repro\n" in said
    assert "Traceback" not in said
    assert not psutil.wait_procs(group, timeout=PATIENCE)[1]
    done = len(logged(params))
    assert (next(world.glob("runs/checkpoints/*")) / f"step-{done:08d}").is_dir()

    with repro(world) as stage:
        steps_done(log, stage, done + 1)
        os.killpg(stage.pid, signal.SIGINT)
        resumed, _ = stage.communicate(timeout=PATIENCE)
    assert f"resumed from step {done}\n" in resumed
