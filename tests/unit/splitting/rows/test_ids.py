"""Ids as they are sent, and what no id can be."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.models import Examples
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.reading import delimited
from tests.worlds.splitting import Outcome, run, run_in_slices

type Write = Callable[[str, list[str]], bytes]
BLANKS = [
    " ",
    "  ",
    "\t",
    "\xa0",
    "\ufeff",
    "\u200b",
    "\u200c",
    "\u200d",
    "\u2060",
    "\u3000",
    "\u2003",
    "\xad",
    *"\u2800\u3164\u115f\u1160\uffa0\ufe0f\u061c\u034f\u17b4\ufffc\U000e0020\U000e01ef\u206f",
]
INSIDE = [*BLANKS[3:], "\u2028"]
SCIENTIFIC = ["1.23E+15", "1,23E+15", "1.2e15", "1E+15", "1e+16", "-1.5E-7", "1.E+9", "1.234567890123457E15"]
# An id is not rejected because it could be a number.
GENUINE = [
    "12E5",
    "4E-17",
    "1e5",
    "123e4567",
    "E12",
    "1.2e15x",
    "1.2.3",
    "v1.0",
    "0123",
    "10000000000",
    "A'1",
]
CONTROL = [
    "A\x00",
    "A\x01B",
    "\x1fA",
    "A\tB",
    "A\nB",
    "A\rB",
    "A\x0b",
    "\ufffeA",
    "A\uffffB",
    "A\x7f",
    "A\x80",
    "A\x85B",
    "\x9fA",
]


def table(key: str, ids: list[str]) -> bytes:
    """Return a table with each id in quotes, and a value that has to be encoded."""
    rows = [f'"{text.replace('"', '""')}","é {number}"' for number, text in enumerate(ids)]
    return "\n".join([f"{key},a", *rows, ""]).encode()


def objects(key: str, ids: list[str]) -> bytes:
    """Return the same as JSON Lines."""
    lines = [json.dumps({key: text, "a": f"é {number}"}) for number, text in enumerate(ids)]
    return "\n".join(lines).encode()


WRITERS = pytest.mark.parametrize("write", [table, objects])


@WRITERS
@pytest.mark.parametrize("blank", BLANKS)
def test_blanks_around_an_id_are_no_part_of_it(blank: str, write: Write) -> None:
    outcome = run(write("thirdPartyId", ["A1", f"{blank}A1", f"A1{blank}", f" {blank}A 1{blank}"]))
    assert outcome.received == [("A1", "é 2"), ("A 1", "é 3")]
    first = 2 if write is table else 1
    assert outcome.split.warnings == {"id_trimmed": 3}
    assert outcome.split.examples == Examples(warnings={"id_trimmed": [first + 1, first + 2, first + 3]})


@WRITERS
@pytest.mark.parametrize("blank", BLANKS)
def test_id_of_nothing_but_blanks_is_empty(blank: str, write: Write) -> None:
    outcome = run(write("pcId", ["A1", blank, '="' + blank + '"', "A2"]))
    assert [reason for *_, reason in outcome.rejects] == ["empty_id", "empty_id"]
    assert [row[0] for row in outcome.received] == ["A1", "A2"]


@WRITERS
@pytest.mark.parametrize("blank", INSIDE)
def test_invisible_character_inside_an_id_is_sent_and_counted(blank: str, write: Write) -> None:
    text = f"abcdefghi{blank}1"
    outcome = run(write("pcId", ["A1", text, "Ä1"]))
    assert [row[0] for row in outcome.received] == ["A1", text, "Ä1"]
    first = 2 if write is table else 1
    assert outcome.split.examples == Examples(warnings={"id_invisible": [first + 1]})


@WRITERS
def test_text_that_was_decoded_wrongly_is_no_id_and_counted_as_a_value(write: Write) -> None:
    outcome = run(write("pcId", ["A1", "M\ufffdller", "A2"]))
    assert [reason for *_, reason in outcome.rejects] == ["id_decoded"]
    value = run("pcId,a\n1,M\ufffdller\n2,x\n".encode())
    assert value.split.examples == Examples(warnings={"replacement_character": [2]})


@WRITERS
@pytest.mark.parametrize(
    "text", ["J\xc3\xb6rg", "J\xc3\u2013rg", "Stra\xc3\x9fe 12", "a\xc2\xb0", "a\xe2\u20ac\u2122s"]
)
def test_text_that_was_decoded_twice_is_no_id_and_counted_as_a_value(text: str, write: Write) -> None:
    outcome = run(write("pcId", ["A1", text, "SÃO", "Â1", "ã€", "A2"]))
    assert [reason for *_, reason in outcome.rejects] == ["id_decoded"]
    assert outcome.split.rows.sent == 5
    value = run(f"pcId,a\n1,SÃO\n2,Ã¼{text}\n3,Â1\n4,ã€\n".encode())
    assert value.split.examples == Examples(warnings={"decoded_twice": [3]})


@WRITERS
@pytest.mark.parametrize(
    "text", ["'A1'", "`A1`", "\u2018A1\u2019", "\u201cA1\u201d", "\u201eA1\u201c", "\xabA1\xbb"]
)
def test_id_in_quotes_that_enclose_no_value_is_rejected(text: str, write: Write) -> None:
    outcome = run(write("pcId", ["A1", text, "A2", f"{text}x", f"x{text}"]))
    assert [reason for *_, reason in outcome.rejects] == ["id_quoted"]
    assert [row[0] for row in outcome.received] == ["A1", "A2", f"{text}x", f"x{text}"]


@WRITERS
@pytest.mark.parametrize("text", CONTROL)
def test_id_that_no_answer_could_name_is_rejected(text: str, write: Write) -> None:
    outcome = run(write("pcId", ["A1", text, "A2"]))
    assert [reason for *_, reason in outcome.rejects] == ["id_character"]
    assert [row[0] for row in outcome.received] == ["A1", "A2"]


@WRITERS
@pytest.mark.parametrize("key", ["pcId", "thirdPartyId"])
@pytest.mark.parametrize("text", [*SCIENTIFIC, ' ="1.23E+15"'])
def test_id_that_a_spreadsheet_has_shortened_is_rejected(text: str, key: str, write: Write) -> None:
    outcome = run(write(key, ["A1", text, "A2"]))
    assert [reason for *_, reason in outcome.rejects] == ["id_number"]
    assert [row[0] for row in outcome.received] == ["A1", "A2"]


@pytest.mark.parametrize("before", ["", "x,", "xxxxxxxx1.2E+,"])
@pytest.mark.parametrize("text", GENUINE)
def test_id_that_only_looks_like_a_number_is_sent_as_it_is(text: str, before: str) -> None:
    names = "b," if before else ""
    outcome = run(f"{names}pcId,a\n{before}{text},1.2E+15\n{before}B{text},1.0\n".encode())
    assert [row[0] for row in outcome.received] == [text, f"B{text}"]
    assert not outcome.split.warnings


@pytest.mark.parametrize("before", ["", "y,", "yyyyyyyyy,"])
@pytest.mark.parametrize("text", ["1.2E5", "1.23E15", "1e+9", "-1.5e300", "1.234567890123457E15"])
def test_shortened_id_without_anything_to_encode_is_rejected(text: str, before: str) -> None:
    names = "b," if before else ""
    outcome = run(f"{names}pcId,a\n{before}A1,x\n{before}{text},x\n".encode())
    assert outcome.rejects == [["3", "pcId", "id_number"]]


@WRITERS
@pytest.mark.parametrize("text", ['="00123"', ' ="00123"', '=" 00123"', '=T("00123")', "=00123"])
def test_formula_around_an_id_is_taken_off(text: str, write: Write) -> None:
    outcome = run(write("thirdPartyId", [text, "00123"]))
    assert outcome.received == [("00123", "é 1")]
    assert outcome.split.warnings == {"id_trimmed": 1}


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("delimiter", [b",", b";", b"\t"])
def test_formula_around_an_id_may_stand_without_quotes_around_it(delimiter: bytes, end: bytes) -> None:
    data = b'thirdPartyId,city\n="00123",Ulm\n"=""00124""","a, b"\n="00125",Bonn\n'
    outcome = run(data.replace(b"a, b", b"a b").replace(b",", delimiter).replace(b"\n", end))
    assert [row[0] for row in outcome.received] == ["00123", "00124", "00125"]
    assert outcome.split.examples.warnings == {"id_trimmed": [2, 3, 4]}


