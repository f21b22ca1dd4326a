"""Several ranks on this machine, over gloo: what torchrun would start, at the price of a fork."""

import multiprocessing
import os
import pickle
import socket
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_PATIENCE = 300.0
"""Seconds; no test comes near unless something hangs."""


def on_ranks(
    count: int, function: Callable[..., Any], *arguments: Any, stderr: Path | None = None
) -> list[Any]:
    """What `function` returns on each rank, or the exit code of a rank that did not return.

    What the ranks say on stderr goes to the file of that name, if there is one.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ends = [_CONTEXT.Pipe(duplex=False) for _ in range(count)]
    ranks = [
        _CONTEXT.Process(
            target=_rank, args=(rank, count, port, ends[rank][1], stderr, function, arguments)
        )
        for rank in range(count)
    ]
    for process, (_, writing) in zip(ranks, ends):
        process.start()
        writing.close()
    results = [_result(process, reading) for process, (reading, _) in zip(ranks, ends)]
    for process in ranks:
        process.kill()
    return results


def _result(process: Any, reading: Connection) -> Any:
    try:
        return pickle.loads(reading.recv_bytes()) if reading.poll(_PATIENCE) else "hangs"
    except EOFError:
        process.join(_PATIENCE)
        return process.exitcode


def _rank(
    rank: int,
    count: int,
    port: int,
    writing: Connection,
    stderr: Path | None,
    function: Callable,
    arguments: tuple,
) -> None:
    if stderr:
        os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    import torch

    from pipeline.errors import UserError
    from stage2_train.training.ranks import process_group

    torch.set_num_threads(1)
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT")
    os.environ |= dict(zip(names, map(str, (rank, rank, count, port))), MASTER_ADDR="127.0.0.1")
    try:
        with process_group(_PATIENCE):
            result = function(*arguments)
    except UserError as error:
        sys.exit(f"error: {error}")
    # Not send(): it would share tensors through files that end with this process.
    writing.send_bytes(pickle.dumps(result))
