"""The teachers in the workers of a dask cluster."""

from collections.abc import Callable, Generator, Sequence
from functools import lru_cache

import numpy as np
from distributed import Client

from pipeline.config import Params
from pipeline.store import Provenance
from pipeline.workers.job import Job, located
from pipeline.workers.pool import WorkerPool
from stage1_extract.extractor import Extractor
from stage1_extract.shared_views import most_workers
from stage1_extract.tar_task import TarDone, TarTask


class Cluster:
    """Puts each tar to one worker, which has a GPU to itself where there are any."""

    def __init__(self, client: Client, params: Params) -> None:
        self._pool = WorkerPool(client, Job(params), "GPU")

    def provenance(self, name: str) -> Provenance:
        """What determines the numbers of an extraction, as one of the workers finds it."""
        return self._pool.answer(_provenance, name)

    def label_texts(self, name: str) -> np.ndarray:
        """Features float32 [classes, dim] of the source's label prompts."""
        return self._pool.answer(_label_texts, name)

    def spot_check(self, name: str) -> None:
        """Let a worker compute a few rows of a finished store again."""
        self._pool.answer(_spot_check, name)

    def tars(
        self, tasks: Sequence[TarTask], on_samples: Callable[[int], None]
    ) -> Generator[TarDone]:
        """Do tasks, as many at a time as there are workers.

        Raises:
            UserError: see `WorkerPool.each`.
        """
        for task, done in self._pool.each(_extract, tasks):
            on_samples(task.rows)
            yield done


@lru_cache(maxsize=1)
def _extractor(job: Job) -> Extractor:
    """The models of the run that this worker is in; those of the run before are let go."""
    return Extractor(job.params, most_workers())


def _provenance(job: Job, name: str) -> Provenance:
    with located(job):
        return _extractor(job).provenance(name)


def _label_texts(job: Job, name: str) -> np.ndarray:
    with located(job):
        return _extractor(job).label_texts(name)


def _spot_check(job: Job, name: str) -> None:
    with located(job):
        _extractor(job).spot_check(name)


def _extract(job: Job, task: TarTask) -> TarDone:
    with located(job):
        (done,) = _extractor(job).tars([task], lambda count: None)
        return done