def test_apostrophe_before_an_id_is_sent_and_counted() -> None:
    outcome = run(b"thirdPartyId,zip\n'00123,'1\nA2,'1\n'00124,x\n")
    assert [row[0] for row in outcome.received] == ["'00123", "A2", "'00124"]
    assert outcome.split.examples == Examples(warnings={"id_apostrophe": [2, 4]})


@pytest.mark.parametrize("number", ["1001.0", "7.0", "1001.000000", "1001.0000000000", "12345678901.00"])
def test_id_that_ends_in_a_zero_fraction_is_sent_and_counted(number: str) -> None:
    outcome = run(f"pcId,a\n{number},x\nA1.0,x\n1.5,x\n1.10,x\n".encode())
    assert outcome.received[0][0] == number
    assert outcome.split.examples == Examples(warnings={"id_decimal": [2]})
    quoted = run(f'pcId,a\n"{number.replace(".", ",")}",x\n'.encode())
    assert quoted.split.warnings["id_decimal"] == 1


def test_ids_of_a_batch_file_are_checked_decoded() -> None:
    outcome = run(b"batch=pcId,a\n%20A1,x\nA%01,x\n1.2E%2B15,x\n1.2E+15,x\n%C2%A0,y\nA1,z\n")
    assert outcome.received == [("A1", "z")]
    assert outcome.rejects == [
        ["3", "pcId", "id_character"],
        ["4", "pcId", "id_number"],
        ["5", "pcId", "id_number"],
        ["6", "pcId", "empty_id"],
    ]


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("block_bytes", [30, 1000, 512 * 1024])
def test_ids_are_the_same_however_the_file_is_read(
    processes: int, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block_bytes)
    rows = [b"%03d,\xc3\xa9" % number for number in range(200)]
    rows[50], rows[90], rows[120], rows[150] = b" 001 ,z", b"1.2E+15,x", b'="500",x', b"A\x01,x"
    rows[199] = "\u200b003,z".encode()
    data = b"pcId,a\n" + b"\n".join(rows)

    def check(outcome: Outcome) -> None:
        assert outcome.rejects == [["92", "pcId", "id_number"], ["152", "pcId", "id_character"]]
        assert outcome.split.examples.warnings == {"id_trimmed": [52, 122, 201]}
        assert outcome.split.warnings == {"id_trimmed": 3}
        assert outcome.split.rows.merged == 2
        assert outcome.received[1:4:2] == [("001", "z"), ("003", "z")]
        assert ("500", "x") in outcome.received

    check(run(data, processes=processes))
    sliced, invocations = run_in_slices(
        data, Feed(), Limits(max_batch_rows=50), lambda: lambda: True, processes
    )
    check(sliced)
    assert invocations > 3


