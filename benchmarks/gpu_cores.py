"""What all cores of the machine make at once, for `benchmarks.gpu`: the bound of what is fed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from pipeline.engine import Workers


@dataclass(frozen=True)
class Counted:
    """Does a task and hands on how many samples it was of, and nothing else."""

    function: Callable[[Any], Any]
    samples: Callable[[Any], int]
    """Of a task."""

    def __call__(self, task: Any) -> int:
        """Samples that were made."""
        self.function(task)
        return self.samples(task)


def all_cores_rate(work: Counted, tasks: Sequence[Any], cores: int, samples: float) -> float:
    """Samples a second that a process on every core make, until some samples are made.

    Less than `cores` times what one makes alone, by what the cores share.
    """
    count = max(2 * cores, round(samples / work.samples(tasks[0])))
    with Workers(work, cores, "Run again") as workers:
        sum(workers.map(islice(cycle(tasks), 6 * cores + 2 * len(tasks)), 4 * cores))  # starts them
        started = time.perf_counter()
        made = sum(workers.map(islice(cycle(tasks), count), 4 * cores))
        return made / (time.perf_counter() - started)
