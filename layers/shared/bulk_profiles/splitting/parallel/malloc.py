"""Freed memory, kept for the next block.

Blocks come and go by the thousand, and the C library gives each large piece back to the system, which clears
it before it is given out again: up to a third of the time that a split takes.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of mallopt(3)
_KEPT_BYTES = 32 * 1024 * 1024  # the most that glibc takes for the second one


def keep_freed_memory() -> None:
    """Have glibc keep what is freed; with another C library nothing changes."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)
