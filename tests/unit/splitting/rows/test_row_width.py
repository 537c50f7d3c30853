"""Rows with fewer or more cells than the header, and rows without anything."""

from __future__ import annotations

import gzip

import pytest

from bulk_profiles.core.feeds import Feed, Mapping, Quoting, ShortRows
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.reading import delimited
from tests.worlds.splitting import Outcome, run, run_in_slices

FILL = Feed(short_rows=ShortRows.FILL)
INVISIBLE = "\ufeff\u200b\u200d\u2060\xa0\u3000\xad".encode()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_halves_of_a_row_are_rejected_each_with_its_line(delimiter: str, end: str) -> None:
    rows = ["pcId,note,city", "1,likes long", "walks at night,Ulm", "2,ok,Bonn", "3"]
    outcome = run(end.join(rows).replace(",", delimiter).encode())
    assert outcome.rejects == [[line, "", "too_few_cells"] for line in "235"]
    assert outcome.split.examples.rejects == {"too_few_cells": [2, 3, 5]}
    assert outcome.received == [("2", "ok", "Bonn")]


def test_short_rows_are_filled_up_if_the_feed_says_so() -> None:
    data = b'pcId,a,b\n1,x\n2\n3,x,y\n"4","z"\n\n'
    assert run(data, FILL).received == [("1", "x", ""), ("3", "x", "y"), ("4", "z", "")]
    assert run(data, FILL).split.warnings == {"no_values": 1}


def test_short_rows_of_a_batch_file_are_filled_up() -> None:
    assert run(b"batch=pcId,a,b\n1,x\n2,%20y\n3,x,y\n").received == [
        ("1", "x", ""),
        ("2", " y", ""),
        ("3", "x", "y"),
    ]


def test_row_after_a_backslash_and_a_line_break_is_no_row() -> None:
    outcome = run(
        b"pcId|note|city\n1|first\\\nsecond|Ulm\n3|back\\\\slash|Kiel\n", Feed(quoting=Quoting.NONE)
    )
    assert outcome.received == [("3", "back\\\\slash", "Kiel")]
    assert outcome.split.rejects == {"too_few_cells": 2}


def test_short_row_is_counted_by_the_columns_that_have_a_name() -> None:
    outcome = run(b"pcId,a,\n1,x\n2,y,\n3\n")
    assert outcome.received == [("1", "x"), ("2", "y")]
    assert outcome.rejects == [["4", "", "too_few_cells"]]


@pytest.mark.parametrize("beyond", [b",", b",,,", b", , ", b',"",', b"," + INVISIBLE])
def test_empty_cells_beyond_the_header_are_no_cells(beyond: bytes) -> None:
    rows = b"1,x" + beyond + b"\n2,y" + beyond + b"\n"
    outcome = run(b"pcId,a\n" + rows)
    assert outcome.received == [("1", "x"), ("2", "y")]
    assert outcome.split.warnings == {"trailing_cells": 2}
    assert outcome.split.examples.warnings == {"trailing_cells": [2, 3]}
    named = run(b"pcId,a,,,,\n" + rows + b"3,z\n4,z,\n5,z,,w\n6,z,,,,,,\n")
    assert [row[0] for row in named.received] == ["1", "2", "3", "4"]
    assert named.rejects == [["6", "", "too_many_cells"], ["7", "", "too_many_cells"]]
    assert not named.split.warnings


def test_empty_cell_that_a_delimiter_in_a_value_may_have_added_is_a_fault() -> None:
    outcome = run(b"thirdPartyId,city,canton\nA1,Bern,BE\nA2,Zug, ZG,\nA3,Ulm,BW\n")
    assert outcome.rejects == [["3", "", "too_many_cells"]]
    assert [row[0] for row in outcome.received] == ["A1", "A3"]


@pytest.mark.parametrize(
    "rows", [b"A1,Ulm,\nA2,Bonn,\n", b"A1,Ulm,,,\n,,,,\n,,,,\nA2,Bonn,,,", b"--,--\nA1,Ulm,\nA2,Bonn,"]
)
def test_empty_cells_that_all_rows_have_are_no_cells(rows: bytes) -> None:
    rows = rows.replace(b"--", b"----")
    outcome = run(b"thirdPartyId,city\n" + rows)
    assert outcome.received == [("A1", "Ulm"), ("A2", "Bonn")]
    assert outcome.split.warnings["trailing_cells"] == 2


