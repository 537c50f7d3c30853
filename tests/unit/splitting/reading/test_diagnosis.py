"""Files whose header and rows do not match: each is rejected with a sentence that says what it looks like."""

from __future__ import annotations

import gzip

import pytest

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, Mapping
from bulk_profiles.splitting.reading import record_parser
from tests.worlds.splitting import run

NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}


def rejection(data: bytes, feed: Feed | None = None) -> str:
    with pytest.raises(FileRejectedError) as caught:
        run(data, feed)
    return str(caught.value)


@pytest.mark.parametrize("header", NAMES)
@pytest.mark.parametrize("rows", NAMES)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_with_another_delimiter_than_the_header_reject_the_file(
    header: str, rows: str, end: str
) -> None:
    lines = [header.join(["thirdPartyId", "name", "city"])]
    lines += [rows.join([f"A{number}", "Ann", f'"Ulm{header} Mitte"']) for number in range(9)]
    data = end.join([*lines, ""]).encode()
    if header == rows:
        assert len(run(data).received) == 9
        return
    sentence = (
        f"The header is separated by {NAMES[header]}, and the rows from line 2 on by {NAMES[rows]}: "
        "use one delimiter in all lines."
    )
    assert rejection(data) == sentence
    assert rejection(gzip.compress(data)) == sentence
    assert rejection(data.decode().encode("utf-16")) == sentence


def test_delimiters_inside_unquoted_values_do_not_hide_those_of_the_rows() -> None:
    data = b"thirdPartyId,name,city\nA1\tAnn\tUlm, Mitte\nA2\tBob\tBonn, Nord\nA3\tEve\tKiel, a, b\n"
    assert "by tabs" in rejection(data)
    assert "by semicolons" in rejection(
        b"thirdPartyId,price,city\nA1;1,5;Ulm\nA2;20;Bonn\n\n(2 rows affected)\n"
    )


def test_a_value_with_another_delimiter_in_each_row_is_a_value() -> None:
    outcome = run(b"thirdPartyId,tags\nA1,x;y\nA2,z;w\n")
    assert outcome.received == [("A1", "x;y"), ("A2", "z;w")]


def test_lines_that_are_one_quoted_value_reject_the_file() -> None:
    sentence = "Each line is one quoted value: export the table again"
    data = b'"thirdPartyId,name,city"\n"A1,Ann,Ulm"\n"A2,""B, C"",Bonn"\n'
    for delimiter in (b",", b";", b"\t", b"|"):
        assert rejection(data.replace(b",", delimiter)).startswith(sentence)
    assert rejection(data, Feed(delimiter=",")).startswith(sentence)
    assert rejection(data.replace(b'"', b"", 2)).startswith(sentence)


@pytest.mark.parametrize("delimiter", NAMES)
@pytest.mark.parametrize("lines", [1, 2, 5])
def test_lines_above_the_header_reject_the_file_with_the_line_of_the_header(
    delimiter: str, lines: int
) -> None:
    data = "Customers, as of May\n" * lines + f"name{delimiter}thirdPartyId\nAnn{delimiter}A1\n"
    assert rejection(data.encode()) == f"The header is in line {lines + 1}: remove the lines above it."


def test_a_header_that_a_title_precedes_may_have_the_feeds_key_column() -> None:
    data = b'"Customers"\r\n\r\nkunde;name\r\n1;Ann\r\n'
    assert "header is in line 3" in rejection(data, Feed(mapping=Mapping(key="kunde")))


@pytest.mark.parametrize(
    "data",
    [
        b"A1,Ulm,gold\nA2,Bonn,silver\n",
        b"17,Ulm\n18,Bonn\n",
        b"ann@example.com,Ulm\n",
        b"x,2024-05-01\ny,2024-05-02\n",
        b"0b6f3c52-52f4-4d0a-9d7e-2a1c7f5f8a11,x\n",
        b"canary,Ulm\ncanary,Bonn\n",
    ],
)
def test_a_first_line_like_the_others_is_no_header_and_is_not_repeated(data: bytes) -> None:
    sentence = rejection(data)
    assert sentence == "The file does not start with a header: add one, with a name for each column."


