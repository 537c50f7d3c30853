"""Hashes of the ids of a block, eight bytes at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .faults import LONG_ID_LENGTH
from .grid import Grid, Places
from .plain import PLUS_MARK, SEPARATORS
from .row_check import Rules

_PLUS = ord("+")
_SLASH = ord("/")
type Hashes = NDArray[np.uint64]
_WORD = 8
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(_WORD + 1)], np.uint64)
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_PRIME, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)


def hash_ids(rows: bytes, grid: Grid, rules: Rules) -> tuple[Hashes, Places]:
    """Hash the ids, and give the numbers of the rows whose id needs a closer look."""
    starts, sizes = grid.id_starts, grid.id_sizes
    longest = int(sizes.max(initial=0))
    if len(starts) and int(starts[-1]) + longest + 2 * _WORD > len(rows):
        rows += bytes(longest + 2 * _WORD)  # so that the last id can be read in whole words, too
    words = np.ndarray((max(0, len(rows) - _WORD + 1),), "<u8", rows, strides=(1,))
    odd = (sizes == 0) | (sizes > LONG_ID_LENGTH)
    signs = [_PLUS, _SLASH, PLUS_MARK[0]] if rules.third_party_id else []
    signs += SEPARATORS if rules.plain_ids else b""
    signs = [sign for sign in signs if sign in rows]
    hashes = sizes.view(np.uint64)
    for offset in range(0, longest, _WORD):
        word = words[starts + offset if offset else starts]
        left = sizes - offset if offset else sizes
        used = np.minimum(left, _WORD)
        word &= _MASKS[np.maximum(used, 0) if offset else used]
        mixed = _mix(hashes, word)
        hashes = np.where(left > 0, mixed, hashes) if offset else mixed
        for sign in signs:
            odd |= _has_byte(word, sign)
    return hashes, np.flatnonzero(odd)


def _mix(hashes: Hashes, word: Hashes) -> Hashes:
    mixed = (hashes ^ word) * _PRIME
    mixed ^= mixed >> _SHIFT
    mixed *= _PRIME
    return mixed


def _has_byte(words: Hashes, byte: int) -> Any:
    """Say which words hold a byte: the classic test for a zero byte, after an exclusive or."""
    differing = words ^ (np.uint64(byte) * _ONES)
    return ((differing - _ONES) & ~differing & _HIGHS) != 0
