"""Which threads of a training process may use the CPU's cores."""

import os

import torch

from pipeline.blas import one_blas_thread


def spare_cores(loader_workers: int) -> None:
    """Leave each loader process a core of its own, and only that, where torch uses the CPU.

    Torch's threads spin while they wait for each other, so with a loader on their cores every
    product waits for the thread that was pushed aside. `OMP_NUM_THREADS`, which torchrun sets,
    goes before. Call once.
    """
    one_blas_thread()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() - loader_workers))