def test_a_delimiter_that_is_named_wrongly_is_told() -> None:
    data = b"thirdPartyId,city\nA1,Ulm\n"
    sentence = (
        "The header is separated by commas, and the delimiter is said to be semicolons: correct the feed"
    )
    assert rejection(data, Feed(delimiter=";")).startswith(sentence)
    assert rejection(b"sep=;\n" + data).startswith(sentence)
    assert run(b"sep=;\n" + data, Feed(delimiter=",")).received == [("A1", "Ulm")]


@pytest.mark.parametrize(("delimiter", "name"), [("\x01", "U+0001"), ("^", '"^"'), ("~", '"~"')])
def test_a_delimiter_that_must_be_named_is_told(delimiter: str, name: str) -> None:
    data = f"thirdPartyId{delimiter}city\nA1{delimiter}Ulm\n".encode()
    assert rejection(data) == f"The header is separated by {name}: name that as the delimiter in the feed."
    assert run(data, Feed(delimiter=delimiter)).received == [("A1", "Ulm")]


@pytest.mark.parametrize("line", ["anna", "anna,berta", "anna;berta\r\n", "anna\n\n \n"])
def test_single_line_that_may_be_a_row_is_not_repeated(line: str) -> None:
    with pytest.raises(FileRejectedError, match="has one line, which names no key column") as caught:
        run(line.encode())
    assert "anna" not in str(caught.value)


@pytest.mark.parametrize("start", ["BATCH=", "\nbatch=", " batch=", '"batch=', "batch =", "Batch="], ids=repr)
@pytest.mark.parametrize("names", ["pcId,city", "city,pcId"])
def test_batch_that_does_not_begin_the_file_as_target_spells_it_is_told(start: str, names: str) -> None:
    end = '"' if '"' in start else ""
    assert rejection(f"{start}{names}{end}\n1,2\n".encode()).startswith("The header begins with batch=, but")


def test_rows_whose_quotes_are_wrong_say_nothing_of_another_delimiter() -> None:
    assert "line 2 is not closed" in rejection(b'thirdPartyId;name\nA1;"x\nA2;y\n')


@pytest.mark.parametrize("header", ["thirdPartyId,name", "thirdPartyId,name,"])
def test_quotes_that_are_wrong_for_long_are_told_and_not_a_delimiter(
    header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_parser, "_MOST_MISQUOTED", 3)
    data = header.encode() + b'\nA1,"x" y\nmore\nand more\nA2;y\nA3;z\nA4,"q"\n'
    assert "line 2 is not closed" in rejection(data)


