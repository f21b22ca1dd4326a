"""Stage 2 beside its limits: what `benchmarks.train` measures."""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pipeline.allocator import keep_freed_memory
from pipeline.config import Params
from pipeline.samples import decode_member
from pipeline.shards import read_shard
from stage1_extract.configured_teacher import teacher_of
from stage1_extract.teachers import Teacher
from stage2_train.stream.loader import LoadedBatches
from stage2_train.stream.targets import TeacherTargets, source_folder
from stage2_train.training.checkpoint import Progress
from stage2_train.training.cores import spare_cores
from stage2_train.training.ranks import process_group
from stage2_train.training.trainer import Trainer

WARM_UP = 3
RESIDENT = 4
"""Steps whose batches are held in memory."""


@dataclass(frozen=True)
class Rate:
    """A measured loop."""

    samples_per_second: float
    waits: float
    """Share of the time that the loop waited for data."""


def measure(params: Params, file: str, steps: int, ranks: int | None) -> None:
    """Print what one process reaches with the params in a file, and what several do over one."""
    keep_freed_memory()
    spare_cores(params.train.loader_workers)
    one_process(params, steps)
    if ranks:
        one, many = (on_ranks(file, steps, each) for each in (1, ranks))
        for loop in one:
            several = f"{loop}, {ranks} ranks, 1 thread each"
            print(f"{f'{loop}, 1 rank, 1 thread':<34}{one[loop]:8.1f} samples/s")
            print(f"{several:<34}{many[loop]:8.1f} samples/s")
            print(f"  over one rank                   {many[loop] / one[loop]:8.3f}")


def one_process(params: Params, steps: int) -> None:
    """Full loop, compute alone, and online teachers."""
    with tempfile.TemporaryDirectory() as out:
        trainer = Trainer(replace(params, train=replace(params.train, out=out)))
        with trainer.feed(Progress(step=0, cursors={})) as feed:
            resident = list(itertools.islice(feed, RESIDENT * params.train.accumulate))
            full = rate(trainer, feed, steps)
        alone = rate(trainer, itertools.cycle(resident), steps)
        most_threads = rate_on_all_cores(trainer, itertools.cycle(resident), steps)
        teachers = online_teachers(params, trainer)
        online = rate(trainer, itertools.cycle(resident), steps, before=teachers)
    ratio = full.samples_per_second / alone.samples_per_second
    print(f"full loop                     {full.samples_per_second:8.1f} samples/s")
    print(f"student alone, in memory      {alone.samples_per_second:8.1f} samples/s")
    print(f"  ratio                       {ratio:8.3f}   (to reach: 0.97)")
    print(f"  waiting for data            {100 * full.waits:7.1f} %")
    print(f"student alone, on all cores   {most_threads.samples_per_second:8.1f} samples/s")
    gain = full.samples_per_second / online.samples_per_second
    most = alone.samples_per_second / online.samples_per_second
    print(f"with online teachers          {online.samples_per_second:8.1f} samples/s")
    print(f"  gain of the cache           {gain:8.2f} x")
    print(f"  (T_teachers + T_student) / T_student {most:.2f}, of which {gain / most:.3f} (0.95)")


def rate(
    trainer: Trainer,
    feed: Iterator[LoadedBatches],
    steps: int,
    before: Callable[[], None] | None = None,
) -> Rate:
    """Run updates, at a learning rate too small to matter, and measure all but the first few."""
    waited = started = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            waited, started = 0.0, time.perf_counter()
        if before:
            before()
        waited += trainer.update(feed, 1e-9, lambda: False).waited
    seconds = time.perf_counter() - started
    return Rate(steps * trainer.config.batch_size / seconds, waited / seconds)


def rate_on_all_cores(trainer: Trainer, feed: Iterator[LoadedBatches], steps: int) -> Rate:
    """The same with the cores that are otherwise left to the loader."""
    threads = torch.get_num_threads()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    found = rate(trainer, feed, steps)
    torch.set_num_threads(threads)
    return found


def online_teachers(params: Params, trainer: Trainer) -> Callable[[], None]:
    """The forward passes of every teacher over as many samples as a step has.

    Their inputs lie in memory: an online teacher would also have to make them.
    """
    jobs: list[tuple[Teacher, Tensor]] = []
    for source, stores in trainer.assembly.targets.items():
        size = trainer.assembly.batch_splits[source].size * params.train.accumulate
        for store in stores:
            teacher = teacher_of(params, params.extract[store.name].teacher, source)
            jobs.append((teacher, teacher_inputs(params, store, teacher, source, size)))

    def run() -> None:
        for teacher, inputs in jobs:
            teacher.encode(inputs).cpu()

    return run


def teacher_inputs(
    params: Params, store: TeacherTargets, teacher: Teacher, source: str, size: int
) -> Tensor:
    """Preprocessed views of a source's first samples, repeated where it has fewer."""
    folder, index, maker = source_folder(params, source), store.store.index, store.maker
    seen = []
    for key, members in itertools.islice(read_shard(folder, index.shards[0]), size):
        view = maker(decode_member(members, maker.chain.member), key, 0).array
        seen.append(teacher.preprocess(view))
    return torch.stack(list(itertools.islice(itertools.cycle(seen), size)))


def on_ranks(file: str, steps: int, count: int) -> dict[str, float]:
    """Samples per second on some ranks of one thread each: the full loop, and that in memory."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(count)]
    command += ["-m", "benchmarks.train", "--params", file]
    command += ["--steps", str(steps)]
    single = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=single, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def one_of_the_ranks(params: Params, steps: int) -> None:
    """Measure both loops; the first rank prints samples per second of all."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as out, process_group(600) as ranks:
        train = replace(params.train, out=out, loader_workers=1)
        trainer = Trainer(replace(params, train=train))
        with trainer.feed(Progress(step=0, cursors={})) as feed:
            resident = list(itertools.islice(feed, RESIDENT * train.accumulate))
            full = rate(trainer, feed, steps)
        alone = rate(trainer, itertools.cycle(resident), steps)
        if ranks.first:
            found = {"full": full.samples_per_second, "in memory": alone.samples_per_second}
            print(json.dumps(found), flush=True)
