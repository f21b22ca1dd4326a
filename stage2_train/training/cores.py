"""Which threads of a training process may use the CPU's cores."""

import os

import torch

from pipeline.blas import one_blas_thread
from pipeline.device import default_device


def spare_cores(loader_workers: int) -> None:
    """Leave each loader process a core of its own, and only that, where torch uses the CPU.

    Torch's threads spin while they wait for each other, so with a loader on their cores every
    product waits for the thread that was pushed aside. Beside a GPU one thread is enough for what
    is left to the CPU. `OMP_NUM_THREADS`, which torchrun sets, goes before. Call once.
    """
    one_blas_thread()
    if "OMP_NUM_THREADS" not in os.environ:
        left = torch.get_num_threads() - loader_workers
        torch.set_num_threads(max(1, left) if default_device() == "cpu" else 1)
