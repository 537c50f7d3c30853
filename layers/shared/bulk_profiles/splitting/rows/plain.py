"""Plain rows: the form of rows between reading and encoding.

A plain row is UTF-8 cells separated by `,` and ended by a line feed. A byte of a value that would be taken
for a separator is replaced by a mark, a byte that no UTF-8 text has. The cells `1` and `a,b` become `1,a`,
the mark F8, and `b`.
"""

from __future__ import annotations

from .faults import Reject

COMMA_MARK, LINE_FEED_MARK, RETURN_MARK, PLUS_MARK = (bytes([byte]) for byte in range(0xF8, 0xFC))
FAULT_MARK = b"\xff"  # starts the row of a record that its reader could not take apart
MARKS = COMMA_MARK + LINE_FEED_MARK + RETURN_MARK + PLUS_MARK
SEPARATORS = COMMA_MARK + LINE_FEED_MARK + RETURN_MARK + b'"'  # inside values
MEANING = b",\n\r+"  # of the marks
_TO_MARKS = bytes.maketrans(b",\n\r", COMMA_MARK + LINE_FEED_MARK + RETURN_MARK)
_FROM_MARKS = bytes.maketrans(MARKS, MEANING)


def mark(cell: bytes) -> bytes:
    """Return a value as a cell of a plain row."""
    return cell.translate(_TO_MARKS)


def unmark(cell: bytes) -> bytes:
    """Undo `mark`."""
    return cell.translate(_FROM_MARKS)


def without_invalid(text: bytes) -> bytes:
    """Replace every byte that is not UTF-8 by a lone surrogate.

    UTF-8 forbids lone surrogates, too, so such text stays invalid, but has no byte that is a mark.
    """
    if text.isascii():
        return text
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("utf-8", "surrogateescape").encode("utf-8", "surrogatepass")
    return text


# Stands before characters that were UTF-8 in a text of another encoding: as a reader writes it, and in a row.
MIXED = "\udbff"
MIXED_MARK = without_invalid(MIXED.encode("utf-8", "surrogatepass"))


def fault_row(reason: Reject, column: int | None = None) -> bytes:
    """Return the plain row of a record that could not be taken apart."""
    return FAULT_MARK + f"{reason}:{'' if column is None else column}".encode()


def read_fault(row: bytes) -> tuple[Reject, int | None]:
    """Undo `fault_row`."""
    reason, _, column = row.removeprefix(FAULT_MARK).decode().partition(":")
    return Reject(reason), int(column) if column else None
