"""Hashes of the ids of a block, computed for all ids at once, eight bytes at a time.

This is SWAR (SIMD within a register): a 64-bit word holds eight bytes of an id, and one operation works on
all of them; with numpy, on the words of all ids. The id `customer-7` is the words `customer` and `-7`. The
second one is masked to its two bytes, as what follows in memory is no part of the id.
"""

from __future__ import annotations

from typing import Any, NamedTuple

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
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2 ** 64 divided by the golden ratio
_SHIFT = np.uint64(32)


class HashedIds(NamedTuple):
    """A hash of each id of a block, and the places of some rows."""

    hashes: Hashes
    odd: Places  # whose id is empty or long, or holds a character that the rules forbid
    beyond: Places  # whose id is not ASCII


def hash_ids(rows: bytes, grid: Grid, rules: Rules, *, unreserved: bool) -> HashedIds:
    """Hash all ids, and look for some bytes in them on the way; if `unreserved`, the rows have none."""
    starts, sizes = grid.id_starts, grid.id_sizes
    longest = int(sizes.max(initial=0))
    shortest = int(sizes.min(initial=longest))
    if len(starts) and int(starts[-1]) + longest + 2 * _WORD > len(rows):
        rows += bytes(longest + 2 * _WORD)  # so that the last id, too, can be read in whole words
    words = np.ndarray((max(0, len(rows) - _WORD + 1),), "<u8", rows, strides=(1,))  # one starts at each byte
    odd = (sizes == 0) | (sizes > LONG_ID_LENGTH)
    forbidden = [_PLUS, _SLASH, PLUS_MARK[0]] if rules.third_party_id else []
    forbidden += SEPARATORS if rules.plain_ids else b""
    forbidden = [byte for byte in forbidden if not unreserved and byte in rows]
    is_ascii = rows.isascii()
    beyond = np.zeros(len(starts), np.bool_)
    hashes = sizes.view(np.uint64)  # so that ids which differ in trailing zero bytes have different hashes
    for offset in range(0, longest, _WORD):
        word = words[starts + offset if offset else starts]
        if offset + _WORD > shortest:  # what follows an id is no part of it
            word &= _MASKS[np.clip(sizes - offset, 0, _WORD)]
        mixed = _mix(hashes, word)
        hashes = np.where(sizes > offset, mixed, hashes) if 0 < offset >= shortest else mixed
        if not is_ascii:
            beyond |= (word & _HIGHS) != 0
        for byte in forbidden:
            odd |= _has_byte(word, byte)
    return HashedIds(hashes, np.flatnonzero(odd), np.flatnonzero(beyond))


def _mix(hashes: Hashes, word: Hashes) -> Hashes:
    """Mix a word into each hash, by multiplicative (Fibonacci) hashing.

    A multiplication carries differences to higher bits only; the shift brings them back to the lower ones.
    """
    mixed = (hashes ^ word) * _GOLDEN
    mixed ^= mixed >> _SHIFT
    mixed *= _GOLDEN
    return mixed


def _has_byte(words: Hashes, byte: int) -> Any:
    """Return which words hold a byte, by the classic test for a zero byte after an exclusive or.

    Subtracting 1 from each byte sets the highest bit of a byte that was zero, as `00` becomes `FF`. Bytes
    that had this bit before do not count.
    """
    differing = words ^ (np.uint64(byte) * _ONES)
    return ((differing - _ONES) & ~differing & _HIGHS) != 0
