"""Resident memory of short and long runs: what `benchmarks.memory` measures."""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import torch
from msgspec import structs

from benchmarks.worker_rates import SOURCE, prepared
from eval import encode
from eval.encode import Encoder, encode_split
from pipeline.config import Params
from pipeline.shards import ROWS, read_index, write_index
from stage1_extract.client import extract
from stage1_extract.extraction import shard_folder
from stage1_extract.extractor import Extractor
from stage1_extract.forward_pass import canonical
from stage1_extract.progress import ExtractionProgress

EXTRACTION, TIMES = "clip-objects", 10
MIB = 2**20
Trace = list[tuple[float, float]]
"""(seconds, MiB)."""


def measure(plot: Path | None) -> None:
    """Print the peaks of both works, and draw them if a file is named."""
    with tempfile.TemporaryDirectory() as place:
        params = prepared(Path(place), 8)
        short = {work: traced(work, replace(params, cache=f"{place}/short")) for work in WORKS}
        lengthen(params)
        long = {work: traced(work, replace(params, cache=f"{place}/long")) for work in WORKS}
    for work in WORKS:
        told(work, short[work], long[work])
        if plot:
            draw(short[work], long[work], plot.with_stem(f"{plot.stem}-{work}"))


def told(work: str, short: Trace, long: Trace) -> None:
    """Print the peaks of a work."""
    half = len(long) // 2
    early, late = (max(mib for _, mib in part) for part in (long[:half], long[half:]))
    print(f"{work}: peak of the short run          {max(mib for _, mib in short):8.0f} MiB")
    print(f"{work}: peak of the {TIMES} x longer run     {max(mib for _, mib in long):8.0f} MiB")
    print(f"{work}: its second half over its first {late / early:8.3f}")


def lengthen(params: Params) -> None:
    """Put every tar into the index ten times."""
    folder = shard_folder(params, EXTRACTION)
    index = read_index(folder)
    shards = []
    for turn in range(TIMES):
        for info in index.shards:
            linked = structs.replace(info, name=f"{turn}-{info.name}")
            for ending in ("", ROWS):
                os.link(folder / (info.name + ending), folder / (linked.name + ending))
            shards.append(linked)
    write_index(folder, replace(index, shards=shards))


def traced(work: str, params: Params) -> Trace:
    """Resident memory of a process that does the work, five times a second."""
    process = multiprocessing.get_context("spawn").Process(target=WORKS[work], args=(params,))
    process.start()
    watched, started = psutil.Process(process.pid), time.monotonic()
    trace: Trace = []
    while process.is_alive():
        try:
            trace.append((time.monotonic() - started, watched.memory_info().rss / MIB))
        except psutil.NoSuchProcess:
            break
        time.sleep(0.2)
    process.join()
    return trace


def _extract(params: Params) -> None:
    with ExtractionProgress(EXTRACTION) as progress:
        extract(params, [EXTRACTION], Extractor(params), progress)


def _evaluate(params: Params) -> None:
    encode.FEW_VIEWS = 0  # worker processes for the short run too
    params = replace(params, views=replace(params.views, points=8192))
    mean = Encoder("mean", canonical, lambda views: torch.from_numpy(np.stack(views)).mean(dim=1))
    encode_split(params, SOURCE, "train", [mean])


WORKS: dict[str, Callable[[Params], None]] = {"extraction": _extract, "evaluation": _evaluate}


def draw(short: Trace, long: Trace, path: Path) -> None:
    """Resident memory over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for trace, label in ((short, "8 tars"), (long, "80 tars")):
        axes.plot(*zip(*trace), label=label)
    axes.set(xlabel="seconds", ylabel="resident memory, MiB", ylim=(0, None))
    axes.legend()
    figure.savefig(path, dpi=120)
