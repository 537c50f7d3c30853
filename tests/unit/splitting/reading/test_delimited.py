"""Delimited files of every kind, read as rows."""

from __future__ import annotations

import pytest

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, Quoting
from bulk_profiles.splitting.reading import delimited
from tests.worlds.splitting import run

PLAIN = b"thirdPartyId,city,age\n1,Oslo,40\n2,Rome,50\n"


@pytest.mark.fault(15, "LF, CRLF, CR, with and without a last one")
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_of_each_kind_give_the_same_rows(end: bytes, last: bool) -> None:
    data = PLAIN.replace(b"\n", end)
    assert run(data if last else data.removesuffix(end)).bodies == run(PLAIN).bodies


@pytest.mark.fault(15, "mixed line ends, blank lines")
@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r\r\n"])
@pytest.mark.parametrize("quotes", [b"", b'0,"a, b"\n'])
def test_mixed_line_ends_and_blank_lines_are_read(end: bytes, quotes: bytes) -> None:
    data = b"thirdPartyId,city" + end + b"\r\n" + quotes + b"1,Oslo\n\n\r\n2,Rome\r\r\n3,Paris\r\n\n,late\n"
    outcome = run(data)
    assert outcome.received[-3:] == [("1", "Oslo"), ("2", "Rome"), ("3", "Paris")]
    assert len(outcome.received) == 3 + bool(quotes)
    assert outcome.rejects == [[str(data.count(b"\n")), "thirdPartyId", "empty_id"]]


def test_after_a_header_that_a_return_ends_each_line_end_ends_a_row() -> None:
    outcome = run(b"thirdPartyId,city\r\r1,Oslo\n\n\r2,Rome\r\n3,Paris\r\n\n,late\n")
    assert outcome.received == [("1", "Oslo"), ("2", "Rome"), ("3", "Paris")]
    assert outcome.rejects == [["9", "thirdPartyId", "empty_id"]]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\r\n"])
@pytest.mark.parametrize("delimiter", [b",", b";", b"\t", b"|"])
@pytest.mark.parametrize("block", [3, 40, 512 * 1024])
@pytest.mark.parametrize("quotes", [b"", b'A0;"a;""\r\nb";"Ulm"\n'])
def test_returns_that_do_not_end_the_header_are_parts_of_values(
    end: bytes, delimiter: bytes, block: int, quotes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block)
    lines = [
        b"thirdPartyId;note;city",
        quotes[:-1],
        b"A1;line one\rline two;Ulm",
        b"A2;\rx;Bonn",
        b"A3;ok;\rHof",
        b";x;y",
    ]
    data = end.join([*filter(None, lines), b""]).replace(b";", delimiter)
    for processes in (1, 2):
        outcome = run(data, processes=processes)
        assert outcome.received[-3:] == [
            ("A1", "line one\rline two", "Ulm"),
            ("A2", "\rx", "Bonn"),
            ("A3", "ok", "\rHof"),
        ]
        assert outcome.rejects == [[str(data.count(b"\n")), "thirdPartyId", "empty_id"]]
        assert outcome.split.warnings["separator_in_value"] >= 3


@pytest.mark.parametrize("end", ["", "\r", "\n", "\r\n"])
def test_last_line_may_end_in_any_way(end: str) -> None:
    for start in ("pcId,a\r\n1,x\r\n", "pcId,a\n1,x\n", 'pcId,a\n1,"x"\n', "pcId,a\r1,x\r"):
        assert run(f'{start}2,"y"{end}'.encode()).received == [("1", "x"), ("2", "y")]


def test_return_after_a_closing_quote_is_text_after_it() -> None:
    data = b'pcId,a,b\n1,"x"\rz,y\n2,"p"\r\n3,"q","r"\r\n4,\r"s",t\n'
    outcome = run(data)
    assert outcome.rejects[0] == ["2", "", "bad_quote"]
    assert outcome.received[-2:] == [("3", "q", "r"), ("4", '\r"s"', "t")]


