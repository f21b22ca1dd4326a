"""What runs in a worker process."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from threading import Thread
from typing import Any

import torch

from pipeline.allocator import keep_freed_memory
from pipeline.blas import one_blas_thread
from pipeline.commands import use_params_file
from pipeline.engine.blocks import Blocks
from pipeline.engine.packed import Packed, packed

_function: Callable[[Any], Any]
_blocks: Blocks


def start(function: Callable[[Any], Any], blocks: Blocks, params_file: str) -> None:
    """Make this process ready; messages recommend commands over `params_file`.

    A signal that reaches the whole group is the parent's to heed, which may still want its data.
    """
    global _function, _blocks
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    keep_freed_memory()
    one_blas_thread()
    torch.set_num_threads(1)
    use_params_file(params_file)
    _function, _blocks = function, blocks


def call(task: Any) -> Packed:
    """The function's result."""
    return packed(_function(task), _blocks)


def _end_with_parent() -> None:
    """A parent that is killed says nothing, and its pool's queue would be waited on for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
