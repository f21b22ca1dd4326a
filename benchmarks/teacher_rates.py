"""A teacher beside its module: what `benchmarks.teachers` measures."""

import resource
import time
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from pipeline.unknown_name import unknown_name
from stage1_extract.teachers import Teacher, load_teacher
from stage1_extract.teachers.clip import ClipTeacher
from stage1_extract.teachers.multimae import MultiMaeTeacher

INPUTS = {
    "ulip1-pointbert": (8192, 3),
    "ulip2-pointbert": (10_000, 6),
    "recon-zeroshot": (1024, 3),
    "vitlens-l-pc": (8192, 3),
    "vitlens-l-depth": (1, 224, 224),
    "vitlens-l-audio": (512, 128),
    "multimae-b": (1, 224, 224),
}
"""Shape of one official input; of a CLIP, [3, S, S] at its own size."""
BATCH, ROUNDS = 4, 7


def measure(name: str, arch: str, weights: str) -> None:
    """Print what loading takes, and both rates."""
    started = time.perf_counter()
    teacher = load_teacher(name, weights=weights, arch=arch)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{arch}: load_teacher {seconds:.1f} s, peak memory {peak:.2f} GiB")
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(BATCH, *input_shape(teacher), generator=generator)
    if arch.endswith(("bert", "pc", "zeroshot")):
        batch /= batch.norm(dim=-1).max()  # clouds live in the unit sphere
    bare, encode = alternated(bare_forward(teacher), teacher.encode, batch)
    print(f"bare forward {BATCH / bare:.3f}/s, encode {BATCH / encode:.3f}/s: {bare / encode:.3f}")


def input_shape(teacher: Teacher) -> tuple[int, ...]:
    """Of one official input.

    Raises:
        UserError: an arch without an entry in `INPUTS`.
    """
    if isinstance(teacher, ClipTeacher):
        return (3, teacher.clip.image_size, teacher.clip.image_size)
    if teacher.arch not in INPUTS:
        raise unknown_name("architecture", teacher.arch, INPUTS)
    return INPUTS[teacher.arch]


def bare_forward(teacher: Teacher) -> Callable[[Tensor], Any]:
    """The forward pass of the one module that the teacher's features come out of."""
    if isinstance(teacher, ClipTeacher):
        return cast(Any, teacher.clip.model).encode_image
    if isinstance(teacher, MultiMaeTeacher):
        return lambda batch: teacher.model({"depth": batch})
    fields: dict[str, Any] = vars(teacher)
    return next(fields[name] for name in ("encoder", "model", "tower") if name in fields)


@torch.no_grad()
def alternated(
    first: Callable[[Tensor], Any], second: Callable[[Tensor], Any], batch: Tensor
) -> tuple[float, float]:
    """Least seconds of each, taken in turns after one round that does not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS + 1):
        for run, taken in zip((first, second), times):
            started = time.perf_counter()
            run(batch)
            taken.append(time.perf_counter() - started)
    return min(times[0][1:]), min(times[1][1:])
