"""One teacher over one source: the recipe of its store, and the store's shards, tar by tar."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pipeline.config import Params
from pipeline.engine import prefetched_map
from pipeline.errors import UserError
from pipeline.identity import (
    architecture_identity,
    store_identity,
    teacher_identity,
    templates_identity,
)
from pipeline.locations import path_or_url
from pipeline.openclip import arch_file
from pipeline.prompts import class_embeddings, templates
from pipeline.shards import ShardIndex, read_index
from pipeline.store import Provenance, ShardFeatures, ShardWriter, StoreWriter, exclusive
from pipeline.store.layout import VERSION, store_path
from pipeline.views import ViewMaker, chain_for
from stage1_extract.forward_pass import ForwardPass
from stage1_extract.progress import ExtractionProgress
from stage1_extract.shared_views import TarRows, ViewWorkers, view_workers
from stage1_extract.tar_encoder import TarEncoder
from stage1_extract.tar_task import TarDone, TarTask, tar_features
from stage1_extract.teachers import Teacher

TARS_AHEAD = 2
"""Tars that are encoded while one is written."""


class Extraction:
    """One teacher over one source's training split.

    Raises:
        UserError: the source is not prepared.
    """

    def __init__(self, params: Params, name: str, teacher: Teacher) -> None:
        self.name, self.teacher = name, teacher
        pair = params.extract[name]
        self._source, self._config = params.sources[pair.source], params.teachers[pair.teacher]
        self.folder, self.path = shard_folder(params, name), store_folder(params, name)
        self.index: ShardIndex = read_index(self.folder)
        self.maker = ViewMaker(
            chain_for(self._source.modality, teacher.modality), params.seed, params.views
        )
        self.forward = ForwardPass(
            teacher,
            self.maker,
            self._config.batch_size,
            self._config.precision,
            range(params.views.count),
        )

    @property
    def dtype(self) -> str:
        """Of the stored features."""
        return self._config.store

    @cached_property
    def provenance(self) -> Provenance:
        """What determines the store's numbers; hashes the weights when first asked for."""
        teacher, known_of_it = self.teacher, self.teacher.provenance
        prompts = self._source.prompts
        known = store_identity(
            teacher=teacher_identity(
                teacher.name,
                architecture_identity(teacher.arch, arch_file(teacher.arch)),
                self._config.precision,
                {**known_of_it, "modality": teacher.modality},
            ),
            views=self.maker.recipe(),
            index=self.index,
            templates=templates_identity(prompts, templates(prompts)),
            storage={"layout": VERSION, "dtype": self._config.store},
        )
        determines = {
            **known,
            "text": {**known["text"], "features": teacher.text_space is not None},
            "storage": {**known["storage"], "dim": teacher.dim},
        }
        origin = {"licence": teacher.licence, "repository": teacher.source}
        return Provenance(
            determines=determines, notes={**known_of_it, **origin, "versions": _versions()}
        )

    def label_texts(self, classes: Sequence[str] | None = None) -> np.ndarray:
        """Features float32 [classes, dim] of the label prompts in the teacher's text space; of all
        classes of the source, or of these."""
        prompts = templates(self._source.prompts)
        named = self.index.words if classes is None else classes
        return class_embeddings(self._encode_text, named, prompts).cpu().numpy()

    def run(self, progress: ExtractionProgress, workers: int = 0) -> None:
        """Extract what the store lacks, the teacher in this process; `workers` make the views."""
        count = len(self.forward.views)
        with (
            filling(self.path, self.index, self.provenance, count, self.label_texts) as store,
            view_workers(workers) as makers,
        ):
            tasks = [
                tar_task([self.name], self.folder, self.index, shard, views)
                for shard, views in pending(store)
            ]
            progress.start(tasks)
            for done in extract_tars(makers, [self], tasks, progress.samples_done):
                progress.tar_done(done)

    def write(self, task: TarTask, data: ShardFeatures) -> int:
        """Write a task's rows into the store; return their bytes."""
        self._writer.write(task.shard, data, task.block)
        return self._writer.layout.shard_bytes

    @cached_property
    def _writer(self) -> ShardWriter:
        return ShardWriter(self.path, self.provenance, self.index)

    def _encode_text(self, prompts: Sequence[str]) -> Tensor:
        features = self.teacher.encode_text(prompts)
        assert features is not None, f"{self.teacher.name} has a text space and no text features"
        return features


