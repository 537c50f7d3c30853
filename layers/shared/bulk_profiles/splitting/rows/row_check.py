"""The check of a single row: its fault, if it has one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .faults import MAX_ID_LENGTH, Fault, Reject
from .plain import SEPARATORS, unmark


@dataclass(frozen=True, slots=True)
class Rules:
    """What the rows of one file must satisfy."""

    width: int  # cells in a row
    key: int  # number of the key column
    third_party_id: bool  # in a thirdPartyId, Target forbids + and /
    spare: int = 0  # empty cells that may follow the last column
    reject_separators: bool = False  # no separator in a value
    plain_ids: bool = False  # no separator in an id: replaced in values, it would make another id


def check_id(text: str, rules: Rules) -> Reject | None:
    """Return what is wrong with an id, if anything."""
    if not text:
        return Reject.EMPTY_ID
    if len(text) > MAX_ID_LENGTH:
        return Reject.ID_TOO_LONG
    if rules.third_party_id and ("+" in text or "/" in text):
        return Reject.ID_CHARACTER
    if rules.plain_ids and any(sign in text for sign in ',"\n\r'):
        return Reject.SEPARATOR_IN_VALUE
    return None


def _is_utf8(cells: bytes) -> bool:
    try:
        unmark(cells).decode()
    except UnicodeDecodeError:
        return False
    return True


def check_row(cells: Sequence[bytes], rules: Rules) -> Fault | None:
    """Return the first fault of the cells of a plain row, if any. A short row is no fault."""
    if not _is_utf8(b",".join(cells)):
        number = next(number for number, cell in enumerate(cells) if not _is_utf8(cell))
        return Fault(Reject.INVALID_UTF8, number if number < rules.width else None)
    if len(cells) > rules.width + rules.spare or any(cells[rules.width :]):
        return Fault(Reject.TOO_MANY_CELLS)
    reason = check_id(unmark(cells[rules.key]).decode() if rules.key < len(cells) else "", rules)
    if reason:
        return Fault(reason, rules.key)
    if rules.reject_separators:
        for number, cell in enumerate(cells):
            if cell.translate(None, SEPARATORS) != cell:
                return Fault(Reject.SEPARATOR_IN_VALUE, number)
    return None
