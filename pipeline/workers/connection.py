"""Clients of dask clusters: of one that this process starts, and of any that is there."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import dask
import torch
from dask.system import CPU_COUNT
from distributed import Client, Nanny, Scheduler, SpecCluster

from pipeline.errors import UserError
from pipeline.interruption import deaf_children

LOOPBACK = "127.0.0.1"
TIMEOUT = 10
"""Seconds for a scheduler to answer."""
DEATHS = 3
"""Workers that a tar may kill; then the run goes on without it."""


@contextmanager
def local_client(workers: int) -> Iterator[Client]:
    """A cluster on this machine: a process and, where there are GPUs, a GPU for each worker."""
    scheduler = {
        "host": LOOPBACK,
        "port": 0,
        "dashboard_address": f"{LOOPBACK}:0",
        "allowed_failures": DEATHS - 1,
    }
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(_environment(workers)))
        with deaf_children():
            cluster = SpecCluster(
                workers={n: {"cls": Nanny, "options": _worker(n)} for n in range(workers)},
                scheduler={"cls": Scheduler, "options": scheduler},
                silence_logs=logging.WARNING,
            )
            stack.enter_context(cluster)
        client = stack.enter_context(Client(cluster))
        try:
            yield client
        except KeyboardInterrupt:
            logging.disable()  # of workers that are killed amid a tar there is nothing to say
            raise


@contextmanager
def connected_client(address: str) -> Iterator[Client]:
    """A cluster that somebody else started; waits for its first worker.

    Raises:
        UserError: no scheduler answers there.
    """
    try:
        client = Client(address, timeout=TIMEOUT)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"--scheduler {address}: no dask scheduler answers ({reason})") from None
    with client:
        if not client.scheduler_info()["workers"]:
            print(f"--scheduler {address}: no worker yet, waits for the first", file=sys.stderr)
        client.wait_for_workers(1)
        yield client


def _environment(workers: int) -> dict[str, str | bool]:
    """Settings for what is in a worker's environment before its process starts.

    The libraries that it imports look no later. The C library is to keep freed memory, which dask
    would have it return at once.
    """
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    memory = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
    variables = {
        **dict.fromkeys(threads, str(max(1, CPU_COUNT // workers))),
        **dict.fromkeys(memory, str(1 << 30)),
    }
    prefix = "distributed.nanny.pre-spawn-environ."
    environment = {f"{prefix}{variable}": value for variable, value in variables.items()}
    # A daemonic process may have no children, and a worker's make its views
    return {**environment, "distributed.worker.daemon": False}


def _worker(number: int) -> dict[str, Any]:
    """Options of a worker's nanny; an error is the client's to print, memory the kernel's."""
    options = {
        "host": LOOPBACK,
        "nthreads": 1,
        "memory_limit": 0,
        "silence_logs": logging.CRITICAL,
    }
    devices = _devices()
    if not devices:
        return options
    device = {"CUDA_VISIBLE_DEVICES": devices[number % len(devices)]}
    return {**options, "resources": {"GPU": 1}, "env": device}


def _devices() -> list[str]:
    """The GPUs of this process, as CUDA_VISIBLE_DEVICES names them."""
    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[:count] if visible else [str(number) for number in range(count)]
