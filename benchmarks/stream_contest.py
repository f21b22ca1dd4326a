"""Our stream beside other projects': what `benchmarks.stream` measures."""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks import view_members
from benchmarks.stream_ours import Ours
from benchmarks.stream_peers import PEERS, Sample, Stream
from pipeline.blas import one_blas_thread

DIM = 512
RANKS = (1, 4, 64)


def measure(undecoded: int, rounds: int) -> None:
    """Print a table of each job, and what ranks read."""
    with tempfile.TemporaryDirectory() as place:
        for decodes, count in ((False, undecoded), (True, undecoded // 4)):
            Console(width=100).print(contest(count, decodes, Path(place) / str(decodes), rounds))
        ours, split = Ours(decodes=False), Path(place) / "ours"
        ours.write(split, made_samples(undecoded, decodes=False))
        size = sum(tar.stat().st_size for tar in split.rglob("*.tar"))
        for ranks in RANKS:
            print(f"{ranks:3} ranks read {ours.read_bytes(split, ranks) / size:6.2f} x the split")


def made_samples(count: int, decodes: bool) -> list[Sample]:
    """Samples whose order of writing is already random."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((count, DIM), np.float32).astype(np.float16)
    jpeg = view_members.jpeg()
    return [
        Sample(f"{number:08}", jpeg if decodes else rng.bytes(20_000), row)
        for number, row in enumerate(rows)
    ]


def contest(count: int, decodes: bool, folder: Path, rounds: int) -> Table:
    """Rates and resumptions of each peer and of ours beside it, in a process of their own: what a
    peer leaves running counts against nobody else."""
    table = Table(title="JPEG and crop 224" if decodes else "20 KB samples, undecoded")
    table.add_column("stream")
    for column in ("samples/s", "ours", "ours / it", "resume, ms", "ours"):
        table.add_column(column, justify="right")
    for peer in PEERS:
        place = folder / peer.__name__
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            try:
                of_it, ours = process.submit(race, peer, count, decodes, place, rounds).result()
            except Exception as error:  # a peer's affair: the others are still measured
                table.add_row(peer.__name__, f"{type(error).__name__}: {str(error)[:60]}")
                continue
        rates = [count / best.passed for best in (of_it, ours)]
        resumed = [f"{1000 * best.resumed:.0f}" for best in (of_it, ours)]
        shown = [f"{rate:,.0f}" for rate in rates]
        table.add_row(peer(decodes).name, *shown, f"{rates[1] / rates[0]:.2f}", *resumed)
    return table


class Best(NamedTuple):
    """Seconds of a side's best pass, and of its best way to the first batch in a pass's middle."""

    passed: float
    resumed: float


def race(
    peer: Callable[[bool], Stream], count: int, decodes: bool, folder: Path, rounds: int
) -> tuple[Best, Best]:
    """A peer's best and ours, of alternate rounds."""
    torch.set_num_threads(1)
    one_blas_thread()
    samples = made_samples(count, decodes)
    sides: dict[Path, Stream] = {folder / "peer": peer(decodes), folder / "ours": Ours(decodes)}
    for place, side in sides.items():
        place.mkdir(parents=True)
        side.write(place, samples)
    found = [
        (_pass_seconds(side, at, count), _resume_seconds(side, at, count // 2))
        for _ in range(rounds)
        for at, side in sides.items()
    ]
    of_it, ours = zip(*found[::2]), zip(*found[1::2])
    return Best(*map(min, of_it)), Best(*map(min, ours))


def _pass_seconds(side: Stream, folder: Path, count: int) -> float:
    start = time.process_time()
    found = sum(len(batch[0]) for batch in side.batches(folder))
    assert found == count, f"{found} of {count} samples"
    return time.process_time() - start


def _resume_seconds(side: Stream, folder: Path, skip: int) -> float:
    start = time.process_time()
    batches = side.batches(folder, skip)
    next(batches)
    return time.process_time() - start