@pytest.mark.parametrize("text", ["1E15", "2e10", "123E12", "9E100", "123E100"])
@pytest.mark.parametrize("rest", ["x", "x.y", "é"])
def test_id_that_may_be_a_shortened_number_is_sent_and_counted(text: str, rest: str) -> None:
    outcome = run(f"thirdPartyId,a\nA1,{rest}\n{text},x\nE15,x\n1E,x\n1234E15,x\n1E5,x\n".encode())
    assert [row[0] for row in outcome.received] == ["A1", text, "E15", "1E", "1234E15", "1E5"]
    assert outcome.split.warnings == {"id_exponent": 1}
    assert outcome.split.examples.warnings == {"id_exponent": [3]}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *(
            (word, "total_row")
            for word in (
                "Total",
                "GRAND TOTAL",
                " subtotal ",
                "TRAILER",
                "EOF",
                "Record count: 5",
                "Total records",
                "TRL",
                "Total:",
                "Total (2)",
                "Gesamt : 7",
                "Total: Account",
                "GESAMTERGEBNIS",
                "Total Général",
                "Suma KOŃCOWA",
                "Итого",
                "ВСЕГО",
                "総計",
                "A1 Total",
                "Kunde 7 ERGEBNIS",
            )
        ),
        *((word, "empty_id") for word in ("TRUE", "false")),
    ],
)
@pytest.mark.parametrize("rest", ["x", "é"])
@pytest.mark.parametrize("rows", [1, 30_000])
def test_word_for_a_sum_or_a_boolean_is_no_id(text: str, code: str, rest: str, rows: int) -> None:
    filler = "".join(f"A{number},{rest},Total\n" for number in range(rows))
    outcome = run(f"thirdPartyId,a,b\n{filler}{text},x,3\nTotalA,{rest},true\n".encode())
    assert outcome.split.rows.sent == rows + 1
    assert outcome.received[-1] == ("TotalA", rest, "true")
    assert outcome.rejects == [[str(rows + 2), "thirdPartyId", code]]
    assert outcome.split.examples.rejects == {code: [rows + 2]}


@pytest.mark.parametrize(
    "profile_id", ["NA:5", "none (2)", "True (1)", "Total-7", "Totals2", "sum:a", "Total A"]
)
def test_id_that_begins_with_a_word_is_an_id(profile_id: str) -> None:
    """Only a word for a sum may have a colon or a count after it."""
    assert run(f"thirdPartyId,a\n{profile_id},x\nA1,y\n".encode()).received[0][0] == profile_id


