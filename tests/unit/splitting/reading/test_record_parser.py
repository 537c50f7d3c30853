"""Records whose quotes are wrong: how far they go, and that nothing in them becomes a row."""

from __future__ import annotations

import csv
import io

import pytest

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.splitting.reading import delimited, record_parser
from tests.worlds.splitting import run


@pytest.fixture(params=[3, 17, 64, 512 * 1024])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", request.param)
    monkeypatch.setattr(delimited, "_MIN_WHOLE_BYTES", request.param // 2)
    monkeypatch.setattr(delimited, "_MIN_SOUND_BYTES", 0)
    return int(request.param)


# The rows, the lines at which rejected records start, all their lines, and the ids that are sent.
CASES: dict[str, tuple[str, list[int], list[int], str]] = {
    "MySQL escapes quotes with backslashes": (
        '"A1","he said \\"hi\\"\nand left","Ulm"\n"A2","ok","Bonn"\n',
        [2],
        [2, 3],
        "A2",
    ),
    "a line inside the value has as many cells as a row": (
        'A1,"he said \\"hi\\"\nand, then, yes\nand left",Ulm\nA2,ok,Bonn\n',
        [2],
        [2, 3, 4],
        "A2",
    ),
    "the value is the last one": (
        'A1,Ulm,"he said \\"hi\\"\nand, then, yes\nand left"\nA2,ok,Bonn\n',
        [2],
        [2, 3, 4],
        "A2",
    ),
    "the quotes inside are not escaped": (
        'A1,"he said "hi" to me\nand, then, yes\nand left",Ulm\nA2,ok,Bonn\n',
        [2],
        [2, 3, 4],
        "A2",
    ),
    "an inch sign": ('A1,"5" pipe",Ulm\nA2,"6",Bonn\nA3,x,Kiel\n', [2], [2], "A2 A3"),
    "inch signs in neighbours": ('A1,"5" a",Ulm\nA2,"6" b",Bonn\nA3,x,Kiel\n', [2, 3], [2, 3], "A3"),
    "inch signs with rows between": ('A1,"5" a",Ulm\nA2,x,Bonn\nA3,"6" b",Kiel\n', [2, 4], [2, 4], "A2"),
    "no close before a good quote": ('A1,"x,Ulm\nA2,y,Bonn\nA3,"z",Kiel\n', [2], [2], "A2 A3"),
    "a close in another row": ('A1,"x,Ulm\nA2,y"z,Bonn\nA3,w,Kiel\n', [2], [2, 3], "A3"),
    "a backslash before the closing quote": ('A1,Ulm,"x\\""\n"A2","ok","Bonn"\n', [2], [2], "A2"),
    "the last record": ('A0,x,Hof\nA1,"say \\"hi\\"\nand left",Ulm\n', [3], [3, 4], "A0"),
    "the last record without a line end": ('A0,x,Hof\nA1,"5" pipe",Ulm', [3], [3], "A0"),
    "rows with more or fewer cells after it": (
        'A1,"5" a",Ulm\nA2,x\nA3,1,2,3\nA4,x,Bonn\n',
        [2],
        [2, 3, 4],
        "A4",
    ),
    "doubled quotes where a line begins": ('A1,"5" a""\n""b,Ulm\nA2,ok,Bonn\n', [2], [2, 3], "A2"),
    "a blank before a quote": ('A1, "Ann, B"\nA2, "Bob", Bonn\nA3,ok,Kiel\n', [2, 3], [2, 3], "A3"),
    "a tab before a quote": ('A1,\t"Ann",Ulm\nA3,ok,Kiel\n', [2], [2], "A3"),
    "a blank before the first quote": (' "A1",x,Ulm\nA3,"ok",Kiel\n', [2], [2], "A3"),
    "a blank before several lines": ('A1, "Ann\nB, C", Ulm\nA3,ok,Kiel\n', [2], [2, 3], "A3"),
    "literal quotes after it": ('A1,"5" a",Ulm\nA2,x,6"\nA3,7",Kiel\nA4,8",Hof\n', [2], [2, 3], "A3 A4"),
}


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "|"])
@pytest.mark.parametrize("case", CASES)
def test_record_with_wrong_quotes_is_rejected_with_all_its_lines(case: str, delimiter: str, end: str) -> None:
    rows, starts, rejected, ids = CASES[case]
    lines = ("thirdPartyId,note,city\n" + rows).replace(",", delimiter).splitlines()
    data = end.join([*lines, ""] if rows.endswith("\n") else lines).encode()
    for processes in (1, 2) if (delimiter, end) == (";", "\n") else (1,):
        outcome = run(data, processes=processes)
        assert outcome.rejects == [[str(line), "", "bad_quote"] for line in starts]
        assert [row[0] for row in outcome.received] == ids.split()
        kept = csv.reader(io.StringIO(outcome.rejected_rows.decode(), newline=""), delimiter=delimiter)
        texts = [row[1] for row in kept][1:]
        assert end.join(texts) == end.join(lines[line - 1] for line in rejected)


