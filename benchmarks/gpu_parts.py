"""The parts of `benchmarks.gpu`, and its table."""

import faulthandler
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_world import FULL, TINY, Scale, make_world
from pipeline.config import Params
from pipeline.device import default_device

PRODUCT, BATCH = 8192, 128


class Table:
    """Lines of (what, value, unit), printed as they come and kept in a file.

    Args:
        path: of the file, if one is wanted.
        seconds: after which `left` is 0.
    """

    def __init__(self, path: Path | None, seconds: float) -> None:
        self._file = path.open("w") if path else None
        self._end = time.monotonic() + seconds

    def line(self, what: str, value: float | str = "", unit: str = "") -> None:
        """Print and write one line."""
        shown = value if isinstance(value, str) else f"{value:.4g}"
        text = f"{what:<58}{shown:>10} {unit}".rstrip()
        print(text, flush=True)
        if self._file:
            print(text, file=self._file, flush=True)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self._end - time.monotonic()

    def part(self, name: str, needs: float, measure: Callable[[], None]) -> None:
        """Measure something that takes up to `needs` seconds, if there are so many left.

        What fails is a line too: the parts behind it may still be had.
        """
        if self.left < needs:
            self.line(f"{name}: no time left ({self.left:.0f} of {needs:.0f} s)")
            return
        try:
            measure()
        except Exception as error:
            self.line(f"{name}: FAILED {type(error).__name__}: {str(error)[:300]}")


def measure(path: Path | None, seconds: float, dry_run: bool) -> None:
    """The whole table within some seconds, in a file too if one is named."""
    # What hangs, in a library or a process, must not outlast the limit either.
    faulthandler.dump_traceback_later(seconds + 15, exit=True)
    table = Table(path, seconds)
    with tempfile.TemporaryDirectory() as folder:
        measure_all(table, TINY if dry_run else FULL, Path(folder))
    faulthandler.cancel_dump_traceback_later()


def measure_all(table: Table, scale: Scale, root: Path) -> None:
    """All parts, those first that the others are compared with."""
    from benchmarks import gpu_student, gpu_teachers
    from stage1_extract.extractor import Extractor
    from stage1_extract.shared_views import most_workers

    on_gpu = default_device() == "cuda"
    machine = torch.cuda.get_device_name() if on_gpu else "CPU"
    cores = len(os.sched_getaffinity(0))
    table.line(f"{machine}, {cores} cores, torch {torch.__version__}")
    product: list[float] = []
    table.part("product", 10, lambda: product.append(bf16_product(table, on_gpu)))
    table.part("kernels", 20, lambda: kernels(table, on_gpu))
    started = time.monotonic()
    params: Params = make_world(root, scale)
    table.line("world made in", time.monotonic() - started, "s")
    with closing(Extractor(params, most_workers())) as extractor:
        for name in params.extract:
            needs, args = 30 if on_gpu else 10, (table, extractor, params, name, cores)
            table.part(name, needs, partial(gpu_teachers.measure, *args))
    gpu_student.measure(table, params, product[0] if product else 0.0)


def seconds_of(run: Callable[[], Any], limit: float = 3.0, most: int = 20) -> float:
    """Mean seconds of a run after two that do not count; the device is waited for at the end."""
    for _ in range(2):
        run()
    wait_for_device()
    started, runs = time.perf_counter(), 0
    while runs < most and time.perf_counter() - started < limit:
        run()
        runs += 1
        if runs % 5 == 0:  # or all would be queued at once, whatever the limit
            wait_for_device()
    wait_for_device()
    return (time.perf_counter() - started) / runs


def wait_for_device() -> None:
    """For what is queued on a GPU."""
    if default_device() == "cuda":
        torch.cuda.synchronize()


def bf16_product(table: Table, on_gpu: bool) -> float:
    """Operations a second of a product of two square bf16 matrices."""
    size, device = (PRODUCT, "cuda") if on_gpu else (256, "cpu")
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    rate = 2 * size**3 / seconds_of(lambda: a @ b, most=100)
    table.line(f"bf16 product of {size} x {size} matrices", rate / 1e12, "TFLOP/s")
    return rate


def kernels(table: Table, on_gpu: bool) -> None:
    """What the device does instead of the loaders."""
    from pipeline import batched_spectrogram, farthest_points
    from stage2_train.student.tokenizers.grouping import group_batch

    device = "cuda" if on_gpu else "cpu"
    clouds, points, groups = (BATCH, 8192, 512) if on_gpu else (2, 256, 16)
    xyz = torch.randn(clouds, points, 3, device=device)
    every = torch.ones(clouds, points, dtype=torch.bool, device=device)
    distance = torch.where(every, torch.inf, -1.0)

    def rate(what: str, run: Callable[[], Any]) -> None:
        table.line(what, clouds / seconds_of(run), "samples/s")

    shape = f"{groups} of {points} points"
    loop = farthest_points._picks_in_torch
    rate(f"farthest {shape}", lambda: farthest_points.farthest_points(xyz, every, groups))
    rate("  by one torch step a pick", lambda: loop(xyz, distance, groups))
    picks = farthest_points.farthest_points(xyz, every, groups)
    equal = torch.equal(picks, loop(xyz, distance, groups))
    table.line("  picks of both", "equal" if equal else "DIFFERENT")
    rate(f"grouping, {shape}, 32 neighbours", lambda: group_batch(xyz, groups, 32))
    sounds = torch.rand(clouds, 80_000, device=device) - 0.5
    rate("spectrograms of 5 s", lambda: batched_spectrogram.log_mels(sounds, "hamming"))
    found = batched_spectrogram.log_mels(sounds[:4], "hamming").cpu()
    apart = (found - batched_spectrogram.log_mels(sounds[:4].cpu(), "hamming")).abs().max()
    table.line("  largest difference from the CPU's", float(apart))