PLACEHOLDERS = [
    "{{customer.id}}",
    "{{ id }}",
    "{% id %}",
    "${id}",
    "#{user_id}",
    "%%id%%",
    "*|ID|*",
    "[[id]]",
    "<%= id %>",
    "[object Object]",
    "[object Undefined]",
    "(not set)",
    "(Not Provided)",
    "System.Object[]",
    "System.Collections.Hashtable",
    "<b>Warning</b>: fopen() failed in <b>x.php</b> on line <b>3</b><br />",
    "<br />",
    "</html>",
    "<!-- generated -->",
    "<?php echo 1;",
    "<script>var a = 1;",
    "=A2",
    "=$B$2",
    "=VLOOKUP(A2;B:C;2)",
]


@WRITERS
@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_id_that_is_a_placeholder_is_rejected(write: Write, text: str) -> None:
    outcome = run(write("pcId", ["A", text, "B"]))
    assert [row[0] for row in outcome.received] == ["A", "B"]
    assert [reject[2] for reject in outcome.rejects] == ["placeholder_id"]


@WRITERS
@pytest.mark.parametrize(
    "text",
    [
        *("{id}", "$5", "#1", "%id", "*star*", "[id]", "<id>", "(x)", "a{{b}}", "[object]", "=abc"),
        *("System.Owner", "Systems", "<a@b.example>", "<bold>"),
    ],
)
def test_id_that_only_looks_a_little_like_a_placeholder_is_kept(write: Write, text: str) -> None:
    assert [row[0] for row in run(write("pcId", ["A", text])).received] == ["A", text]


@WRITERS
@pytest.mark.parametrize(
    "text",
    [
        *("b'A1'", "u'A1'", "ObjectId(65a1)", "UUID('0a1b')", "Decimal('5')", "np.int64(5)"),
        *("bytearray(b'x')", '["A1"]', '{"id":"A1"}', "['A1', 'A2']", "('A1',)", '"A1"'),
    ],
)
def test_id_as_a_program_prints_it_is_rejected(write: Write, text: str) -> None:
    outcome = run(write("pcId", ["A", text, "B"]))
    assert [row[0] for row in outcome.received] == ["A", "B"]
    assert [reject[2] for reject in outcome.rejects] == ["id_quoted"]


@WRITERS
@pytest.mark.parametrize(
    "text", ["O'", "x'A1'", "A1(2)", "Kunde(5)", "object(1)", "{A1}", "[A1]", '5"', '"A" 1']
)
def test_id_that_only_looks_a_little_like_what_a_program_prints_is_kept(write: Write, text: str) -> None:
    assert [row[0] for row in run(write("pcId", ["A", text])).received] == ["A", text]


@WRITERS
@pytest.mark.parametrize("text", ["# old customers", "#\tA1", "-- end --"])
def test_id_that_is_a_comment_is_rejected(write: Write, text: str) -> None:
    outcome = run(write("pcId", ["A", text, "B"]))
    assert [row[0] for row in outcome.received] == ["A", "B"]
    assert [reject[2] for reject in outcome.rejects] == ["comment_row"]


@pytest.mark.parametrize("rest", ["x", "é"])
def test_id_that_may_be_a_row_that_is_commented_out_is_sent_and_counted(rest: str) -> None:
    outcome = run(f"thirdPartyId,a\nA1,{rest}\n#A2,{rest}\n--A3,{rest}\nA#4,{rest}\n".encode())
    assert [row[0] for row in outcome.received] == ["A1", "#A2", "--A3", "A#4"]
    assert outcome.split.examples == Examples(warnings={"id_commented": [3]})


@WRITERS
@pytest.mark.parametrize(
    "text",
    ["##", "#NV", "#WERT!", "#\xa1REF!", "#NOM?"],
)
def test_error_of_a_spreadsheet_is_no_id(write: Write, text: str) -> None:
    outcome = run(write("pcId", ["A", text]))
    assert [row[0] for row in outcome.received] == ["A"]
    assert [reject[2] for reject in outcome.rejects] == ["empty_id"]


def test_error_of_libreoffice_is_no_id() -> None:
    outcome = run(b"pcId,a\nA,x\nErr:502,x\nErr:5021,x\nErr7,x\n")
    assert [row[0] for row in outcome.received] == ["A", "Err:5021", "Err7"]
    assert outcome.rejects == [["3", "pcId", "empty_id"]]


