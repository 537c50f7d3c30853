"""Headers that come again in the middle of a file, and lines of dashes below a header."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, Mapping, Quoting
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.reading import delimited
from tests.worlds.splitting import Outcome, run, run_in_slices

BOM = "\ufeff"


def warned(outcome: Outcome) -> dict[str, list[int]]:
    """Return the lines of the warnings about lines that are no rows."""
    codes = {"repeated_header", "dashed_line"}
    lines = {code: lines for code, lines in outcome.split.examples.warnings.items() if code in codes}
    assert {code: len(lines) for code, lines in lines.items()} == {
        code: count for code, count in outcome.split.warnings.items() if code in codes
    }
    return lines


@pytest.mark.parametrize(
    ("header", "again"),
    [
        ("thirdPartyId,city", "thirdPartyId,city"),
        ("thirdPartyId,city", BOM + "thirdPartyId,city"),
        (BOM + "thirdPartyId,city", BOM * 2 + "thirdPartyId,city"),
        ('"thirdPartyId","city"', '"thirdPartyId","city"'),
        ('"thirdPartyId","city"', BOM + '"thirdPartyId","city"'),
        ('thirdPartyId,"city"', '"thirdPartyId",city'),
        ("thirdPartyId,city", "thirdPartyId , city"),
        ("thirdPartyId, city", "thirdPartyId, city"),
        ("thirdPartyId,city", "batch=thirdPartyId,city"),
        ("thirdPartyId,city,,", "thirdPartyId,city"),
        ("thirdPartyId,city", "profile.thirdPartyId,profile.city"),
        ("third-party-id,city", "third-party-id,city"),
        ("batch=thirdPartyId,city", "batch=thirdPartyId,city"),
        ("batch=thirdPartyId,city", "thirdPartyId,%63ity"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_header_that_comes_again_is_no_row(header: str, again: str, end: str, encoding: str) -> None:
    text = end.join([header, "A1,Ulm", again, "A2,Bonn", "", again, again, "A3,Hof"])
    outcome = run(text.encode(encoding))
    assert outcome.received == [("A1", "Ulm"), ("A2", "Bonn"), ("A3", "Hof")]
    assert warned(outcome) == {"repeated_header": [3, 6, 7]}
    assert outcome.split.rows.read == 3
    assert outcome.rejects == []


@pytest.mark.parametrize(
    "again",
    [
        "THIRDPARTYID,CITY",
        "third_party_id,City",
        "third-party id,ci-ty",
        "mbox3rdPartyId,city",
        "BATCH=thirdPartyId,city",
        "Batch=ThirdPartyID,City",
        "`thirdPartyId`,`city`",
        "[thirdPartyId],[city]",
        "#thirdPartyId,city",
        '="thirdPartyId",="city"',
        "'thirdPartyId','city'",
        "Profile.thirdPartyId,PROFILE.city",
        "third\u2011Party\u2011Id,city",
    ],
)
@pytest.mark.parametrize("rows", [1, 40_000])
def test_header_comes_again_in_another_spelling(again: str, rows: int) -> None:
    filler = "".join(f"A{number},University of York\n" for number in range(rows))
    outcome = run(f"thirdPartyId,city\n{filler}{again}\nB2,Bonn\n".encode())
    assert outcome.split.rows.sent == rows + 1
    assert warned(outcome) == {"repeated_header": [rows + 2]}
    swapped = ",".join(reversed(again.lower().removeprefix("batch=").split(",")))
    with pytest.raises(FileRejectedError, match=f"Line {rows + 2} is another header"):
        run(f"city,thirdPartyId,x\n{filler.replace(',', ',y,')}{swapped}\nB2,Bonn,z\n".encode())


@pytest.mark.parametrize(("key", "again"), [("Kunde Nr", "KUNDE_NR,city"), ("numéro", "numéro,CITY")])
def test_key_that_the_feed_names_comes_again_in_another_spelling(key: str, again: str) -> None:
    outcome = run(f"{key},city\n1,a\n{again}\n2,b\n".encode(), Feed(mapping=Mapping(key=key)))
    assert outcome.received == [("1", "a"), ("2", "b")]
    assert warned(outcome) == {"repeated_header": [3]}


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_header_comes_again_with_any_delimiter_and_key_column(delimiter: str) -> None:
    text = "city,kunde nr,plan\nUlm,A1,x\ncity,kunde nr,plan\n,A2,y\n".replace(",", delimiter)
    outcome = run(text.encode(), Feed(quoting=Quoting.NONE, mapping=Mapping(key="kunde nr")))
    assert outcome.received == [("A1", "Ulm", "x"), ("A2", "", "y")]
    assert warned(outcome) == {"repeated_header": [3]}


@pytest.mark.parametrize(
    "again",
    [
        "thirdPartyId,plan,city",
        "city,thirdPartyId,plan",
        "thirdPartyId,city",
        "thirdPartyId,city,plan,zip",
        "thirdPartyId,street,zip",
        "street,thirdPartyId,plan",
        "city,thirdPartyId,street,zip,phone",
        '"thirdPartyId","plan","city"',
        "thirdPartyId",
        BOM + "street,thirdPartyId,zip",
        "batch=street,thirdPartyId,zip",
    ],
)
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("size", [20, 200, 4096])
def test_header_with_other_columns_rejects_the_file(
    again: str, processes: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", size)
    rows = "".join(f"A{number},Köln,gold\n" for number in range(50))
    with pytest.raises(FileRejectedError, match="Line 52 is another header, with other columns") as caught:
        run(f"thirdPartyId,city,plan\n{rows}{again}\n{rows}".encode(), processes=processes)
    assert "drop the parts" in str(caught.value)
    assert "street" not in str(caught.value)


@pytest.mark.parametrize(
    "row", ["A1,thirdPartyId,Ulm", "A1,the thirdPartyId,city", 'A1,"x\nthirdPartyId,kind,city\ny",Ulm']
)
def test_row_that_has_the_name_of_the_key_in_it_is_a_row(row: str) -> None:
    outcome = run(f"thirdPartyId,kind,city\n{row}\nA2,pcId,Hof\n".encode())
    assert [received[0] for received in outcome.received] == ["A1", "A2"]
    assert warned(outcome) == {}


def table(count: int, again: str) -> bytes:
    """Return a table whose header comes again deep in it, and at its end."""
    rows = [f'A{number},"Köln, {number}"' for number in range(count)]
    rows[count // 2 : count // 2] = [again, again]
    return "\n".join(["thirdPartyId,city", *rows, again]).encode()


@pytest.mark.parametrize("size", [3, 50, 4096, 512 * 1024])
@pytest.mark.parametrize("processes", [1, 2])
def test_header_again_is_left_out_wherever_blocks_end(
    size: int, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", size)
    count = 300 if size < 4096 else 3000 if size == 4096 else 30_000
    data = table(count, BOM + '"thirdPartyId","city"')
    outcome = run(data, processes=processes)
    assert outcome.received == [(f"A{number}", f"Köln, {number}") for number in range(count)]
    middle = count // 2 + 2
    assert warned(outcome) == {"repeated_header": [middle, middle + 1, count + 4]}
    limits = Limits(max_batch_rows=count // 7)
    sliced, invocations = run_in_slices(data, Feed(), limits, lambda: lambda: True, processes)
    assert invocations > 1
    assert sliced.split == run(data, limits=limits).split
    repeated = run(data + b"\nA0,x", processes=processes)
    assert (warned(repeated), repeated.split.rows.merged) == (warned(outcome), 1)


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: data], ids=["gzip", "plain"])
def test_header_of_a_later_gzip_member_is_no_row(pack: Callable[[bytes], bytes]) -> None:
    parts = [f"{BOM}pcId,a\n{number},x\n".encode() for number in range(3)]
    outcome = run(b"".join(map(pack, parts)))
    assert outcome.received == [("0", "x"), ("1", "x"), ("2", "x")]
    assert warned(outcome) == {"repeated_header": [3, 5]}


@pytest.mark.parametrize(
    ("header", "dashes", "row"),
    [
        ("thirdPartyId,city", "------------,----", "A1,Ulm"),
        ("thirdPartyId;city", "------------;----", "A1;Ulm"),
        ("thirdPartyId\tcity", "------------\t----", "A1\tUlm"),
        ("thirdPartyId|city", "------------+-----", "A1|Ulm"),
        ("thirdPartyId|city", "------------|-----", "A1|Ulm"),
        ('"thirdPartyId","city"', '"------------","----"', '"A1","Ulm"'),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [5, 4096])
def test_line_of_dashes_below_a_header_is_no_row(
    header: str, dashes: str, row: str, end: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", size)
    text = end.join([header, dashes, row, header, dashes, row.replace("A1", "A2"), row.replace("A1", "A3")])
    outcome = run(text.encode())
    assert outcome.received == [("A1", "Ulm"), ("A2", "Ulm"), ("A3", "Ulm")]
    assert warned(outcome) == {"dashed_line": [2, 5], "repeated_header": [4]}
    assert outcome.split.rows.read == 3
    sliced, _ = run_in_slices(text.encode(), Feed(), Limits(max_batch_rows=1), lambda: lambda: True)
    assert warned(sliced) == warned(outcome)


def test_dashes_are_values_beside_others() -> None:
    outcome = run(b"pcId,a\n1,---\n-2,y\n---3,x\n")
    assert outcome.received == [("1", "---"), ("-2", "y"), ("---3", "x")]


@pytest.mark.parametrize(
    "again",
    [
        {"thirdPartyId": "thirdPartyId", "age": "age", "note": "note"},
        {"note": "NOTE", "thirdPartyId": "third_party_id", "age": "Age"},
    ],
)
@pytest.mark.parametrize("rows", [1, 20_000])
def test_object_that_repeats_its_names_is_no_row(again: dict[str, str], rows: int) -> None:
    objects = [{"thirdPartyId": f"A{n}", "age": f"{n} Jahre"} for n in range(rows)]
    data = "\n".join(map(json.dumps, [*objects, again, {"thirdPartyId": "B2", "age": "3"}])).encode()
    outcome = run(data, Feed(mapping=Mapping(drop=("note",))))
    assert [row[0] for row in outcome.received] == [*(f"A{n}" for n in range(rows)), "B2"]
    assert warned(outcome) == {"repeated_header": [rows + 1]}


def test_object_with_other_names_in_it_rejects_the_file() -> None:
    data = b'{"thirdPartyId":"A1","age":"3"}\n{"thirdPartyId":"thirdPartyId","age":"years"}\n'
    with pytest.raises(FileRejectedError, match="Line 2 is another header"):
        run(data)


@pytest.mark.parametrize("again", ["pcId,city", "PC_ID,Ort", "city,pcId", "mbox3rdPartyId,Ort"])
def test_header_with_another_kind_of_key_rejects_the_file(again: str) -> None:
    for key in ("thirdPartyId", "Kunde"):
        feed = Feed(mapping=Mapping(key=key if key == "Kunde" else ""))
        with pytest.raises(FileRejectedError, match="Line 3 is another header"):
            run(f"{key},city\nA1,Ulm\n{again}\nA2,Bonn\n".encode(), feed)


@pytest.mark.parametrize(
    ("header", "again"),
    [
        ("Übersicht,Größe", "ÜBERSICHT,GRÖSSE"),
        ("Übersicht,Größe", "U\u0308bersicht,Gro\u0308ße"),
        ("顧客,都市", "顧客,都市"),
        ("клиент,город", "КЛИЕНТ,Город"),
        ("é,city", "É,City"),
    ],
)
@pytest.mark.parametrize("batch", [False, True])
def test_header_of_names_beyond_ascii_comes_again(header: str, again: str, batch: bool) -> None:
    def line(cells: str) -> str:
        return ",".join(map(quote, cells.split(","))) if batch else cells

    text = "\n".join(map(line, [header, "A1,Ulm", again, "A2,éa"]))
    feed = Feed(mapping=Mapping(key=header.split(",", maxsplit=1)[0]))
    outcome = run(("batch=" * batch + text).encode(), feed)
    assert outcome.received == [("A1", "Ulm"), ("A2", "éa")]
    assert warned(outcome) == {"repeated_header": [3]}


@pytest.mark.parametrize(
    "row", ["A1,a@example.com,thirdPartyId,email", "A1,,pcId,email", "A1,x,mbox3rdPartyId,"]
)
def test_row_that_says_what_kind_its_id_is_is_a_row(row: str) -> None:
    outcome = run(f"thirdPartyId,email,kind,channel\n{row}\n".encode())
    assert outcome.received == [tuple(row.split(","))]
    assert warned(outcome) == {}


def test_names_that_many_signs_surround_are_names() -> None:
    outcome = run(f"thirdPartyId,city\nA1,x\n{'_' * 20}thirdPartyId{'_' * 20},city\n".encode())
    assert warned(outcome) == {"repeated_header": [3]}


# --- files joined without a line end ---


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("rows", [1, 3000])
@pytest.mark.parametrize(
    ("first", "glued", "after"),
    [
        ("thirdPartyId,city,age", "A2,Oslo,4thirdPartyId,age,city", "A3,5,Bern"),
        ("thirdPartyId,city,age", f"A2,Oslo,4{BOM}thirdPartyId,age,city", "A3,5,Bern"),
        ("thirdPartyId,city,age", "A2,Oslo,4thirdPartyId,city,age", "A3,Bern,5"),
        ("thirdPartyId,city,age", "A2,OslothirdPartyId,age,city", "A3,5,Bern"),
        ("thirdPartyId,city,age", "A2thirdPartyId,age,city", "A3,5,Bern"),
        ("thirdPartyId,city,age", "A2thirdPartyId,city,age", "A3,Bern,5"),
        ("thirdPartyId,city", "A2thirdPartyId,city", "A3,Bern"),
        ("city,age,thirdPartyId", "Oslo,4,A2age,city,thirdPartyId", "5,Bern,A3"),
        ('"thirdPartyId","city","age"', '"A2","Oslo","4""thirdPartyId","age","city"', '"A3","5","Bern"'),
        ("batch=thirdPartyId,city,age", "A2,x,1batch=thirdPartyId,age,city", "A3,5,x"),
    ],
)
def test_row_that_ends_in_a_header_rejects_the_file(
    first: str, glued: str, after: str, rows: int, processes: int
) -> None:
    """The rows below it may have their cells in another order."""
    lines = [first, *[after] * rows, glued, after]
    with pytest.raises(
        FileRejectedError, match=f"^Line {rows + 2} ends in another header: two files were joined"
    ):
        run("\n".join(lines).encode(), processes=processes)


@pytest.mark.parametrize(
    "row",
    [
        "AthirdPartyId,x,city",
        "AthirdPartyId,city,x",
        "A2,mythirdPartyId,x",
        "xage,a,b",
    ],
)
def test_row_that_only_mentions_names_is_a_row(row: str) -> None:
    outcome = run(f"thirdPartyId,city,age\n{row}\n".encode())
    assert outcome.received == [tuple(row.split(","))]


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("rows", [1, 40_000])
@pytest.mark.parametrize(
    ("header", "again"),
    [
        ("thirdPartyId,age,city", "Email Address,age,city"),
        ("age,thirdPartyId,city", "age,Kunde,city"),
        ("age,city,pcId", "AGE,city,Kunde"),
        ("thirdPartyId,número,é", "Kunde,número,é"),
    ],
)
def test_header_with_an_unknown_name_for_the_key_rejects_the_file(
    header: str, again: str, rows: int, processes: int
) -> None:
    text = "\n".join([header, *["A1,x y,Ulm"] * rows, again, "B1,Bonn,7", ""])
    with pytest.raises(FileRejectedError, match=rf"^Line {rows + 2} is another header"):
        run(text.encode(), processes=processes)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("thirdPartyId,age", "A2,age"),  # one name may be a value
        ("thirdPartyId,age,city", "A2,40,city"),
        ("thirdPartyId,age,city", "A2,age,Ulm"),
        ("thirdPartyId,age,city", "A2,city,age"),
    ],
)
def test_row_in_which_a_value_is_the_name_of_a_column_is_a_row(header: str, row: str) -> None:
    outcome = run(f"{header}\nA1,1,Ulm\n{row}\n".encode())
    assert tuple(row.split(",")) in outcome.received


@pytest.mark.parametrize("end", [b"", b"\x1a", b"\x1a\x1a"])
@pytest.mark.parametrize("line_end", [b"", b"\n", b"\r\n"])
def test_mark_with_which_dos_ended_a_file_is_no_part_of_the_last_value(end: bytes, line_end: bytes) -> None:
    outcome = run(b"pcId,a\nA,x\nB,y z" + line_end + end)
    assert outcome.received == [("A", "x"), ("B", "y z")]
    assert outcome.split.warnings == ({"footer": 1} if end else {})


def test_first_of_two_other_headers_in_a_block_is_told() -> None:
    data = b"pcId,name,city\n1,a,b\nid,name,city\n2,c,d\nid,name,city\n"
    with pytest.raises(FileRejectedError, match=r"^Line 3 "):
        run(data)


@pytest.mark.parametrize(
    "page",
    [
        "<!DOCTYPE html>\n<html>\n<head><title>Sign in, please</title>\nvar a=1,b=2\n",
        '  <html lang="en">\n<b>a, b</b>\n',
        '<!doctype HTML PUBLIC "-//W3C, x//EN">\nx,y\n',
    ],
)
@pytest.mark.parametrize("rows", [1, 30_000])
def test_html_page_after_the_rows_rejects_the_file(page: str, rows: int) -> None:
    """A server sends it where an export fails on its way: its lines may have as many cells as the header."""
    above = "".join(f"A{number},Ulm\n" for number in range(rows))
    with pytest.raises(FileRejectedError, match=f"HTML page begins in line {rows + 2}:"):
        run(f"thirdPartyId,city\n{above}{page}".encode())


def test_html_in_a_row_rejects_no_file() -> None:
    outcome = run(b"thirdPartyId,a\nA1,<html>\n<b>x</b>,y\n<htmlx>,z\n")
    assert outcome.received == [("A1", "<html>"), ("<htmlx>", "z")]
