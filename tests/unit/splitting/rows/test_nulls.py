"""Words for no value: which ones empty a cell, and which are counted."""

from __future__ import annotations

import json

import pytest

from bulk_profiles.core.feeds import Feed, Mapping, SeparatorInValue
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.reading import delimited
from tests.worlds.splitting import Outcome, run, run_in_slices

WORDS = ["NULL", "null", "None", "nan", "NaN", "N/A", "#N/A", "Nil", "none", "undefined", "<NA>", "<null>"]
WORDS += [
    "#NV",
    "#wert!",
    "(Leer)",
    "#N/D",
    "(null)",
    "[NULL]",
    "NaT",
    "NA",
    "n/a",
    "\\\\N",
    "(blank)",
    "#REF!",
    "#VALUE!",
    "#NAME?",
    "#DIV/0!",
    "#NA",
    "#N/A N/A",
    "-NaN",
    "n.a.",
    "(empty)",
    "<EMPTY>",
]
SIGNS = [
    "-",
    "--",
    "?",
    ".",
    "#",
    "\u2205",
    "[object Object]",
    "(not set)",
    "Null null",
]
SIGNS += ["<Blank>", "__HIVE_DEFAULT_PARTITION__", "#ERROR!", "#####", "%!s(<nil>)"]
VALUES = [
    "NULLS",
    "---",
    ".5",
    "-1",
    "Sydney",
    "[object]",
    "not set",
    "nul",
    "\\n",
    "N",
    "/N",
    "Nano",
    "(nulls)",
    "xNULL",
    "N\\",
    "",
    "\\N\\N",
    "un",
    "#1",
    "[N]",
]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("delimiter", [b",", b";", b"\t", b"|"])
def test_backslash_n_is_an_empty_cell(delimiter: bytes, end: bytes) -> None:
    rows = b'pcId,a,b\n1,\\N,x\n2,y,\\N\n\\N,z,z\n3,\\N,\\N\n4,"\\N","x y"\n'
    outcome = run(rows.replace(b"x y", b"x  y").replace(b",", delimiter).replace(b"\n", end))
    assert outcome.received == [("1", "", "x"), ("2", "y", ""), ("4", "", "x  y")]
    assert outcome.rejects == [["4", "pcId", "empty_id"]]
    assert outcome.split.warnings == {"no_values": 1}
    assert outcome.split.examples.warnings == {"no_values": [5]}


@pytest.mark.parametrize("word", [*WORDS, "-", "not known, sorry", "é", "NULLNULLNULL", "\\M"])
def test_word_that_the_feed_names_empties_its_cells(word: str) -> None:
    data = f'"pcId","a","b"\n"1","{word}","{word}x"\n"2","x","{word}"\n"{word}","x",""\n"3","\\N",'
    for last in ("y", "ü"):
        outcome = run(f"{data}{last}\n".encode(), Feed(null_values=("", word)))
        assert outcome.received == [("1", "", f"{word}x"), ("2", "x", ""), ("3", "", last)]
        assert outcome.rejects == [["4", "pcId", "empty_id"]]
        assert "null_word" not in outcome.split.warnings


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("rest", ["x", "é"])
def test_word_that_nobody_names_is_sent_and_counted(word: str, rest: str) -> None:
    data = f"a,pcId,b\n{word},1,{rest}\n{rest},2,{word}\n{word},3,{word}\nx,4,{word}s\nx,{word},x\n"
    outcome = run(data.encode())
    assert outcome.received[:3] == [("1", word, rest), ("2", rest, word), ("3", word, word)]
    assert outcome.split.warnings["null_word"] == 4
    assert outcome.split.examples.rejects == {"empty_id": [6]}
    assert outcome.split.examples.warnings["null_word"] == [2, 3, 4]


@pytest.mark.parametrize("sign", SIGNS)
def test_sign_or_program_text_that_stands_for_no_value_is_sent_and_counted(sign: str) -> None:
    outcome = run(f"a,pcId,b\n{sign},1,é\nx,2,{sign}\nx,3,{sign}s\n".encode())
    assert outcome.received[:2] == [("1", sign, "é"), ("2", "x", sign)]
    assert outcome.split.warnings["null_word"] == 2
    assert outcome.split.examples.warnings["null_word"] == [2, 3]
    assert run(f"pcId,a\n1,{sign}\n2,x\n".encode(), Feed(null_values=(sign,))).received == [("2", "x")]


@pytest.mark.parametrize("sign", ["-", "--", ".", "?"])
def test_sign_that_stands_for_no_value_is_counted_as_an_id(sign: str) -> None:
    outcome = run(f"pcId,a\n1,x\n{sign},y\n".encode())
    assert outcome.received == [("1", "x"), (sign, "y")]
    assert outcome.split.warnings == {"null_word": 1}


@pytest.mark.parametrize("word", [*WORDS, "\\N"])
@pytest.mark.parametrize("around", ["{}", " {}", "{}\u200b", '="{}"'])
def test_word_for_no_value_is_no_id(word: str, around: str) -> None:
    text = json.dumps({"thirdPartyId": around.format(word), "a": "x"})
    assert run(f'{{"thirdPartyId": "1", "a": "x"}}\n{text}\n'.encode()).rejects == [
        ["2", "thirdPartyId", "empty_id"]
    ]