@WRITERS
def test_id_whose_accent_is_a_character_of_its_own_is_counted(write: Write) -> None:
    ids = ["Jose\u0301-1234", "Jos\xe9-1234"]
    outcome = run(write("pcId", ids))
    assert [row[0] for row in outcome.received] == ids
    assert outcome.split.warnings["id_invisible"] == 1


@WRITERS
@pytest.mark.parametrize("text", ["inf", "-inf", "+INF", "Infinity", "-Infinity"])
def test_id_that_is_a_number_without_an_end_is_none(write: Write, text: str) -> None:
    outcome = run(write("pcId", ["A", text]))
    assert [row[0] for row in outcome.received] == ["A"]
    assert [reject[2] for reject in outcome.rejects] == ["empty_id"]


def test_id_of_the_first_row_is_measured_from_its_own_start() -> None:
    long = b"A" * 129
    outcome = run(b"pcId,a\n%b,x\n%b,y\n%b,z\n" % (long, b"B" * 128, b"C" * 129))
    assert outcome.split.warnings == {"long_id": 2}
    assert outcome.split.examples.warnings == {"long_id": [2, 4]}


@WRITERS
def test_byte_order_mark_that_was_decoded_wrongly_is_in_no_id(write: Write) -> None:
    outcome = run(write("pcId", ["A1", "\xef\xbb\xbfA2", "Na\xefve"]))
    assert [row[0] for row in outcome.received] == ["A1", "Na\xefve"]
    assert [reject[2] for reject in outcome.rejects] == ["id_decoded"]


@pytest.mark.parametrize("rest", ["x", "x.y", "é"])
@pytest.mark.parametrize(
    "text",
    ["1-Mar", "31-Dec", "Mar-24", "2024-05-01", "2024-05-01 00:00:00", "2024-05-01T10:00:00.000Z", "1.234"],
)
def test_id_that_a_spreadsheet_may_have_formatted_is_sent_and_counted(text: str, rest: str) -> None:
    outcome = run(f"thirdPartyId,a\nA1,{rest}\n{text},x\n1-Max,x\nMarc-24,x\n24-05-01,x\n".encode())
    assert [row[0] for row in outcome.received] == ["A1", text, "1-Max", "Marc-24", "24-05-01"]
    assert outcome.split.examples == Examples(warnings={"id_formatted": [3]})


@WRITERS
@pytest.mark.parametrize("sign", [*",.' \u2019\xa0\u202f"])
def test_id_whose_digits_are_in_groups_is_sent_and_counted(sign: str, write: Write) -> None:
    texts = [f"1{sign}234{sign}567", f"123{sign}456"]
    others = [f"1234{sign}567", f"1{sign}2345", f"A{sign}234", "1,234.567", "0.123"]
    outcome = run(write("thirdPartyId", [*texts, *others]))
    assert [row[0] for row in outcome.received] == [*texts, *others]
    first = 2 if write is table else 1
    assert outcome.split.warnings["id_formatted"] == 2
    assert outcome.split.examples.warnings["id_formatted"] == [first, first + 1]


@pytest.mark.parametrize("block_bytes", [20, 60, 512 * 1024])
@pytest.mark.parametrize("rest", ["x", "é"])
def test_long_numbers_that_were_rounded_are_sent_and_counted(
    rest: str, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spreadsheet keeps 15 digits. Whether a number was rounded does not depend on those beside it."""
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block_bytes)
    ids = ["1582917533873850000", "158291753387385000", "1582917533873852417", "A1"]
    ids += ["1582917533873852418", "1582917533873852419", "1582917533873850000000"]
    outcome = run("\n".join(["city,pcId", *(f"{rest},{text}" for text in ids)]).encode())
    assert [row[0] for row in outcome.received] == ids
    assert outcome.split.warnings == {"id_formatted": 3}
    assert outcome.split.examples.warnings == {"id_formatted": [2, 3, 8]}


@pytest.mark.parametrize(
    "ids",
    [
        ["15829175338738500", "15829175338738500000000", "1582917533873852000", "0582917533873850000"],
        ["1582917533873800", "1582917533873900", "1582917533874000"],
        ["a582917533873850000", "15829175338738a0000", "1582917533b7385c000"],
    ],
)
def test_ids_that_end_in_zeros_by_chance_are_not_counted(ids: list[str]) -> None:
    assert not run("\n".join(["pcId,a", *(f"{text},x" for text in ids), ""]).encode()).split.warnings
