"""A run: holds the stores, hands out the tars that they lack, counts what comes back."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from functools import partial
from itertools import groupby
from typing import Protocol

import numpy as np

from pipeline.config import Params
from pipeline.shards import read_index
from pipeline.store import Provenance, StoreWriter
from pipeline.timing import store_timing, timed
from stage1_extract.extraction import filling, pending, shard_folder, store_folder, tar_task
from stage1_extract.progress import ExtractionProgress
from stage1_extract.tar_task import TarDone, TarTask

SHOWN = 5


class Teachers(Protocol):
    """Where the teachers run: an `Extractor` in this process, or a `Cluster` of workers."""

    def provenance(self, name: str) -> Provenance:
        """What determines the numbers of an extraction."""

    def label_texts(self, name: str) -> np.ndarray:
        """Features float32 [classes, dim] of the source's label prompts."""

    def spot_check(self, name: str) -> None:
        """Compute a few rows of a complete store again; raises UserError where they differ."""

    def tars(
        self, tasks: Sequence[TarTask], on_samples: Callable[[int], None]
    ) -> Generator[TarDone]:
        """Do tasks, in any order; `on_samples` is told of rows as they are dealt with."""


def extract(
    params: Params, names: Sequence[str], teachers: Teachers, progress: ExtractionProgress
) -> None:
    """Fill the stores of some extractions with what they lack.

    This process alone creates the stores, keeps them in order and writes the label texts; the
    teachers' processes write whole shards into them and nothing else. Features never come here.

    Raises:
        UserError: wrong input, a store that another run holds, or tars that kill their workers.
    """
    with ExitStack() as held:
        stores = {name: held.enter_context(_filling(params, name, teachers)) for name in names}
        for store in stores.values():
            if store.set_aside:
                print(f"another recipe's store was kept as {store.set_aside}")
            if store.dropped:
                print(f"{store.path}: dropped what is no longer prepared: {_listed(store.dropped)}")
        tasks = list(_tasks(params, stores))
        progress.start(tasks)
        for name, store in stores.items():
            held.enter_context(_timed(name, store, tasks))
        # Closed, so that behind a Ctrl-C no thread goes on decoding what it was asked for
        with closing(teachers.tars(tasks, progress.samples_done)) as tars:
            for done in tars:
                progress.tar_done(done)
        for name in names:
            teachers.spot_check(name)


def _filling(params: Params, name: str, teachers: Teachers) -> AbstractContextManager[StoreWriter]:
    return filling(
        store_folder(params, name),
        read_index(shard_folder(params, name)),
        teachers.provenance(name),
        params.views.count,
        partial(teachers.label_texts, name),
    )


def _tasks(params: Params, stores: Mapping[str, StoreWriter]) -> Iterator[TarTask]:
    """Source by source and block by block, each tar that some of the stores lack."""
    lacking = {name: set(pending(store)) for name, store in stores.items()}
    by_source = sorted(stores, key=lambda name: params.extract[name].source)
    for _, group in groupby(by_source, key=lambda name: params.extract[name].source):
        names = list(group)
        folder, index = shard_folder(params, names[0]), stores[names[0]].index
        wanted = set().union(*(lacking[name] for name in names))
        for shard, views in sorted(wanted, key=lambda task: (task[1].start, task[1].stop, task[0])):
            without = [name for name in names if (shard, views) in lacking[name]]
            yield tar_task(without, folder, index, shard, views)


def _timed(name: str, store: StoreWriter, tasks: Sequence[TarTask]) -> AbstractContextManager[None]:
    """Records what a run takes; stores that are filled together share it by their rows."""
    own = [task for task in tasks if name in task.names]
    if not own:
        return nullcontext()
    whole = len(own) == store.blocks * len(store.index.shards)
    share = sum(task.samples for task in own) / sum(task.rows for task in tasks)
    of, path = store.provenance.fingerprint, store.path
    return timed(store_timing(path), of, path, not whole, share)


def _listed(tars: Sequence[str]) -> str:
    more = f" and {len(tars) - SHOWN} more" if tars[SHOWN:] else ""
    return ", ".join(tars[:SHOWN]) + more
