"""Freed memory is kept where the C library is glibc, and nothing happens elsewhere."""

from __future__ import annotations

import ctypes
import os
from types import SimpleNamespace

import pytest

from bulk_profiles.splitting.parallel.malloc import keep_freed_memory

MIB = 1024 * 1024


def test_keep_freed_memory_sets_both_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    """M_TRIM_THRESHOLD is -1 and M_MMAP_THRESHOLD -3 in malloc.h; glibc takes 32 MiB at most."""
    calls: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: library)
    keep_freed_memory()
    assert calls == [(-1, 32 * MIB), (-3, 32 * MIB)]


def test_keep_freed_memory_without_mallopt_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace())
    keep_freed_memory()


def test_keep_freed_memory_on_windows_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no library of no name there: `CDLL(None)` raises a TypeError."""
    monkeypatch.setattr(os, "name", "nt")
    monkeypatch.setattr(ctypes, "CDLL", len)
    keep_freed_memory()