@pytest.mark.parametrize("delimiter", ["||", ";;", "\t\t", "::", "|~|", "~|~", "^|^", "~~~", ",,"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_delimiter_of_several_characters_rejects_the_file(delimiter: str, quote: str) -> None:
    rows = [["thirdPartyId", "city", "plan"], ["A1", "Ulm", "x"], ["A2", "", "y"]]
    lines = [delimiter.join(f"{quote}{cell}{quote}" for cell in row) for row in rows]
    assert "which is more than one character: export the table with a delimiter of one" in rejection(
        "\n".join(lines).encode()
    )


@pytest.mark.parametrize("data", [b"\x1f", b"\x1c\n\x1d\n"])
def test_file_of_separators_is_empty(data: bytes) -> None:
    assert rejection(data) == "The file is empty: it has no header."


@pytest.mark.parametrize(
    "data",
    [
        b"thirdPartyId,,city\nA1,x,Ulm\n",
        b"thirdPartyId;a;b##\nA1;x;y##\n",
        b"thirdPartyId,;\nA1,;\n",
    ],
)
def test_signs_beside_each_other_in_a_header_are_no_delimiter(data: bytes) -> None:
    assert run(data).split.rows.sent == 1
    assert run(data.split(b"\n")[0]).split.rows.read == 0


@pytest.mark.parametrize(
    "data",
    [
        "thirdPartyId city age\nA1 Ulm 3\n",
        "thirdPartyId    city   age\nA1              Ulm    3  \n",
        "age  thirdPartyId    city\n3    A1              Bad Ulm\n",
        "third party id  city\nA1              Ulm\n",
    ],
)
def test_columns_that_spaces_separate_reject_the_file(data: str) -> None:
    assert rejection(data.encode()) == "The columns are separated by spaces: export the table as CSV (UTF-8)."


@pytest.mark.parametrize("rows", [2, 3000])
def test_rows_that_end_with_a_return_below_a_line_feed_reject_the_file(rows: int) -> None:
    data = "thirdPartyId,city\n" + "".join(f"A{number},Ulm\r" for number in range(rows))
    assert "use one line end for all" in rejection(data.encode())


def test_table_drawn_with_lines_rejects_the_file() -> None:
    rows = "| A1           | Ulm  |\n"
    assert "drawn with lines" in rejection(f"| thirdPartyId | city |\n|---|---|\n{rows}".encode())
    assert "drawn with lines" in rejection(f"+----+\n| thirdPartyId | city |\n+----+\n{rows}".encode())
    assert run(b"|thirdPartyId|city|\n|A1|Ulm|\n").received == [("A1", "Ulm")]
    assert "drawn with lines" in rejection(b" thirdPartyId | city \n--------------+------\n A1 | Ulm\n")
    assert run(b"thirdPartyId|city\n------------+----\nA1|Ulm\n").received == [("A1", "Ulm")]


@pytest.mark.parametrize("quotes", [("'", "'"), ("\u201c", "\u201d"), ("\u201e", "\u201c")])
def test_other_quotes_around_names_and_values_reject_the_file(quotes: tuple[str, str]) -> None:
    opening, closing = quotes
    rows = [["thirdPartyId", "city"], ["A1", "Ulm, Nord"], ["A2", "Bonn"]]
    data = "\n".join(",".join(f"{opening}{cell}{closing}" for cell in row) for row in rows)
    assert "export the table with double quotes" in rejection(data.encode())
    names = data.split("\n", 1)[0]
    assert "in quotes that are part of them" in rejection(f"{names}\nA1,x\n".encode())


@pytest.mark.parametrize(
    "data",
    [
        "thirdPartyId,city\n\u201cA1\u201d,\u201cx\u201d\n\u201cA2\u201d,\n",
        "thirdPartyId,city,n\n'A1','Rome','x'\n'A2','Oslo','y'\n",
        "'thirdPartyId','city'\n'A1','Rome'\n",
    ],
)
def test_values_in_other_quotes_reject_the_file(data: str) -> None:
    assert "are in single or typographic quotes" in rejection(data.encode())


@pytest.mark.parametrize("row", ["'00123,Rome", "A1,'Rome'", "A1,\u201cRome\u201d", "A1,`Rome`", "A1,[Rome]"])
def test_one_value_in_other_quotes_rejects_no_file(row: str) -> None:
    assert run(f"thirdPartyId,city\n{row}\n".encode()).split.rows.sent == 1


@pytest.mark.parametrize("header", ["`thirdPartyId`,`city`", "[thirdPartyId], [city]"])
def test_names_in_brackets_or_backticks_reject_the_file(header: str) -> None:
    assert "are in brackets, in backticks or" in rejection(f"{header}\nA1,Rome\n".encode())
    assert run(b"thirdPartyId,[city]\nA1,Rome\n").split.rows.sent == 1


@pytest.mark.parametrize(
    "types",
    [
        "string,string,int",
        "VARCHAR(20),text,DOUBLE PRECISION",
        "UUID,LowCardinality(Nullable(String)),DateTime64(3)",
        '"FixedString(8)","Nullable(Decimal(9, 2))","DateTime64(3, \'UTC\')"',
    ],
)
def test_types_of_the_columns_below_the_header_reject_the_file(types: str) -> None:
    assert "types of the columns" in rejection(f"thirdPartyId,city,n\n{types}\nA1,Rome,3\n".encode())


@pytest.mark.parametrize("row", ["text,Rome,int", "string,string,stringy", "text,date,"])
def test_row_with_other_words_than_types_is_a_row(row: str) -> None:
    assert run(f"thirdPartyId,city,n\n{row}\nA1,Rome,3\n".encode()).split.rows.sent == 2


def test_three_lines_of_names_reject_the_file() -> None:
    names = 'thirdPartyId,q1\nExternal reference,How?\n"{""ImportId"":""ref""}","{""ImportId"":""QID1""}"\n'
    assert "has three lines, as Qualtrics writes it" in rejection(f"{names}A1,4\n".encode())
    assert run(b'thirdPartyId,q1\nA1,"{""Import"":1}"\nA2,x\n').split.rows.sent == 2


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("last", ["", "x"])
def test_row_numbers_that_have_no_name_reject_the_file(first: int, last: str) -> None:
    rows = [f'"{number}","A{number}x","Rome",{last}' for number in range(first, first + 3)]
    data = "\n".join(['"thirdPartyId","city","left"', *rows]).encode()
    assert "begin with their numbers" in rejection(data)


@pytest.mark.parametrize("first", ["pcId", "n"])
def test_row_numbers_are_told_by_the_ids_after_them(first: str) -> None:
    names = [first, "city", "pcId"] if first == "n" else [first, "city", "left"]
    rows = [["1", "A1", "Ulm", ""], ["2", "A2", "Ulm", ""], ["3", "A3", "Bonn", ""]]
    if first == "n":
        rows = [[row[0], row[2], row[2], row[1]] for row in rows]
    data = "\n".join(map(",".join, [names, *rows])).encode()
    assert "begin with their numbers" in rejection(data)


@pytest.mark.parametrize(
    "rows",
    [
        ["1,Ulm,", "2,Bonn,", "3,Ulm,"],  # cities repeat
        ["1,Ulm,", "2,Bonn,"],  # too few to tell
        ["1,Ulm", "2,Bonn", "3,Rome"],
        ["1,Ulm,", "3,Bonn,", "4,Rome,"],
        ["2,Ulm,", "3,Bonn,", "4,Rome,"],
        ["1,Ulm,,", "2,Bonn,,", "3,Rome,,"],
    ],
)
def test_rows_that_end_in_a_delimiter_do_not_begin_with_their_numbers(rows: list[str]) -> None:
    assert run("\n".join(["pcId,city", *rows]).encode()).split.rows.sent == len(rows)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("thirdPartyId,city;;", "A1,Rome;x;"),
        ("thirdPartyId;city,", "A1;Rome,"),
        ("thirdPartyId\tcity|", "A1\tRo|me"),
    ],
)
def test_header_that_ends_in_a_second_delimiter_rejects_the_file(header: str, row: str) -> None:
    assert "saved again with another delimiter" in rejection(f"{header}\n{row}\n{row}\n".encode())
    assert run(f"{header}\n{row}\nA2{row[2]}Oslo\n".encode()).split.rows.sent == 2


