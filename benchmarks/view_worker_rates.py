"""Views/s of the engine's processes and of others alone: what `benchmarks.view_workers` prints."""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, islice, takewhile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import view_members as members
from pipeline.config import ViewsConfig
from pipeline.engine import Workers
from pipeline.shards import write_shard
from pipeline.unknown_name import unknown_name
from pipeline.views import ViewMaker, chain_for
from stage1_extract.forward_pass import canonical
from stage1_extract.shared_views import TarRows, ViewsTask, Wanted, seen_samples
from stage1_extract.tar_task import MOST_SAMPLES

SAMPLES: dict[str, Callable[[], dict[str, bytes]]] = {
    "image": lambda: {"image.jpg": members.jpeg()},
    "depth": members.depth,
    "video": lambda: members.clip(keyframes=25, size=(340, 256)),
    "points": lambda: {"points.npy": members.cloud()},
    "audio": lambda: {"audio.flac": members.sound()},
}
VIEWS, TASKS, ROUNDS = 2, 8, 2
COUNTS = (1, 2)
"""Of processes."""
AHEAD = 8
"""Tasks under way: some of a batch of 256 views."""


@dataclass(frozen=True)
class Alone:
    """Work of one process that hands nothing on."""

    tasks: list[ViewsTask]
    seconds: float


@dataclass
class Arm:
    """What was measured of some processes, in all rounds."""

    views: float = 0.0
    wall: float = 0.0
    main: float = 0.0
    """CPU seconds of this process."""
    workers: float = 0.0
    """CPU seconds of the others."""

    @property
    def rate(self) -> float:
        """Views per second."""
        return self.views / self.wall


def measure(only: Sequence[str], length: float) -> None:
    """A line for each modality of `SAMPLES`, or for these; `length` is an arm's, in seconds.

    Raises:
        UserError: one that is not there.
    """
    for modality in only:
        if modality not in SAMPLES:
            raise unknown_name("modality", modality, SAMPLES)
    print("views/s      one     two  ratio  ceiling  main us  one us  two us  allowed")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        engines = [stack.enter_context(Workers(seen_samples, n, "Run again")) for n in COUNTS]
        alone = [stack.enter_context(Workers(made_alone, n, "Run again")) for n in COUNTS]
        for modality in only or SAMPLES:
            tasks = made_tasks(Path(folder) / modality, modality)
            print(line(modality, *measured(engines, alone, tasks, length)), flush=True)


def made_tasks(folder: Path, modality: str) -> list[ViewsTask]:
    """Tasks over a tar of one sample under many keys."""
    folder.mkdir()
    sample, size = SAMPLES[modality](), TASKS * MOST_SAMPLES
    shard = write_shard(folder / "000000.tar", [(f"key-{n}", sample) for n in range(size)])
    maker = ViewMaker(chain_for(modality, modality), 0, ViewsConfig())
    wanted = (Wanted(maker, range(VIEWS), canonical),)
    starts = range(0, size, MOST_SAMPLES)
    return [ViewsTask(TarRows(folder, shard, range(n, n + MOST_SAMPLES)), wanted) for n in starts]


def measured(
    engines: list[Workers[ViewsTask, Any]],
    alone: list[Workers[Alone, float]],
    tasks: list[ViewsTask],
    length: float,
) -> tuple[list[Arm], list[Arm]]:
    """Of the engine and of processes alone: arms of one and of two, in alternation."""
    ours, theirs = [Arm() for _ in COUNTS], [Arm() for _ in COUNTS]
    for _ in range(ROUNDS):
        for place, processes in enumerate(COUNTS):
            run_engine(ours[place], engines[place], tasks, length)
            rates = alone[place].map([Alone(tasks, length)] * processes, processes)
            theirs[place].views += sum(rates)
            theirs[place].wall += 1
    return ours, theirs


def run_engine(
    arm: Arm, workers: Workers[ViewsTask, Any], tasks: list[ViewsTask], length: float
) -> None:
    """Receive views for a while, once all workers are busy; what is under way then is drained."""
    stop = float("inf")
    made = workers.map(takewhile(lambda _: time.perf_counter() < stop, cycle(tasks)), AHEAD)
    for _ in islice(made, 2 * AHEAD):
        pass
    before = np.array([time.perf_counter(), time.process_time(), used(workers)])
    stop = before[0] + length
    while time.perf_counter() < stop:
        arm.views += VIEWS * len(next(made))
    arm.wall, arm.main, arm.workers = (arm.wall, arm.main, arm.workers) + (
        np.array([time.perf_counter(), time.process_time(), used(workers)]) - before
    )
    for _ in made:
        pass


def made_alone(work: Alone) -> float:
    """Views per second of this process, in a worker."""
    seen_samples(work.tasks[0])
    start, made = time.perf_counter(), 0
    for task in cycle(work.tasks):
        made += VIEWS * len(seen_samples(task))
        if time.perf_counter() - start > work.seconds:
            break
    return made / (time.perf_counter() - start)


def used(workers: Workers[Any, Any]) -> float:
    """CPU seconds of a pool's processes."""
    stats = [Path(f"/proc/{process.pid}/stat").read_text() for process in workers._context.started]
    ticks = sum(sum(map(int, stat.rsplit(")", 1)[1].split()[11:13])) for stat in stats)
    return ticks / os.sysconf("SC_CLK_TCK")


def line(modality: str, ours: list[Arm], theirs: list[Arm]) -> str:
    """A row of the table."""
    (one, two), (single, pair) = ours, theirs
    main, lone, each = (
        1e6 * spent / arm.views
        for spent, arm in ((two.main, two), (one.workers, one), (two.workers, two))
    )
    return (
        f"{modality:8}{one.rate:8.1f}{two.rate:8.1f}{two.rate / one.rate:7.2f}"
        f"{pair.rate / single.rate:9.2f}{main:9.0f}{lone:8.0f}{each:8.0f}"
        f"{2 * lone / (main + each):9.2f}"
    )
