"""Our stream beside other projects': what `benchmarks.stream` measures."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

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
    torch.set_num_threads(1)
    one_blas_thread()
    with tempfile.TemporaryDirectory() as place:
        for decodes, count in ((False, undecoded), (True, undecoded // 4)):
            samples = made_samples(count, decodes)
            folder = Path(place) / f"decodes-{decodes}"
            Console(width=100).print(contest(samples, decodes, folder, rounds))
        ours, split = Ours(decodes=False), Path(place) / "decodes-False" / "Ours"
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


def contest(samples: Sequence[Sample], decodes: bool, folder: Path, rounds: int) -> Table:
    """Every side's rate and resumption, and ours over each peer's."""
    sides: list[Stream] = [Ours(decodes), *(peer(decodes) for peer in PEERS)]
    measured = {side.name: _tried(side, samples, folder, rounds) for side in sides}
    ours = measured[sides[0].name]
    table = Table(title="JPEG and crop 224" if decodes else "20 KB samples, undecoded")
    table.add_column("stream")
    for column in ("samples/s", "ours / it", "resume, ms"):
        table.add_column(column, justify="right")
    for name, found in measured.items():
        if isinstance(found, str) or isinstance(ours, str):
            table.add_row(name, str(found))
        else:
            rate, resume = found
            table.add_row(name, f"{rate:,.0f}", f"{ours[0] / rate:.2f}", f"{1000 * resume:.0f}")
    return table


def _tried(
    side: Stream, samples: Sequence[Sample], folder: Path, rounds: int
) -> tuple[float, float] | str:
    try:
        return measured(side, samples, folder / type(side).__name__, rounds)
    except Exception as error:  # a peer's affair: the others are still measured
        return f"{type(error).__name__}: {str(error)[:60]}"


def measured(
    side: Stream, samples: Sequence[Sample], folder: Path, rounds: int
) -> tuple[float, float]:
    """(samples per second of a pass, seconds to the first batch in its middle), the best each."""
    folder.mkdir(parents=True)
    side.write(folder, samples)

    passes = [_pass_seconds(side, folder, len(samples)) for _ in range(rounds)]
    resumed = [_resume_seconds(side, folder, len(samples) // 2) for _ in range(rounds)]
    return len(samples) / min(passes), min(resumed)


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
