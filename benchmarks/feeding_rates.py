"""Stage 1 with views and features that cost nothing: what `benchmarks.feeding` measures."""

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.allocator import keep_freed_memory
from pipeline.batched_spectrogram import row_length
from pipeline.config import Params, load_params
from pipeline.engine import Workers
from pipeline.shards import ShardIndex, ShardInfo, write_index
from pipeline.unknown_name import unknown_name
from pipeline.views import View
from stage1_extract.extraction import Extraction, extract_tars, filling, pending, tar_task
from stage1_extract.progress import ExtractionProgress
from stage1_extract.shared_views import SeenSample, ViewsTask

ROWS: dict[str, tuple[str, tuple[int, ...], type]] = {
    "renders": ("clip", (3, 224, 224), np.uint8),
    "turntables": ("clip", (8, 3, 224, 224), np.uint8),
    "objects": ("ulip", (8192, 3), np.float32),
    "depths": ("vitlens", (1, 224, 224), np.float32),
    "sounds": ("vitlens", (row_length(80_000, 512),), np.float32),
}
"""Source of the demo -> teacher, and shape and dtype of a view as it crosses to the device."""
VIEWS, BATCH, A_TAR, DIM = 2, 256, 256, 512
TARS = 12


@dataclass
class FreeTeacher:
    """Its features cost nothing."""

    modality: str
    name: str = "free"
    arch: str = "free"
    dim: int = DIM
    text_space: str | None = None
    licence: str = "none"
    source: str = "none"
    files: Sequence[Path] = ()
    provenance: dict[str, str] = field(default_factory=lambda: {"weights_sha256": "0" * 64})

    def preprocess(self, view: np.ndarray) -> Tensor:
        """The view."""
        return torch.from_numpy(view)

    def encode(self, batch: Tensor) -> Tensor:
        """The first numbers of each row."""
        return batch.flatten(1)[:, :DIM].float()

    def encode_text(self, prompts: Sequence[str]) -> None:
        """None: there are no labels."""


def measure(only: Sequence[str]) -> None:
    """A line for each source of `ROWS`, or for these.

    Raises:
        UserError: one that is not there.
    """
    for source in only or ROWS:
        if source not in ROWS:
            raise unknown_name("source", source, ROWS)
        with tempfile.TemporaryDirectory() as folder:
            whole, first, worker = rates(empty_world(Path(folder), source), source)
        print(
            f"{source:10} main process {whole:6.0f}/s, its first thread {first:6.0f}/s, "
            f"one worker {worker:6.0f}/s",
            flush=True,
        )


def rates(params: Params, source: str) -> tuple[float, float, float]:
    """Samples per CPU second of the main process, of its first thread, and of the worker."""
    keep_freed_memory()  # as an `Extractor` does; pinned batches are kept likewise
    modality = "image" if ROWS[source][0] == "clip" else params.sources[source].modality
    extraction = Extraction(params, f"{ROWS[source][0]}-{source}", FreeTeacher(modality))
    with (
        filling(
            extraction.path, extraction.index, extraction.provenance, VIEWS, extraction.label_texts
        ) as store,
        Workers(ready, 1, "Run again") as workers,
        ExtractionProgress(source) as progress,
    ):
        where = [extraction.name], extraction.folder, extraction.index
        tasks = [tar_task(*where, shard, views) for shard, views in pending(store)]
        progress.start(tasks)
        list(extract_tars(workers, [extraction], tasks[:1], progress.samples_done))  # starts it
        before = _seconds(workers)
        list(extract_tars(workers, [extraction], tasks[1:], progress.samples_done))
        spent = np.subtract(_seconds(workers), before)
    whole, first, worker = sum(task.samples for task in tasks[1:]) / spent
    return float(whole), float(first), float(worker)


def empty_world(folder: Path, source: str) -> Params:
    """The demo's params at full sizes, over an index whose tars nobody will read."""
    params = load_params()
    params = replace(
        params,
        shards=str(folder / "shards"),
        cache=str(folder / "cache"),
        views=replace(params.views, count=VIEWS),
        teachers={name: replace(it, batch_size=BATCH) for name, it in params.teachers.items()},
    )
    tars = [
        ShardInfo(name=f"{number:06}.tar", count=A_TAR, bytes=0, xxh3="")
        for number in range(TARS + 1)
    ]
    index = ShardIndex(
        format=2, dataset=source, split="train", modality=params.sources[source].modality,
        classes=[], captions=[], licence="made", recipe={}, samples_per_shard=A_TAR, shards=tars,
    )  # fmt: skip
    (folder / "shards" / source / "train").mkdir(parents=True)
    write_index(folder / "shards" / source / "train", index)
    return params


def ready(task: ViewsTask) -> list[SeenSample]:
    """The samples of a task; their views hold the same numbers."""
    shape, dtype = ROWS[task.samples.folder.parent.name][1:]
    row = _zeros(shape, dtype)
    return [
        SeenSample(str(number), [[View(row[...], 1, 2) for _ in range(VIEWS)]])
        for number in task.samples.rows
    ]


@cache
def _zeros(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    return np.zeros(shape, dtype)


def _seconds(workers: Workers[Any, Any]) -> tuple[float, float, float]:
    """CPU seconds of this process, of this thread and of the one worker."""
    (process,) = workers._context.started
    used = Path(f"/proc/{process.pid}/stat").read_text().split()[13:15]
    worker = sum(map(int, used)) / os.sysconf("SC_CLK_TCK")
    return time.process_time(), time.thread_time(), worker
