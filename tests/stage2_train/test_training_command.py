"""torchrun's command: two processes train, and a SIGTERM saves on both."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from stage2_train.training.trainer import STUDENT
from tests.stage2_train.training.trainings import params_of

ROOT = Path(__file__).parents[2]


def test_torchrun_trains_and_saves_on_a_sigterm(world: Path) -> None:
    params = params_of(world, epochs=500)
    log, file = Path(params.train.out, "log.jsonl"), world / "params.yaml"
    file.write_text(json.dumps(asdict(params)))
    with torchrun(file) as training:
        wait_for(log, training)
        training.send_signal(signal.SIGTERM)
        _, said = training.communicate(timeout=300)
    assert "stopped by SIGTERM after saving" in said
    steps = len(log.read_text().splitlines())
    [checkpoint] = Path(params.train.out).glob(f"checkpoints/*/step-{steps:08d}")
    assert (checkpoint / "progress.json").is_file()
    assert not Path(params.train.out, STUDENT).exists()


def torchrun(file: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "stage2_train", "--params", str(file)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(log: Path, training: subprocess.Popen) -> None:
    """Until it has made a few steps."""
    ends = time.monotonic() + 300
    while not log.exists() or len(log.read_text().splitlines()) < 3:
        assert training.poll() is None, training.communicate()
        assert time.monotonic() < ends
        time.sleep(0.2)
