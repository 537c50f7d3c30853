"""Headers whose delimiter or end is not seen at the first look."""

from __future__ import annotations

import pytest

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, Mapping
from bulk_profiles.core.models import KeyColumn
from bulk_profiles.splitting.reading import header
from bulk_profiles.splitting.reading.text import HEAD_BYTES
from tests.worlds.splitting import run


@pytest.mark.parametrize("name", ["kunde", "profile.kunde", " kunde"])
@pytest.mark.parametrize(
    ("rest", "value"), [("name, vorname", "b"), ('"Umsatz, netto"', "3"), ('"a\nb, c, d"', "x")]
)
def test_the_delimiter_that_gives_the_feeds_key_column_wins(name: str, rest: str, value: str) -> None:
    outcome = run(f"{name};{rest}\n1;{value}\n".encode(), Feed(mapping=Mapping(key="kunde")))
    assert outcome.received == [("1", value)]


def test_the_delimiter_that_gives_the_feeds_kind_of_key_wins() -> None:
    outcome = run(b"pcId,x;a;thirdPartyId\n1,2;3;4\n", Feed(key_column=KeyColumn.THIRD_PARTY_ID))
    assert outcome.received == [("4", "1,2", "3")]
    outcome = run(b"a,pcId,b;thirdPartyId\n1,2,3;4\n", Feed(key_column=KeyColumn.THIRD_PARTY_ID))
    assert outcome.received == [("4", "1,2,3")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
@pytest.mark.parametrize("last", [True, False])
def test_a_header_alone_may_have_a_line_break_in_a_name(delimiter: str, end: str, last: bool) -> None:
    data = delimiter.join(["a", "pcId", '"x\ny"']) + end * last
    assert run(data.encode()).split.rows.read == 0


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize(
    ("head_bytes", "size"), [(HEAD_BYTES, 64 * 1024), (4 * 1024, 4 * 1024), (4 * 1024, 20_000)]
)
@pytest.mark.parametrize("key_first", [True, False])
def test_a_long_header_may_have_line_breaks_in_names(
    delimiter: str, head_bytes: int, size: int, key_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`head_bytes`: how much is read at first; a longer header takes several looks."""
    monkeypatch.setattr(header, "HEAD_BYTES", head_bytes)
    names = [f'"name\n{number}"' for number in range(size // 10)]
    names.insert(0 if key_first else len(names), "pcId")
    row = ["1"] * len(names)
    outcome = run((delimiter.join(names) + "\n" + delimiter.join(row) + "\n").encode())
    assert outcome.split.rows.sent == 1


def test_a_name_that_is_never_closed_is_found_in_bounded_memory() -> None:
    with pytest.raises(FileRejectedError, match="quoted name in its header is never closed"):
        run(b'"pcId,a\n' + b"1,x\n" * 3_000_000)
    with pytest.raises(FileRejectedError, match="no key column"):
        run(b'id;name,"x\n' + b"1,x\n" * 3_000_000)


@pytest.mark.parametrize("start", ["\ufeff\ufeff", "\ufeff\u200b", "\u200b\u200c\u200d\u2060", "\ufeff" * 50])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@pytest.mark.parametrize(
    "text",
    [
        "thirdPartyId,city\nA1,Ulm\n",
        "batch=thirdPartyId,city\nA1,Ulm",
        '{"thirdPartyId":"A1","city":"Ulm"}\n',
    ],
)
def test_characters_without_a_width_before_a_file_are_no_part_of_it(
    start: str, encoding: str, text: str
) -> None:
    outcome = run((start + text).encode(encoding))
    assert outcome.bodies == [b"batch=thirdPartyId,city\nA1,Ulm"]


@pytest.mark.parametrize("text", ["city,thirdPartyId\nUlm,A1\n", '"city","thirdPartyId"\n"Ulm","A1"\n'])
def test_byte_order_mark_that_was_decoded_wrongly_is_no_part_of_a_name(text: str) -> None:
    outcome = run(f"\xef\xbb\xbf{text}".encode())
    assert outcome.bodies == [b"batch=thirdPartyId,city\nA1,Ulm"]


@pytest.mark.parametrize(
    "hint", ["sep=;", '"sep=;"', "sep=;;;", '"sep=;";;', "SEP=;", "\ufeffsep=;", "\nsep=;\n;;"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_that_names_the_delimiter_is_no_header(hint: str, end: str) -> None:
    data = f"{hint}\nname,x;thirdPartyId\n1,5;A1\n;\n;A2\n2;\n".replace("\n", end)
    outcome = run(data.encode())
    assert outcome.bodies == [b"batch=thirdPartyId,name%2Cx\nA1,1%2C5"]
    assert [line for line, *_ in outcome.rejects][-1] == str(6 + hint.count("\n"))


def test_a_name_that_starts_as_the_line_that_names_the_delimiter_is_a_name() -> None:
    assert run(b"sep=x,pcId\nv,1\n").bodies == [b"batch=pcId,sep%3Dx\n1,v"]


@pytest.mark.parametrize(
    ("sign", "sentence"),
    [
        (b"\x80", "The header is not UTF-8"),
        (b"\xff", "The header is not UTF-8"),
        (b"o", "The header has no key column"),
        (b"7", "The header has no key column"),
    ],
)
def test_delimiter_that_a_line_names_is_an_ascii_sign(sign: bytes, sentence: str) -> None:
    with pytest.raises(FileRejectedError, match=f"^{sentence}"):
        run(b"sep=" + sign + b"\npcIdo7a\n1o7x\n2o7y\n")


@pytest.mark.parametrize("blank", [b"\n", b"\r\n \t\r\n", b",,\n", b" ; ;\n\n", b"\t\t\n"])
def test_blank_lines_before_the_header_are_passed_over(blank: bytes) -> None:
    outcome = run(blank + b"pcId,a\n,x\n1,y\n")
    assert outcome.received == [("1", "y")]
    assert [line for line, *_ in outcome.rejects] == [str(2 + blank.count(b"\n"))]


@pytest.mark.parametrize("delimiter", [",", ";", "|"])
def test_header_has_as_many_columns_as_a_table_may_have(
    delimiter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header, "MAX_COLUMNS", 3)
    row = f"\n1{delimiter}x{delimiter}\n"
    assert run((delimiter.join(("pcId", "a", "b")) + row).encode()).received == [("1", "x", "")]
    with pytest.raises(FileRejectedError, match=r"^The header has more than 3 columns: names must be"):
        run((delimiter.join(("pcId", "a", "b", "c")) + row).encode())


def test_header_is_as_long_as_that_of_a_table_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "MAX_HEADER_LENGTH", 11)
    assert run(b"pcId,abcde\n1,x\n").received == [("1", "x")]
    for data in (b"pcId,abcdef\n1,x\n", b'{"pcId": 1, "abcdef": "x"}\n', b"batch=pcId,abcdef\n1,x"):
        with pytest.raises(FileRejectedError, match=r"^The header is longer than 11 characters"):
            run(data)


@pytest.mark.parametrize("data", [b"sep=;\n", b"sep=;\n\n", b" \n\n"])
def test_file_without_a_line_of_names_is_empty(data: bytes) -> None:
    with pytest.raises(FileRejectedError, match=r"^The file is empty: it has no header\.$"):
        run(data)


@pytest.mark.parametrize(("end", "rest"), [(b"\r\n", b"1,x\n2,y\r\n"), (b"\r", b"1,x\r2,y\r")])
def test_line_end_of_a_header_may_be_cut_in_two(
    end: bytes, rest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header, "HEAD_BYTES", len(b"pcId,a\r"))
    assert run(b"pcId,a" + end + rest).received == [("1", "x"), ("2", "y")]


@pytest.mark.parametrize("read", range(len(b"pcId,a"), len(b"pcId,a\r\r\n1")))
def test_line_end_of_a_header_may_have_more_than_one_return(
    read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header, "HEAD_BYTES", read)
    assert run(b"pcId,a\r\r\n1,x\ry\r\n").received == [("1", "x\ry")]  # they end no row
