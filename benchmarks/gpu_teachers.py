"""The stage 1 part of `benchmarks.gpu`."""

import time
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor

from benchmarks.gpu_cores import Counted, all_cores_rate
from benchmarks.gpu_parts import Table, seconds_of
from pipeline.config import Params
from pipeline.device import default_device
from pipeline.samples import decode_member
from pipeline.shards import read_shard
from stage1_extract.client import extract
from stage1_extract.extraction import Extraction
from stage1_extract.extractor import Extractor
from stage1_extract.progress import ExtractionProgress
from stage1_extract.shared_views import (
    SeenSample,
    TarRows,
    ViewsTask,
    seen_samples,
    wanted,
)
from stage1_extract.tar_task import parts_of
from stage1_extract.teachers import load_teacher

COMPARED = 4
"""Views whose features the CPU computes too."""
BARE_SECONDS, ONE_CORE_SECONDS = 2.0, 2.0
SCARCE = 1.5
"""Cores that make so many times what the teacher takes, or fewer, may be what stage 1 waits for."""


def measure(table: Table, extractor: Extractor, params: Params, name: str, cores: int) -> None:
    """One extraction: its teacher alone, from scratch into the store, and beside the CPU."""
    extraction = extractor.extraction(name)
    bare = bare_rate(extraction)
    core = one_core_rate(extraction)
    started = time.monotonic()
    with _Paced(name) as progress:
        extract(params, [name], extractor, progress)
    whole = extraction.index.samples / (time.monotonic() - started)
    table.line(f"{name}: bare forward", bare, "samples/s")
    table.line("  views made by one core", core, "samples/s")
    table.line("  stage 1, its start and checks included", whole, "samples/s")
    staged = progress.pace()
    table.line("  stage 1 from then on", staged, "samples/s")
    table.line("  over min(bare forward, cores x one core)", staged / min(bare, cores * core))
    if cores * core < SCARCE * bare:
        every = every_core_rate(extraction, core, cores)
        table.line("  views made by all cores at once", every, "samples/s")
        table.line("  over min(bare forward, that)", staged / min(bare, every))
    apart, cosine = difference_from_cpu(params, extraction)
    table.line("  features from the CPU's in fp32, largest over the norm", apart)
    table.line("  least cosine to the CPU's", f"{cosine:.7f}")


class _Paced(ExtractionProgress):
    """Remembers when samples were done."""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self._times: list[tuple[float, int]] = []

    def samples_done(self, count: int) -> None:
        """Count samples."""
        super().samples_done(count)
        self._times.append((time.monotonic(), count))

    def pace(self) -> float:
        """Samples a second behind the first eighth of them."""
        first = len(self._times) // 8
        seconds = self._times[-1][0] - self._times[first][0]
        return sum(count for _, count in self._times[first + 1 :]) / max(seconds, 1e-9)


def bare_rate(extraction: Extraction) -> float:
    """Samples a second of the teacher over one batch that lies on the device."""
    forward = extraction.forward
    samples = _samples(extraction)
    rows = forward.rows_per_batch
    seen = [view for sample in islice(samples, 8) for view in sample.views[0] or []]
    views = torch.stack([forward.input(view.array) for view in seen])
    batch = views.repeat(-(-rows * len(forward.views) // len(views)), *[1] * (views.ndim - 1))
    batch = batch[: rows * len(forward.views)]
    device, low = default_device(), forward.precision == "bfloat16"
    if device == "cuda":
        batch = forward.on_gpu(batch)

    def run() -> Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=low):
            return forward.teacher.encode(batch)

    return rows / seconds_of(run, limit=BARE_SECONDS)


def one_core_rate(extraction: Extraction) -> float:
    """Samples a second that one thread decodes and augments, all views of each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    samples, count, started = _samples(extraction), 0, time.perf_counter()
    for sample in samples:
        for view in sample.views[0] or []:
            extraction.forward.input(view.array)
        count += 1
        if time.perf_counter() - started > ONE_CORE_SECONDS:
            break
    rate = count / (time.perf_counter() - started)
    torch.set_num_threads(threads)
    return rate


def every_core_rate(extraction: Extraction, core: float, cores: int) -> float:
    """Samples a second whose views all cores make at once; `core` is what one makes alone."""
    info, seen = extraction.index.shards[0], (wanted(extraction.forward),)
    tar = TarRows(extraction.folder, info, range(info.count))
    tasks = [ViewsTask(part, seen) for part in parts_of(tar)]
    work = Counted(seen_samples, _samples_of)
    return all_cores_rate(work, tasks, cores, ONE_CORE_SECONDS * cores * core)


def _samples_of(task: ViewsTask) -> int:
    return len(task.samples.rows)


def difference_from_cpu(params: Params, extraction: Extraction) -> tuple[float, float]:
    """Of fp32 features: the largest difference over the row's norm, and the least cosine."""
    model = params.teachers[params.extract[extraction.name].teacher].model(
        params.sources[params.extract[extraction.name].source].modality
    )
    on_cpu = load_teacher(
        extraction.teacher.name, weights=model.weights, arch=model.arch, device="cpu"
    )
    maker = extraction.maker
    views = [
        maker(decode_member(members, maker.chain.member), key, 0).array
        for key, members in islice(_members(extraction), COMPARED)
    ]
    expected = on_cpu.encode(torch.stack([on_cpu.preprocess(view) for view in views])).double()
    forward = extraction.forward
    rows = torch.stack([forward.input(forward.handed_on(view)) for view in views])
    if default_device() == "cuda":
        rows = extraction.forward.on_gpu(rows)
    found = extraction.teacher.encode(rows).cpu().double()
    apart = (found - expected).abs().amax(1) / expected.norm(dim=1)
    cosines = torch.nn.functional.cosine_similarity(found, expected, dim=1)
    return float(apart.max()), float(cosines.min())


def _samples(extraction: Extraction) -> Iterator[SeenSample]:
    """Of the first tar, made one by one in this thread."""
    info = extraction.index.shards[0]
    for row in range(info.count):
        tar = TarRows(extraction.folder, info, range(row, row + 1))
        yield from seen_samples(ViewsTask(tar, (wanted(extraction.forward),)))


def _members(extraction: Extraction) -> Iterator[tuple[str, dict[str, bytes]]]:
    return read_shard(extraction.folder, extraction.index.shards[0])