def test_line_numbers_count_line_breaks_in_values() -> None:
    data = b'thirdPartyId,city\n1,"a\nb\r\nc"\n,x\n2,"d"\n,"y\nz"\n3,e\n,w\n'
    outcome = run(data)
    assert [line for line, _, _ in outcome.rejects] == ["5", "7", "10"]
    assert outcome.received[0] == ("1", "a\nb\r\nc")


@pytest.mark.parametrize("size", [1, 5_000_000])
def test_text_after_a_closing_quote_rejects_its_line_alone(size: int) -> None:
    outcome = run(b'thirdPartyId,a\n1,"a" b' + b"x" * size + b",\n2,ok\n,w\n")
    assert outcome.rejects[1:] == [["4", "thirdPartyId", "empty_id"]]
    assert outcome.rejects[0][0] == "2"
    assert outcome.received == [("2", "ok")]


def test_text_after_a_closing_quote_far_from_its_record_rejects_the_file() -> None:
    with pytest.raises(FileRejectedError, match="line 2 is not closed"):
        run(b'thirdPartyId,a\n1,"a\nb" ' + b"x" * 5_000_000 + b"\n2,ok\n")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_of_each_kind_is_detected(delimiter: str) -> None:
    row = delimiter.join(["1", '"x' + delimiter + ',y"', "a"])
    outcome = run(f"thirdPartyId{delimiter}v{delimiter}w\n{row}\n2{delimiter}p{delimiter}\n".encode())
    assert outcome.received == [("1", f"x{delimiter},y", "a"), ("2", "p", "")]


def test_commas_are_values_under_another_delimiter() -> None:
    outcome = run(b"thirdPartyId;price\n1;1,50\n2;2,50\n")
    assert outcome.received == [("1", "1,50"), ("2", "2,50")]
    assert outcome.split.warnings == {"separator_in_value": 2}


def test_separator_line_of_a_spreadsheet_is_no_header() -> None:
    outcome = run(b"sep=;\r\nthirdPartyId;a\r\n1;x\r\n;y\r\n")
    assert outcome.received == [("1", "x")]
    assert outcome.rejects[0][0] == "4"


def test_quotes_inside_unquoted_values_are_kept() -> None:
    outcome = run(b'thirdPartyId,a,b\n1,5" pipe,"c, d"\n2,x"",y\n')
    assert outcome.received == [("1", '5" pipe', "c, d"), ("2", 'x""', "y")]


def test_quotes_without_quoting_are_values() -> None:
    outcome = run(b'thirdPartyId,a\n1,"x\n2,y"\n', Feed(quoting=Quoting.NONE))
    assert outcome.received == [("1", '"x'), ("2", 'y"')]


def test_spaces_after_delimiters_as_in_the_header_are_removed() -> None:
    outcome = run(b'pcId, a, b\n1, x,  y\n2, "p, q", z\n')
    assert outcome.received == [("1", "x", " y"), ("2", "p, q", "z")]
    assert outcome.split.warnings["space_after_delimiter"] == 4


def test_spaces_after_delimiters_only_in_rows_are_values() -> None:
    assert run(b"pcId,a\n1, x\n").received == [("1", " x")]


@pytest.mark.parametrize(
    ("value", "warnings"),
    [
        ("Bern,1\nA2,Rom\nA3,Ulm", {"swallowed_rows": 1}),
        ("Bern,1\nA2,Rom,2,x\nA3,Ulm", {"swallowed_rows": 1}),
        ("Bern,1\nSwitzerland\nA3,Ulm", {}),
        ("Main St, 1\nBern\nSwitzerland", {}),
        ("Main St, 1, left\n3000 Bern, BE\nSwitzerland", {}),
    ],
)
def test_swallowed_rows_may_differ_by_a_delimiter_in_the_middle(value: str, warnings: dict[str, int]) -> None:
    split = run(f'thirdPartyId,city,x\nA1,"{value}",3\nA4,a,1\n'.encode()).split
    assert {code: n for code, n in split.warnings.items() if code == "swallowed_rows"} == warnings
