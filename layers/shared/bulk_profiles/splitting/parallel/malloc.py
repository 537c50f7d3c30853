"""The thresholds of malloc, set so that freed memory is kept for the next block.

A split allocates and frees large pieces of memory for each of thousands of blocks. By default, glibc maps
each such piece anew and unmaps it when it is freed, and the kernel clears every page that is mapped: up to a
third of the time of a split. With higher thresholds, the pieces come from the heap, which keeps them.
"""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of mallopt(3)
_KEPT_BYTES = 32 * 1024 * 1024  # the most that glibc takes for M_MMAP_THRESHOLD


def keep_freed_memory() -> None:
    """Let glibc keep up to 32 MiB of freed memory; without effect on other C libraries."""
    if os.name != "posix":  # where the program is no library that can be opened
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)
