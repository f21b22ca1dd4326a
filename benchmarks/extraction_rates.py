"""Stage 1 and the bare forward loop: what `benchmarks.extraction` measures."""

import tempfile
import time
from dataclasses import replace

import torch

from pipeline.config import Params
from stage1_extract.configured_teacher import teacher_of
from stage1_extract.extraction import Extraction
from stage1_extract.pairs import select_extractions
from stage1_extract.progress import ExtractionProgress
from stage1_extract.shared_views import (
    TarRows,
    ViewsTask,
    most_workers,
    seen_samples,
    wanted,
)
from stage1_extract.teachers import Teacher


def measure(params: Params, teacher_name: str, source: str) -> None:
    """Print both rates and their ratio."""
    name = select_extractions(params, [teacher_name], [source])[0]
    teacher = teacher_of(params, teacher_name, source)
    bare = bare_rate(Extraction(params, name, teacher))
    staged = staged_rate(params, name, teacher)
    print(f"bare forward loop {bare:8.1f} samples/s (K = {params.views.count} views each)")
    print(f"stage 1           {staged:8.1f} samples/s")
    print(f"ratio             {staged / bare:8.3f}")


def bare_rate(extraction: Extraction) -> float:
    """Samples per second of the teacher alone, over one tar's views held in memory."""
    info = extraction.index.shards[0]
    tar = TarRows(extraction.folder, info, range(info.count))
    samples = seen_samples(ViewsTask(tar, (wanted(extraction.forward),)))
    seen = [sample.views[0] for sample in samples if sample.views[0] is not None]
    views = [torch.stack([extraction.forward.input(view.array) for view in row]) for row in seen]
    rows = extraction.forward.rows_per_batch
    batches = [torch.cat(views[i : i + rows]) for i in range(0, len(views), rows)]
    extraction.forward.encode(batches[0]).cpu()
    started = time.perf_counter()
    for batch in batches:
        extraction.forward.encode(batch).cpu()
    return len(views) / (time.perf_counter() - started)


def staged_rate(params: Params, name: str, teacher: Teacher) -> float:
    """Samples per second of a whole extraction from scratch."""
    with tempfile.TemporaryDirectory() as cache, ExtractionProgress(name) as progress:
        extraction = Extraction(replace(params, cache=cache), name, teacher)
        started = time.perf_counter()
        extraction.run(progress, most_workers())
        return extraction.index.samples / (time.perf_counter() - started)