def test_header_that_ends_in_its_own_delimiter_is_a_header() -> None:
    assert run(b"thirdPartyId;city;;\nA1;Rome;;\n").received == [("A1", "Rome")]
    assert run(b'thirdPartyId;"city;"\nA1;"Rome;"\n').received == [("A1", "Rome;")]


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\u2029"])
def test_lines_that_end_with_no_line_end_reject_the_file(end: str) -> None:
    data = end.join(["thirdPartyId,city", "A1,Rome", ""])
    assert f"end with U+{ord(end):04X}" in rejection(data.encode())
    assert run(f"thirdPartyId,city{end}\nA1,Rome\n".encode()).split.rows.sent == 1


def test_records_of_sqlite_reject_the_file() -> None:
    data = b"thirdPartyId\x1fcity\x1eA1\x1fRome\x1e"
    assert "end with U+001E" in rejection(data, Feed(delimiter="\x1f"))


@pytest.mark.parametrize("sign", "\uff0c\u3001\xa6\xa7")
def test_delimiter_beyond_ascii_is_no_part_of_a_name(sign: str) -> None:
    data = f"thirdPartyId{sign}city\nA1{sign}Rome\n".encode()
    assert f'separated by "{sign}": export the table with a comma' in rejection(data)


def test_tuples_reject_the_file() -> None:
    data = b"('thirdPartyId', 'city')\n('A1', 'Rome')\n"
    assert "Each line is in brackets" in rejection(data)
    assert run(b"(thirdPartyId,city)\nA1,Rome\n").split.rows.sent == 1
    assert run(b"(thirdPartyId),city\n(A1),Rome\n").split.rows.sent == 1


def test_lines_of_a_quoted_mail_reject_the_file() -> None:
    assert "as in a quoted mail" in rejection(b"> thirdPartyId,city\n> A1,x\n> A2,y\n")
    assert run(b"> thirdPartyId,city\nA1,x\n").split.rows.sent == 1