@pytest.mark.parametrize("feed", [Feed(), FILL])
@pytest.mark.parametrize(
    "row", [b",,", b",", b"   ", b",,,,", b'"","",""', b'""', b' ,"  ",\t', b'"\n",,', INVISIBLE + b",,"]
)
def test_row_of_delimiters_and_blanks_is_a_blank_line(row: bytes, feed: Feed) -> None:
    outcome = run(b"pcId,a,b\n1,x,y\n" + row + b"\n2,x,y\n3,\xc3\xa9,z,z\n", feed)
    assert outcome.received == [("1", "x", "y"), ("2", "x", "y")]
    assert outcome.split.rows.read == 3
    line = 5 + row.count(b"\n")
    assert outcome.split.examples.rejects == {"too_many_cells": [line]}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("rest", ["x", "é"])
@pytest.mark.parametrize(
    "line", ["--,--", "----,", "=====,====", "---+---", "\n-----,---", "--,", "-,-", "=,=", "-,----"]
)
@pytest.mark.parametrize("feed", [Feed(), FILL])
def test_line_of_dashes_is_no_row_anywhere(line: str, feed: Feed, rest: str, end: str) -> None:
    text = f"pcId,a\n1,x\n{line}\n2,{rest}\n-3,---\n-4,y\n"
    outcome = run(text.replace("\n", end).encode(), feed)
    assert [row[0] for row in outcome.received] == ["1", "2", "-3", "-4"]
    assert outcome.split.warnings == {"dashed_line": 1}
    assert outcome.split.examples.warnings == {"dashed_line": [3 + line.count("\n")]}
    assert outcome.split.rows.read == 4


@pytest.mark.parametrize("row", ["=,,", "-,,", "-, ,"])
def test_row_with_a_single_dash_is_a_row(row: str) -> None:
    split = run(f"pcId,a,b\n1,x,y\n{row}\n".encode()).split
    assert (split.rows.read, split.warnings["no_values"]) == (2, 1)
    assert "dashed_line" not in split.warnings


@pytest.mark.parametrize(
    "feed", [Feed(), FILL, Feed(short_rows=ShortRows.FILL, mapping=Mapping(constants={"s": "t"}))]
)
@pytest.mark.parametrize(
    "line",
    [
        *(
            "(2 rows affected)",
            "(1 row)",
            "(2 rows)",
            "(2 rows),",
            "(2 row(s) affected)",
            "2 rows selected.",
            "  2 record(s) selected.",
        ),
        *("2 rows in set (0.00 sec)", "2 rows fetched.", "\\.", "\x1a", "\0" * 9),
    ],
)
@pytest.mark.parametrize("header", ["pcId,a", "a,pcId", "pcId"])
def test_count_of_rows_is_no_row(line: str, feed: Feed, header: str) -> None:
    rows = "x\ny" if header == "pcId" else "x,1\ny,2"
    outcome = run(f"{header}\n{rows}\n\n{line.rstrip(',') if header == 'pcId' else line}\n".encode(), feed)
    assert outcome.split.rows.read == 2
    assert outcome.split.rejects == {}
    assert outcome.split.warnings["footer"] == 1


def test_blank_row_of_one_column_is_a_blank_line() -> None:
    assert run(b'pcId\n1\n""\n,\n\n2\n').split.rows.read == 2


def test_object_without_values_is_a_row() -> None:
    outcome = run(b'{"pcId": "1", "a": "x"}\n{"pcId": "", "a": ""}\n')
    assert outcome.rejects == [["2", "pcId", "empty_id"]]


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("block_bytes", [30, 1000, 512 * 1024])
def test_row_widths_are_the_same_however_the_file_is_read(
    processes: int, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block_bytes)
    rows = [b"%d,\xc3\xa9,y" % number for number in range(200)]
    rows[70], rows[71], rows[150], rows[160], rows[199] = b"70,x", b"x,y", b",,,", b"160,x,y,,", b"199,a,b,c"
    data = b"pcId,a,b\n" + b"\n".join(rows)

    def check(outcome: Outcome) -> None:
        assert outcome.rejects == [
            ["72", "", "too_few_cells"],
            ["73", "", "too_few_cells"],
            ["162", "", "too_many_cells"],
            ["201", "", "too_many_cells"],
        ]
        assert (outcome.split.rows.read, outcome.split.rows.sent) == (199, 195)

    check(run(data, processes=processes))
    check(run(gzip.compress(data), processes=processes))
    sliced, invocations = run_in_slices(
        data, Feed(), Limits(max_batch_rows=50), lambda: lambda: True, processes
    )
    check(sliced)
    assert invocations > 3