@pytest.mark.parametrize("block", [64, 512 * 1024], indirect=True)
@pytest.mark.usefixtures("block")
def test_record_with_wrong_quotes_costs_no_row_far_from_it() -> None:
    good = b"".join(b'B%d,"x, y",Ulm\nC%d,ok,Bonn\n' % (number, number) for number in range(3000))
    wrong = b'A1,"he said \\"hi\\"\nand, then, yes\nand left",Ulm\n'
    data = b"thirdPartyId,note,city\n" + good + wrong + good.replace(b"B", b"D").replace(b"C", b"E")
    alone = run(data, processes=1)
    assert alone.rejects == [["6002", "", "bad_quote"]]
    assert alone.split.rows.sent == 12_000
    assert run(data, processes=2).objects == alone.objects


def test_wrong_quotes_that_no_row_follows_reject_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_parser, "_MOST_MISQUOTED", 1000)
    data = b'pcId,a,b\n1,"5" x",y\n' + b"2,short\n" * 1000
    with pytest.raises(FileRejectedError, match="line 2 is not closed properly"):
        run(data)
    assert run(data[:500]).rejects == [["2", "", "bad_quote"]]


@pytest.mark.parametrize("distance", [10, 500])
def test_quote_shows_only_what_is_near_before_it(distance: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_parser, "_LOOK_AHEAD", 100)
    rows = b"".join(b"%d,x,y\n" % number for number in range(10, 10 + distance // 7))
    outcome = run(b'pcId,a,b\n1,"say "hi" to\n' + rows + b'go",y\n3,z,z\n')
    assert outcome.rejects[0] == ["2", "", "bad_quote"]
    if distance > 100:  # the rows are taken for rows: so much text is in no value
        assert {row.split(b",")[0].decode() for row in rows.splitlines()} <= {
            row[0] for row in outcome.received
        }
    else:
        assert [row[0] for row in outcome.received] == ["3"]


@pytest.mark.usefixtures("block")
def test_blanks_before_quotes_inside_quotes_and_values_are_values() -> None:
    outcome = run(b'pcId,a,b\n1,"x, ""y""",z\n2,a "b" c,"d "\n3," "," ""q"\n')
    assert outcome.received == [("1", 'x, "y"', "z"), ("2", 'a "b" c', "d "), ("3", "", ' "q')]
    outcome = run(b'pcId, a, b\n1, "x", y\n2,  "x", y\n3, z, "w"\n')
    assert outcome.rejects == [["3", "", "bad_quote"]]
    assert outcome.received == [("1", "x", "y"), ("3", "z", "w")]


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("delimiter", [",", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_inside_a_quoted_value_are_counted_with_their_line(delimiter: str, end: str) -> None:
    lines = [
        "pcId,a,b",
        "",
        '0,"x,y',
        'z",w',
        '1,"abc,Ulm',
        "2,mid,Hof",
        '3,xyz",Bonn',
        "4,ok,Kiel",
        '5,"p',
        'q",r',
        "",
    ]
    data = end.join(lines).replace(",", delimiter).encode()
    for processes in (1, 2) if delimiter == "|" else (1,):
        split = run(data, processes=processes).split
        assert split.warnings["swallowed_rows"] == 1
        assert split.examples.rejects == {}
        assert split.examples.warnings["swallowed_rows"] == [5]
        assert split.rows.sent == 4


def test_spaces_after_delimiters_are_counted_beside_a_row_with_a_wrong_quote() -> None:
    outcome = run(b'pcId, a, b\n1, "x" y, y\n2, "p""q", z\n3, "u\nv", z\n')
    assert outcome.received == [("2", 'p"q', "z"), ("3", "u\nv", "z")]
    assert outcome.split.warnings["space_after_delimiter"] == 5