def test_returns_inside_values_are_not_taken_for_line_ends() -> None:
    data = b"thirdPartyId,note,city\n" + b"".join(b"A%d\rx\ry\rz\n" % number for number in range(9))
    outcome = run(data)
    assert len(outcome.rejects) == 9
    assert outcome.received == []


def test_header_of_another_delimiter_among_the_rows_is_no_error_of_the_search() -> None:
    """A header in the middle, with its mark, ends the search among the rows of that delimiter."""
    rows = b"A1;Ann;Ulm\nA2;Bob;Bonn\n"
    data = b"thirdPartyId,name,city\n\xef\xbb\xbfname;thirdPartyId;city\n" + rows
    assert [row[-1] for row in run(data).rejects] == ["too_few_cells"] * 3


@pytest.mark.parametrize("name", ['"""{}"""', "'{}'", "b'{}'"])
def test_names_in_quotes_that_are_part_of_them_reject_the_file(name: str) -> None:
    data = f"{name.format('thirdPartyId')},{name.format('city')}\n1001,Ulm\n"
    assert "in quotes that are part of them" in rejection(data.encode())
    assert run(b'"thirdPartyId","""city"" of birth"\nA1,Ulm\n').received == [("A1", "Ulm")]


@pytest.mark.parametrize("quoted", ["'{}'", "b'{}'", "u'{}'"])
def test_values_of_a_column_in_single_quotes_reject_the_file(quoted: str) -> None:
    """As SQLite prints a table: texts are in quotes, and numbers are not."""
    rows = [f"{1000 + number},{quoted.format(f'Ulm {number}')},{number}" for number in range(3)]
    data = "\n".join(["thirdPartyId,city,age", *rows, "1003,,4"])
    assert rejection(data.encode()).startswith("The values in column 2 are in single quotes")
    assert len(run(data.encode(), Feed(mapping=Mapping(drop=("city",)))).received) == 4
    others = [f"{data}\n1004,Ulm,5", data.replace("Ulm 0", "Ul'm 0"), "\n".join(data.splitlines()[:3])]
    assert [len(run(other.encode()).received) for other in others] == [5, 4, 2]


@pytest.mark.parametrize(("other", "name"), [(";", "semicolons"), ("\t", "tabs")])
@pytest.mark.parametrize("key", [0, 1])
def test_rows_with_decimal_commas_below_a_header_with_commas_reject_the_file(
    other: str, name: str, key: int
) -> None:
    """Each row has as many commas as the header: `A1;1,5` would be a row with the id `A1;1`."""
    header = ["amount", "amount"]
    header[key] = "thirdPartyId"
    rows = [[f"{number},5", f"{number},5"] for number in range(1, 5)]
    for number, row in enumerate(rows):
        row[key] = f"A{number}"
    data = "\n".join([",".join(header), *map(other.join, rows)])
    assert rejection(data.encode()) == (
        f"The header is separated by commas, and the rows from line 2 on by {name}: use one delimiter in all "
        "lines."
    )
    kept = data.replace("3,5", "3,x").replace(other, ";")
    assert len(run(kept.encode()).received) == 4


def test_id_with_a_delimiter_in_it_is_an_id() -> None:
    data = b"thirdPartyId,age\nA;1,41\nA;2,x\nA;3,43\n"
    assert [row[0] for row in run(data).received] == ["A;1", "A;2", "A;3"]


@pytest.mark.parametrize("end", ["\\n", "\\r\\n"])
@pytest.mark.parametrize("names", ["thirdPartyId,city", "city,thirdPartyId"])
def test_line_ends_that_are_written_as_escapes_reject_the_file(end: str, names: str) -> None:
    sentence = f"The lines end with the characters {end}: end them with a line feed."
    assert rejection(f"{names}{end}A1,Ulm{end}A2,Bonn{end}".encode()) == sentence
    assert rejection(f"{names}{end}A1,Ulm".encode()) == sentence
    assert rejection(f"{names}{end}\nA1,Ulm{end}\nA2,Bonn{end}\n".encode()) == sentence
    assert run(f"thirdPartyId,a{end}b\nA1,Ulm\n".encode()).received == [("A1", "Ulm")]
