"""Keep freed memory for the next step, on CPU with glibc."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # glibc, malloc.h


def keep_freed_memory() -> bool:
    """Let malloc reuse large blocks instead of returning them to the kernel after each use.

    glibc maps every activation of 32 MB or more anew and unmaps it when freed, and a training step
    then spends much of its time in page faults: clearing pages it had a moment ago. A training
    process wants the same blocks again in the next step, and stage 1 in the next batch. Call once,
    in the main thread, before either. Returns whether the C library took the settings (not glibc:
    nothing happens).
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1))
