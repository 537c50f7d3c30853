"""Files of rows to mend: what they hold, and that the same feed reads them again."""

from __future__ import annotations

import codecs
import json

import pytest

from bulk_profiles.core.feeds import Feed, Mapping, Quoting, SeparatorInValue, ShortRows
from bulk_profiles.splitting.reading.mendable import members
from tests.worlds.splitting import Outcome, run

NOTES = ",_line,_reason,_what_to_do,_batch\n"
# By what is wrong: a file with one good row, and the same rows without a fault where they can be mended.
FILES: dict[str, tuple[bytes, Feed]] = {
    "comma": (b"pcId,city,note\n1,Ulm,x\n,Bonn,y\n", Feed()),
    "semicolon": (b"pcId;city;note\n1;Ulm;x\n;Bonn, am Rhein;y\n", Feed()),
    "pipe named by the feed": (b"pcId|city\n1|Ulm\n|Bonn\n", Feed(delimiter="|")),
    "sep=": (b"sep=^\npcId^city\n1^Ulm\n^Bonn\n", Feed()),
    "another delimiter named by the feed": (b"pcId~city\n1~Ulm\n~Bonn\n", Feed(delimiter="~")),
    "spaces after delimiters": (b'pcId, city, note\n1, Ulm, x\n, " Bonn", y\n', Feed()),
    "returns": (b"pcId,city\r1,Ulm\r,Bonn\r", Feed()),
    "cp1252": ("pcId;Straße\n1;Ä\n;Köln\n".encode("cp1252"), Feed(encoding="cp1252")),
    "utf-16": ("pcId\tStraße\n1\tÄ\n\tKöln\n".encode("utf-16"), Feed(encoding="cp1252")),
    "no quoting": (b'pcId,city\n1,Ulm\n,a "5" b\n', Feed(quoting=Quoting.NONE)),
    "quotes at starts, no quoting": (b'pcId,city\n1,Ulm\n,"a\n', Feed(quoting=Quoting.NONE)),
    "line breaks": (b'pcId,city\n1,Ulm\n,"Bonn\r\nam ""Rhein"""\n', Feed()),
    "separators rejected": (
        b'pcId,city\n1,Ulm\n2,"Bonn, am Rhein"\n',
        Feed(separator_in_value=SeparatorInValue.REJECT),
    ),
    "short rows filled": (b"pcId,city,note\n1,Ulm,x\n,Bonn\n", Feed(short_rows=ShortRows.FILL)),
    "short row": (b"pcId,city,note\n1,Ulm,x\n2,Bonn\n", Feed()),
    "short row, no quoting": (b"pcId,city,note\n1,Ulm,x\n2,Bonn\n", Feed(quoting=Quoting.NONE)),
    "too many cells": (b"pcId,city,note\n1,Ulm,x\n2,Bonn,y,z\n", Feed()),
    "an empty cell too many": (b"pcId,city,note\n1,Ulm,x\n3,Hof,x\n2,Bonn,y,\n", Feed()),
    "names without columns": (b"pcId,city,,\n1,Ulm,,\n,Bonn,,\n", Feed()),
    "bad quote": (b'pcId,city\n1,Ulm\n2,"Bonn" x\n', Feed()),
    "bad quotes over lines": (b'pcId,city,note\n1,Ulm,x\n2,"say \\"hi\\"\nand go",Ulm\n3,Hof,x\n', Feed()),
    "bad quote, short rows filled": (
        b'pcId,city\n1,Ulm\n2,"Bonn" x\n',
        Feed(short_rows=ShortRows.FILL),
    ),
    "bad quote, key last": (b'city,pcId\nUlm,1\n"Bonn" x,2\n', Feed(short_rows=ShortRows.FILL)),
    "not UTF-8": (b"pcId,city,note\n1,Ulm,x\n2,K\xf6ln,y\n", Feed()),
    "not UTF-8 and short": (b"pcId,city,note\n1,Ulm,x\n2,K\xf6ln\n", Feed()),
    "a byte that cp1252 does not have": (b"pcId,city\n1,\xc4\n2,\x81\n", Feed(encoding="cp1252")),
    "mixed encodings": (b"pcId,city\n1,\xc4x\n2,\xc3\xa4\n", Feed(encoding="cp1252")),
    "mapping": (
        b"Kunde,Ort,intern\nA1,Ulm,q\n,Bonn,r\n",
        Feed(mapping=Mapping(key="Kunde", rename={"Ort": "city"}, drop=("intern",), constants={"s": "x"})),
    ),
    "keep": (b"pcId,city,x\n1,Ulm,q\n,Bonn,r\n", Feed(mapping=Mapping(keep=("city",)))),
    "a word for nothing": (b"pcId,city\n1,Ulm\nrejected,Bonn,rejected\n", Feed(null_values=("x",))),
    "JSON": (
        b'{"pcId": "1", "a": "x"}\n{"pcId": "", "a": 1.50, "b": [1, {"c": null}]}\n',
        Feed(mapping=Mapping(drop=("b",))),
    ),
    "JSON, not an object": (b'{"pcId": "1", "a": "x"}\n[1, "\xc3\xa4"]\n', Feed()),
    "JSON, a name twice": (b'{"pcId": "1", "a": "x"}\n{"pcId": "2", "a": "x", "a": "y"}\n', Feed()),
    "JSON, not UTF-8": (b'{"pcId": "1", "a": "x"}\n{"pcId": "2", "a": "\xff"}\n', Feed()),
    "JSON in cp1252": (
        '{"pcId": "1", "a": "ä"}\n{"pcId": "", "a": "ö"}\n'.encode("cp1252"),
        Feed(encoding="cp1252"),
    ),
    "batch=": (b"batch=pcId,a%20b\n1,x%2Cy\n,p+q%26\n", Feed(delimiter="semicolon", quoting=Quoting.NONE)),
    "batch=, bad escape": (b"batch=pcId,a\n1,x\n2,%4\n", Feed(encoding="cp1252")),
    "batch=, too many cells": (b"batch=pcId,a\n1,x\n2,y,z\n", Feed()),
}


