"""Memory that results lie in on their way between processes, used again when they are gone.

Fresh shared memory costs far more than what is copied into it: the kernel clears each page for the
process that first writes there, and takes it back from the one that lets go of it last.
"""

import fcntl
import os
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import ALLOCATIONGRANULARITY, mmap
from multiprocessing.reduction import DupFd
from threading import Lock
from typing import Any

import numpy as np

MOST = 65536
"""Blocks that there can be."""
SEGMENT = 1 << 28
"""Bytes of the file that are mapped at a time: each mapping costs a file descriptor."""
_START, _SIZE, _TAKEN = range(3)


class Blocks:
    """Blocks of one file without a name, of which nothing is left when the processes have ended.

    A process shares those that are among the arguments it is started with. Any process takes a
    block and fills it; the one that made this holds it until the arrays in it are gone. A block
    once made is kept, and its size is a power of two: pages behind a result are never touched.
    """

    def __init__(self, file: Any = None) -> None:
        """`file` is how a process that is started gets at the file."""
        self._file: int = _nameless_file() if file is None else file.detach()
        weakref.finalize(self, os.close, self._file)
        if file is None:
            os.truncate(self._file, SEGMENT)
        self._mapped = {0: mmap(self._file, SEGMENT)}
        self._table = np.frombuffer(self._mapped[0], np.int64, MOST * 3).reshape(MOST, 3)
        self._table[0] = 0, self._table.nbytes, 1  # the table's own
        self._made = 1
        self._held: dict[int, weakref.ref[np.ndarray]] = {}
        self._holding = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return Blocks, (DupFd(self._file),)

    def take(self, size: int) -> tuple[int, memoryview]:
        """A block that no array lies in: its number, and `size` bytes of it, at least 1."""
        room = max(ALLOCATIONGRANULARITY, 1 << (size - 1).bit_length())
        with self._alone():
            while self._table[self._made, _SIZE]:
                self._made += 1
            table = self._table[: self._made]
            free = np.flatnonzero((table[:, _SIZE] == room) & (table[:, _TAKEN] == 0))
            number = int(free[0]) if len(free) else self._new(room)
            self._table[number, _TAKEN] = 1
        return number, self._memory(number)[:size]

    def hold(self, number: int) -> memoryview:
        """A block that was taken and filled; it is given back once nothing refers to its memory."""
        with self._holding:
            for other, memory in list(self._held.items()):
                if memory() is None:
                    del self._held[other]
                    self.give_back(other)
            whole = np.frombuffer(self._memory(number), np.uint8)
            self._held[number] = weakref.ref(whole)
        return whole.data

    def give_back(self, number: int) -> None:
        """Let a block that was taken, and is not held, be taken again."""
        self._table[number, _TAKEN] = 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process takes a block meanwhile; one that dies here does not stop them."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _new(self, room: int) -> int:
        start = int(self._table[self._made - 1, :_TAKEN].sum())
        if start % SEGMENT + room > SEGMENT:
            start += -start % SEGMENT
        end = start - start % SEGMENT + max(SEGMENT, room)
        os.truncate(self._file, max(end, os.fstat(self._file).st_size))
        self._table[self._made] = start, room, 0
        return self._made

    def _memory(self, number: int) -> memoryview:
        """Mappings stay: where one is closed, the process's lock of the file ends."""
        start, size = map(int, self._table[number, :_TAKEN])
        first = start - start % SEGMENT
        if first not in self._mapped:
            self._mapped[first] = mmap(self._file, max(SEGMENT, size), offset=first)
        return memoryview(self._mapped[first])[start - first :][:size]


def _nameless_file() -> int:
    """A descriptor. Linux has them in memory, with no bound such as that of /dev/shm."""
    if sys.platform == "linux":
        return os.memfd_create("results")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