@pytest.mark.parametrize("value", VALUES)
def test_other_value_is_a_value(value: str) -> None:
    outcome = run(f"pcId,a,b\n1,{value},é\n2,x,y\n".encode())
    assert outcome.received == [("1", value, "é"), ("2", "x", "y")]
    assert "null_word" not in outcome.split.warnings


@pytest.mark.parametrize("text", ["##", "########", " ### "])
def test_column_that_was_too_narrow_has_no_ids(text: str) -> None:
    outcome = run(f"pcId,a\n1,x\n{text},y\n#1,{text}\n".encode())
    assert outcome.rejects == [["3", "pcId", "empty_id"]]
    assert outcome.received == [("1", "x"), ("#1", text)]


@pytest.mark.parametrize(
    "blank", [" ", "\t", "   ", "\0", "\0\0", "\xa0", "\u200b", "\u3000", "\ufeff", " \0\xa0"]
)
@pytest.mark.parametrize("rest", ["x", "é"])
def test_cell_of_blanks_overwrites_no_value(blank: str, rest: str) -> None:
    outcome = run(f"pcId,a,b\n1,Ulm,{rest}\n1,{blank},y\n2,{blank},{blank}\n{blank},x,x\n".encode())
    assert outcome.received == [("1", "Ulm", "y")]
    assert outcome.rejects == [["5", "pcId", "empty_id"]]
    assert outcome.split.warnings == {"no_values": 1}


@pytest.mark.parametrize("value", [" x", "\0x\0", "\xa0é", "、x", "「x", "\u2019x", "  a  ", "ｱ", "n\xa0"])
def test_blanks_around_a_value_are_part_of_it(value: str) -> None:
    assert run(f"pcId,a\n1,Ulm\n1,{value}\n".encode()).received == [("1", value)]


@pytest.mark.parametrize("around", [" {}", "{}  ", "\t{}", "\xa0{}\u200b", "{}\0"])
def test_blanks_around_a_word_are_no_part_of_it(around: str) -> None:
    feed = Feed(null_values=(" none given ", " "))
    word, doubtful, empty = (around.format(text) for text in ("none given", "Null", "\\N"))
    outcome = run(f"pcId,a,b\n1,{word},x\n2,{doubtful},y\n3,x,{empty}\n".encode(), feed)
    assert outcome.received == [("1", "", "x"), ("2", doubtful, "y"), ("3", "x", "")]
    assert outcome.split.warnings.get("null_word") == 1


def test_words_are_found_in_every_format() -> None:
    feed = Feed(null_values=("NULL",))
    encoded = run(b"batch=pcId,a,b,c\n1,%5CN,NULL,%6Eull\n2,N%55LL,x,\n", feed)
    assert encoded.received == [("1", "", "", "null"), ("2", "", "x", "")]
    assert encoded.split.examples.warnings == {"null_word": [2]}
    lines = run(b'{"pcId": "1", "a": "\\\\N", "b": "NULL", "c": "null"}\n', feed)
    assert lines.received == encoded.received[:1]
    assert lines.split.warnings == {"null_word": 1}


def test_empty_cell_takes_the_default_of_the_feed_and_merges_as_empty() -> None:
    feed = Feed(null_values=("-",), mapping=Mapping(defaults={"a": "none"}))
    assert run(b"pcId,a,b\n1,-,x\n2,y,-\n", feed).received == [("1", "none", "x"), ("2", "y", "")]
    assert run(b"pcId,a\n1,x\n1,\\N\n").received == [("1", "x")]


def test_cells_beyond_the_header_may_say_that_they_have_no_value() -> None:
    assert run(b"pcId,a\n1,x,\\N,\n2,y,NULL, \n", Feed(null_values=("NULL",))).received == [
        ("1", "x"),
        ("2", "y"),
    ]


def test_row_of_words_for_no_value_is_no_blank_line() -> None:
    assert run(b"pcId,a\n1,x\n\\N,\\N\n").rejects == [["3", "pcId", "empty_id"]]


def test_separator_in_a_word_for_no_value_is_none_in_a_value() -> None:
    feed = Feed(null_values=("no, sorry",), separator_in_value=SeparatorInValue.ENCODE)
    assert not run(b'pcId,a,b\n1,"no, sorry",x\n', feed).split.warnings


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("block_bytes", [30, 1000, 512 * 1024])
def test_nulls_are_the_same_however_the_file_is_read(
    processes: int, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block_bytes)
    rows = [b"%03d,\xc3\xa9,x" % number for number in range(200)]
    rows[50], rows[90], rows[120], rows[199] = b"050,\\N,x", b"NULL,x,x", b"120,x,nan", b"001,\\N,NULL"
    data = b"pcId,a,b\n" + b"\n".join(rows)

    def check(outcome: Outcome) -> None:
        assert outcome.rejects == [["92", "pcId", "empty_id"]]
        assert outcome.split.examples.warnings == {"null_word": [122, 201]}
        assert ("050", "", "x") in outcome.received
        assert ("001", "é", "NULL") in outcome.received

    check(run(data, processes=processes))
    sliced, invocations = run_in_slices(
        data, Feed(), Limits(max_batch_rows=50), lambda: lambda: True, processes
    )
    check(sliced)
    assert invocations > 3


def test_cells_of_words_and_cells_of_blanks_in_one_block_are_empty() -> None:
    outcome = run(b"pcId,a,b,c\n1,\\N,x,  \n2, ,y,\\N\n3, \\N ,\t,z\n")
    assert outcome.received == [("1", "", "x", ""), ("2", "", "y", ""), ("3", "", "", "z")]
