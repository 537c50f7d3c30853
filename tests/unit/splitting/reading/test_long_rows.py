"""Rows that are too long to be held."""

from __future__ import annotations

import io

import pytest

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.splitting.reading import long_rows
from bulk_profiles.splitting.reading.dialect import Dialect
from bulk_profiles.splitting.rows.faults import MAX_ROW_BYTES
from tests.worlds.splitting import run


@pytest.mark.parametrize("before", [0, 100_000, 300_000, 500_000, 524_280])
@pytest.mark.parametrize("more", [0, 1])
def test_longest_row_is_the_same_whatever_comes_before(before: int, more: int) -> None:
    row = b"2," + b"y" * (MAX_ROW_BYTES - len(b"2,\n") + more) + b"\n"
    outcome = run(b"pcId,a\n1," + b"x" * before + b"\n" + row + b"3,z\n")
    assert outcome.split.rejects == ({"row_too_large": 1} if more else {})


@pytest.mark.parametrize("before", [0, 100_000, 300_000, 500_000, 524_280])
@pytest.mark.parametrize("more", [0, 1])
def test_longest_object_is_the_same_whatever_comes_before(before: int, more: int) -> None:
    start = b'{"pcId": "2", "a": "'
    row = start + b"y" * (MAX_ROW_BYTES - len(start) - len(b'"}') + more) + b'"}'
    outcome = run(b'{"pcId": "1", "a": "' + b"x" * before + b'"}\n' + row + b'\n{"pcId": "3", "a": "z"}\n')
    assert outcome.split.rejects == ({"row_too_large": 1} if more else {})
    assert outcome.rejected_rows.count(b"\n") == more
    assert not more or outcome.rejected_rows.startswith(
        b'{"pcId": "", "_line": "2", "_reason": "row_too_large", '
    )


@pytest.mark.parametrize("end", [b"\r\n", b"\r", b"\n"])
@pytest.mark.parametrize("before", [0, 1, 2])
def test_line_numbers_count_the_lines_of_a_long_row(before: int, end: bytes) -> None:
    lines = 2_500_000
    huge = b'2,"' + b"y" * before + (b"y" + end) * lines + b'"' + end
    outcome = run(b"thirdPartyId,a" + end + huge + b",w" + end)
    assert [reject[0] for reject in outcome.rejects] == ["2", str(lines + 3)]


@pytest.mark.fault(20, "a row of 50 MB")
@pytest.mark.parametrize("quote", [b"", b'"'])
def test_row_of_50_megabytes_is_rejected_alone(quote: bytes) -> None:
    huge = b"2," + quote + b"y" * 50_000_000 + quote + b"\n"
    outcome = run(b"thirdPartyId,a\n1,x\n" + huge + b"3,z\n,w\n")
    assert outcome.rejects == [["3", "", "row_too_large"], ["5", "thirdPartyId", "empty_id"]]
    assert [cells[0] for cells in outcome.received] == ["1", "3"]


@pytest.mark.fault(18, "a quote that is never closed, early in a long file")
def test_unclosed_quote_early_in_a_long_file_is_found() -> None:
    with pytest.raises(FileRejectedError, match="line 2 is not closed"):
        run(b'pcId,a\n1,"x\n' + b"2,yyyyyyyyyyyyyyyyy\n" * 500_000)


@pytest.mark.parametrize("piece", [1, 2, 3, 64])
@pytest.mark.parametrize("held", [1, 4, 9])
@pytest.mark.parametrize(
    ("row", "dialect", "lines"),
    [
        (b"1,x\r\n", Dialect(returns=True), 1),
        (b"1,x\r", Dialect(returns=True), 1),
        (b"1,x\r\r\n", Dialect(), 1),
        (b'1,"a""b\r\nc, d",e\r\n', Dialect(), 2),
        (b'1,"a""b",""\r\r\n', Dialect(), 1),
        (b'1, "a, b", c\n', Dialect(spaced=True), 1),
        (b'1,"a" b,c\n', Dialect(), 1),
        (b'1,"a" b,c\r\n', Dialect(returns=True), 1),
    ],
)
def test_long_row_ends_where_it_ends_wherever_it_is_read_in_pieces(
    piece: int, held: int, row: bytes, dialect: Dialect, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_rows, "_PIECE", piece)
    text = row + b'2,"y"\r\n'
    stream = io.BytesIO(text[held:])
    data, size, ends = long_rows.skip_long_row(text[:held], stream, dialect, 1)
    assert (text[:size], data + stream.read(), ends) == (row, b'2,"y"\r\n', lines)