def shard_folder(params: Params, name: str) -> Path:
    """Folder of the training shards that an extraction reads."""
    return path_or_url(params.shards) / params.extract[name].source / "train"


def store_folder(params: Params, name: str) -> Path:
    """Folder of the store that an extraction fills."""
    pair = params.extract[name]
    return store_path(params.cache, pair.teacher, pair.source, "train")


def pending(store: StoreWriter) -> Iterator[tuple[int, range]]:
    """(tar, numbers of the views) of what a store lacks."""
    size = store.layout.views
    return ((shard, range(b * size, (b + 1) * size)) for shard, b in store.pending())


def tar_task(
    names: Sequence[str], folder: Path, index: ShardIndex, shard: int, views: range
) -> TarTask:
    """The task of one tar under one block of views, for some extractions over its source."""
    info = index.shards[shard]
    return TarTask(tuple(names), shard, str(folder / info.name), info.count, views)


@contextmanager
def filling(
    path: Path,
    index: ShardIndex,
    provenance: Provenance,
    views: int,
    label_texts: Callable[[], np.ndarray],
) -> Iterator[StoreWriter]:
    """Hold the store at `path`: created, resumed or taken up again, its label texts in place.

    Raises:
        UserError: another run holds it, or its provenance is damaged.
    """
    with exclusive(path):
        store = StoreWriter(path, provenance, index, views)
        has_texts = bool(index.classes) and provenance.determines["text"]["features"]
        if has_texts and not store.has_text():
            store.write_text(label_texts())
        yield store


def extract_tars(
    workers: ViewWorkers,
    extractions: Sequence[Extraction],
    tasks: Sequence[TarTask],
    on_samples: Callable[[int], None],
) -> Generator[TarDone]:
    """Do tasks of some extractions over one source, reading and decoding each sample once.

    The tasks must be of one block of views.
    """
    if not tasks:
        return
    passes = [replace(extraction.forward, views=tasks[0].views) for extraction in extractions]
    tars = [_rows(extractions[0], task) for task in tasks]
    with (
        closing(tar_features(workers, passes, tars, on_samples)) as encoded,
        ThreadPoolExecutor(1, "store") as thread,
        closing(
            prefetched_map(thread, partial(_write, extractions), zip(encoded, tasks), TARS_AHEAD)
        ) as written,
    ):
        yield from written


def _write(extractions: Sequence[Extraction], tar: tuple[Sequence[TarEncoder], TarTask]) -> TarDone:
    """Wait for a tar's features and write them."""
    encoders, task = tar
    pairs = [(each, encoder.features()) for each, encoder in zip(extractions, encoders)]
    for extraction, data in pairs:
        _refuse_all_failed(extraction, task, data)
    size = sum(extraction.write(task, data) for extraction, data in pairs)
    return TarDone(task, {extraction.name: data.failed for extraction, data in pairs}, size)


def _refuse_all_failed(extraction: Extraction, task: TarTask, data: ShardFeatures) -> None:
    """One bad sample is recorded; a whole tar of them is a fault of the teacher or the source."""
    if len(data.failed) == task.samples:
        source = extraction.index.dataset
        raise UserError(
            f"{task.tar}: none of its {task.samples} samples gives a finite feature of "
            f"{extraction.teacher.name} (first: {data.failed[0]}); look at one with python -m "
            f"pipeline.show --source {source} --key {data.failed[0]}, mend the source or the "
            "teacher's files, and run again: finished tars are kept"
        )


def _rows(extraction: Extraction, task: TarTask) -> TarRows:
    shard = extraction.index.shards[task.shard]
    return TarRows(extraction.folder, shard, range(shard.count))


def _versions() -> dict[str, Any]:
    """Library versions, for the record."""
    return {name: version(name) for name in ("torch", "torchvision", "pillow", "numpy", "zarr")}