def mend(outcome: Outcome) -> bytes:
    return outcome.objects[outcome.split.rejected_rows]


@pytest.mark.parametrize("name", FILES)
def test_rows_that_are_not_mended_are_rejected_again(name: str) -> None:
    """Twice: the notes of the second file take the places of those of the first."""
    data, feed = FILES[name]
    first = run(data, feed)
    assert first.split.rows.rejected == 1
    again = run(mend(first), feed)
    assert (again.split.rows.read, again.split.rows.rejected, again.received) == (1, 1, [])
    third = run(mend(again), feed)
    assert (third.split.rows.read, third.split.rows.rejected) == (1, 1)
    kept = [line.split(b"_line")[0] for line in mend(third).splitlines()]
    assert kept[0] == mend(first).splitlines()[0].split(b"_line")[0]
    assert mend(third).count(b"_reason") == mend(first).count(b"_reason") == 1


@pytest.mark.parametrize(
    "name",
    [
        *("comma", "semicolon", "pipe named by the feed", "sep=", "another delimiter named by the feed"),
        *("spaces after delimiters", "returns", "cp1252", "utf-16", "no quoting", "line breaks"),
        *("short rows filled", "names without columns", "keep"),
    ],
)
def test_mended_rows_are_read_as_if_they_had_been_right(name: str) -> None:
    data, feed = FILES[name]
    text = data.decode("utf-16") if name == "utf-16" else data.decode(feed.encoding or "utf-8")
    broken = next(sign for sign in ("\n", "\r") if sign in text)
    place = text.index(broken + (feed.delimiter or ""), text.index("1"))
    right = text[: place + 1] + "7" + text[place + 1 :]
    encoded = right.encode("utf-16" if name == "utf-16" else feed.encoding or "utf-8")
    expected = run(encoded, feed).received[1:]
    file = mend(run(data, feed))
    head = file.index(b"\n", file.index(b"_batch")) + 1
    mended = run(file[:head] + b"7" + file[head:], feed)
    assert mended.received == expected
    assert not mended.split.warnings.keys() - run(encoded, feed).split.warnings.keys()


def test_table_has_its_own_columns_first_then_the_notes() -> None:
    outcome = run(b'pcId,city\n1,Ulm\n,"a ""b"", c"\n')
    assert mend(outcome).decode("utf-8-sig") == (
        "pcId,city"
        + NOTES
        + ',"a ""b"", c",3,empty_id: pcId,The row has no id: fill in the key column.,rejected\n'
    )
    assert mend(outcome).startswith(codecs.BOM_UTF8)


def test_notes_of_a_row_with_too_few_cells_follow_these() -> None:
    first, second = mend(run(b"pcId,city,note\n1,Ulm,x\n2,Bonn\n")).splitlines()
    assert second.startswith(b"2,Bonn,3,too_few_cells,")
    assert first.endswith(NOTES.strip().encode())


def test_row_that_cannot_be_decoded_keeps_its_bytes() -> None:
    assert b"\n2,K\xf6ln,3," in mend(run(b"pcId,city\n1,Ulm\n2,K\xf6ln\n"))
    cp1252 = mend(run(b"pcId,city\n1,\xc4\n2,\x81\n", Feed(encoding="cp1252")))
    assert b"\n2,\x81,3," in cp1252
    lines = mend(run('{"pcId": "1", "a": "x"}\n{"pcId": "2", "a": "é"}\n'.encode("latin-1")))
    assert b'{"pcId": "2", "a": "\xe9", "_line": "2", ' in lines


def test_objects_keep_their_members_as_they_are_written() -> None:
    outcome = run(
        b'{"pcId": "1", "a": "x"}\n  { "a" : 1.50, "b":[1,{"c":null}] , "\\u00e9" : "\\u0041"}\n',
        Feed(mapping=Mapping(drop=("b",))),
    )
    assert outcome.split.rejected_rows == "rejected-rows.jsonl"
    assert mend(outcome).startswith(
        b'{"a" : 1.50, "b":[1,{"c":null}], "\\u00e9" : "\\u0041", "_line": "2", "_reas'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", []),
        ('{"a":1}', [("a", '"a":1')]),
        ('{ "a" : {"b": [1]} ,\t"a":"x" }', [("a", '"a" : {"b": [1]}'), ("a", '"a":"x"')]),
        ("[]", None),
        ('{"a":1', None),
        ('{"a":1}x', None),
        ("{} x", None),
        ('{"a"}', None),
        ('{"a":1,}', None),
        ('{"\t":1}', None),
        ("", None),
        ("{" * 5, None),
        ('{"a":' + "[" * 100_000, None),
    ],
)
def test_members_of_an_object_are_found(text: str, expected: list[tuple[str, str]] | None) -> None:
    assert members(text) == expected


def test_blank_at_the_end_of_a_row_that_is_kept_whole_stays_there() -> None:
    outcome = run(b"batch=pcId,a\n1,x,y \r\n2,z\n")
    [line] = outcome.rejected_rows.decode().splitlines()
    assert "1,x,y " in json.loads(line).values()
