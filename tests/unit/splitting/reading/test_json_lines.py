"""JSON Lines with any line end, in any encoding, and with names that come late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, Mapping
from bulk_profiles.core.models import KeyColumn
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.reading import header, json_lines
from tests.worlds.splitting import run, run_in_slices

LINES = [
    '{"pcId": "1", "a": "é\\r\\n"}',
    '{"a": "no id"}',
    "",
    "[1]",
    '{"pcId": "2",\t"a": "ß"}',
    '{"pcId": "", "a": "ü"}',
    '{"pcId": "3", "a": "z"}',
]
RECEIVED = [("1", "é\r\n"), ("2", "ß"), ("3", "z")]
REJECTS = [["2", "pcId", "empty_id"], ["4", "", "bad_json"], ["6", "pcId", "empty_id"]]


@pytest.mark.parametrize("block", [*range(1, 40), 512 * 1024])
@pytest.mark.parametrize("ends", [["\n"], ["\r"], ["\r\n"], ["\r", "\r\n", "\n", "\r\n", "\r", "\r\n", "\r"]])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_do_not_matter(
    block: int, ends: list[str], last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", block)
    text = "".join(line + ends[number % len(ends)] for number, line in enumerate(LINES))
    outcome = run((text if last else text.rstrip()).encode())
    assert outcome.received == RECEIVED
    assert outcome.rejects == REJECTS
    mended = outcome.objects["rejected-rows.jsonl"].replace(b'": ""', b'": "4"')
    assert run(mended).received == [("4", "ü")]


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_it_goes_on_between_two_lines(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 30)
    data = end.join(LINES).encode()
    sliced, goes = run_in_slices(data, Feed(), Limits(max_batch_rows=1), lambda: lambda: True)
    assert goes > 1
    assert (sliced.received, sliced.rejects) == (RECEIVED, REJECTS)


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("latin-1", "latin-1"),
        ("utf-16", None),
        ("utf-16", "latin-1"),
        ("utf-32", None),
        ("utf-8-sig", "cp1252"),
    ],
)
def test_rejected_rows_are_read_right_again_under_the_same_feed(encoding: str, named: str | None) -> None:
    feed = Feed(encoding=named)
    outcome = run("\n".join(LINES).encode(encoding), feed)
    assert (outcome.received, outcome.rejects) == (RECEIVED, REJECTS)
    mended = outcome.objects["rejected-rows.jsonl"].replace(b'": ""', b'": "4"')
    assert run(mended, feed).received == [("4", "ü")]
    plain = run("\n".join(LINES).encode(), Feed(encoding=named and "utf-8"))
    assert plain.rejected_rows.startswith(b"{")


@pytest.mark.parametrize(
    "feed",
    [Feed(), Feed(key_column=KeyColumn.PC_ID), Feed(mapping=Mapping(key="pcId")), Feed(encoding="latin-1")],
)
def test_a_key_column_may_come_late(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 30)
    data = b'{"a": "x"}\n' * 20 + b'{"pcId": "1", "a": "y"}\n{"late": 1}\n'
    outcome = run(data, feed)
    assert outcome.received == [("1", "y", "")]
    assert outcome.split.rejects == {"empty_id": 21}


def test_only_the_whole_file_can_have_no_key_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 30)
    monkeypatch.setattr(header, "MAX_COLUMNS", 50)
    with pytest.raises(FileRejectedError, match="no key column"):
        run(b'{"a": "x"}\n' * 20)
    with pytest.raises(FileRejectedError, match="more than 50 columns"):
        run(b"".join(b'{"a%d": "x"}\n' % number for number in range(60)))


@pytest.mark.parametrize("name", ["", " "])
@pytest.mark.parametrize("first", [0, 9])
def test_a_name_must_not_be_empty(name: str, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 30)
    with pytest.raises(
        FileRejectedError, match=r"^The object in line [0-9]+ has a value with an empty name: name it"
    ):
        run(('{"pcId": "1", "a": "x"}\n' * first + f'{{"pcId": "2", "{name}": "x"}}\n').encode())


_NASTY = [
    '{"pcId": "1", "a": "x"}',
    '{"a": "2", "pcId": "2"}',
    '{"pcId": 3}',
    '{"pcId": "4", "a": null}',
    '{"pcId": "5", "a": true}',
    '{"pcId": "6", "a": 1.50}',
    '{"pcId": "7", "a": "q,r\\n\\r\\t"}',
    '{"pcId": "8", "a": "\U0010fffe\U0010ffff"}',
    '{"pcId": "9", "a": "\\udbff\\udfff"}',
    '{"pcId": "10", "a": "\\ud800"}',
    '{"pcId": "11", "a": {}}',
    '{"pcId": "12", "a": [1',
    "2]}",
    '{"pcId": "13", "a": "x',
    'y"}',
    '{"pcId": "14"',
    '"a": "x"}',
    '{"pcId": "15"}, {"pcId": "16"}',
    '{"pcId": "17"}, -Infinity, {"pcId": "18"}',
    '{"pcId": "19"},\t-Infinity',
    '{"pcId": "20", "a": "-Infinity"}',
    '{"pcId": "21", "a": -Infinity}',
    '{"pcId": "22", "a": NaN}',
    "-Infinity",
    "]",
    "[",
    "null",
    "[]",
    "{}",
    '"pcId"',
    '{"pcId": "23", "pcId": "24"}',
    ' \t{"pcId": "25"} ',
    "",
]


@given(st.lists(st.sampled_from(_NASTY), max_size=8))
def test_many_lines_at_once_are_read_as_each_is_by_itself(lines: list[str]) -> None:
    data = "\n".join([_NASTY[0], *lines]).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines.JsonLines, "_rows_at_once", lambda *_: None)
        one_by_one = run(data)
    assert run(data) == one_by_one


@pytest.mark.parametrize("nested", ['{"city": "Ulm"}', "[1, [2]]", "[]", "{}"])
@pytest.mark.parametrize("mapping", [Mapping(drop=("address",)), Mapping(keep=("plan",))])
def test_column_that_is_not_sent_may_hold_anything(nested: str, mapping: Mapping) -> None:
    lines = [f'{{"pcId": "{number}", "address": {nested}, "plan": "x,y"}}' for number in range(9)]
    for processes in (1, 2):
        outcome = run("\n".join(lines).encode(), Feed(mapping=mapping), processes=processes)
        assert outcome.received == [(str(number), "x,y") for number in range(9)]
    assert run("\n".join(lines).encode()).split.rejects == {"nested_value": 9}


def test_nested_values_that_are_not_sent_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines.JsonLines, "_row", None)
    data = b'{"pcId": "1", "a": [1], "b": "x"}\n{"a": null, "pcId": "2", "b": 1.5}\n'
    assert run(data, Feed(mapping=Mapping(drop=("a",)))).received == [("1", "x"), ("2", "1.5")]


@pytest.mark.parametrize("key", ["pcId", "thirdPartyId"])
@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("1001", "1001"),
        ("1001.0", "1001"),
        ("1.5e3", "1500"),
        ("-7.00", "-7"),
        ("9007199254740991.0", "9007199254740991"),
        ("9007199254740993", "9007199254740993"),
        ("12345678901234567890", "12345678901234567890"),
        ('"1001.0"', "1001.0"),
        ("1001.5", "id_number"),
        ("1e21", "id_number"),
        ("9007199254740992.0", "id_number"),
        ("1e99999999999999999999", "id_number"),
        ("true", "empty_id"),
        ("false", "empty_id"),
        ("null", "empty_id"),
        ('""', "empty_id"),
        ("[1]", "nested_value"),
    ],
)
def test_id_that_is_a_number_is_sent_if_it_is_whole(written: str, sent: str, key: str, others: int) -> None:
    lines = [f'{{"{key}": "x{number}", "a": 1.50}}' for number in range(others)]
    outcome = run("\n".join([*lines, f'{{"{key}": {written}, "a": "y"}}']).encode())
    if sent.replace("-", "").replace(".", "").isdigit():
        assert outcome.received[others:] == [(sent, "y")]
    else:
        assert outcome.rejects == [[str(others + 1), key, sent]]
    assert outcome.received[:others] == [(f"x{number}", "1.50") for number in range(others)]


def test_mark_at_the_start_of_a_later_part_is_no_part_of_its_object() -> None:
    part = '\ufeff{"pcId": "%d", "a": "x"}\n'
    outcome = run("".join(part % number for number in range(3)).encode())
    assert outcome.received == [("0", "x"), ("1", "x"), ("2", "x")]


@pytest.mark.parametrize(
    "data", ['{"pcId": "1", "a": "x"}{"pcId": "2", "a": "y"}', '{\n  "pcId": "1",\n  "a": "x"\n}\n', "{}}"]
)
def test_file_in_which_no_line_is_an_object_is_rejected(data: str) -> None:
    with pytest.raises(
        FileRejectedError,
        match="write one object per line, with names and text in double quotes",
    ):
        run(data.encode())


def test_good_lines_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines.JsonLines, "_row", None)
    outcome = run("\n".join(_NASTY[:7]).encode())
    assert outcome.split.rows.skipped == 2  # without a value
    assert outcome.received == [
        ("1", "x"),
        ("2", "2"),
        ("5", "true"),
        ("6", "1.50"),
        ("7", "q,r\n\r\t"),
    ]


@pytest.mark.parametrize("twice", ["thirdPartyId", "thirdParty\\u0049d"])
@pytest.mark.parametrize("others", [0, 30])
def test_object_with_two_ids_is_rejected(twice: str, others: int) -> None:
    lines = [f'{{"thirdPartyId":"B{number}","city":"Ulm"}}' for number in range(others)]
    lines += [
        '{"thirdPartyId":"A1","city":"thirdPartyId"}',
        f'{{"thirdPartyId":"A2","{twice}":"A9","city":"x"}}',
    ]
    outcome = run("\n".join(lines).encode())
    assert outcome.split.rejects == {"bad_json": 1}
    assert outcome.split.rows.sent == others + 1
    assert outcome.rejects == [[str(others + 2), "", "bad_json"]]


def test_object_of_many_megabytes_is_rejected_alone() -> None:
    huge = b'{"pcId": "2", "a": "' + b"y" * 5_000_000 + b'"}'
    outcome = run(b'{"pcId": "1", "a": "x"}\n' + huge + b'\n{"pcId": "3", "a": "z"}\n{"a": "no id"}\n')
    assert outcome.rejects == [["2", "", "row_too_large"], ["4", "pcId", "empty_id"]]
    assert [cells[0] for cells in outcome.received] == ["1", "3"]


def test_name_that_is_half_a_character_rejects_its_row() -> None:
    outcome = run(b'{"pcId": "1", "a": "x"}\n{"pcId": "2", "\\ud800": "y"}\n')
    assert outcome.rejects == [["2", "", "invalid_utf8"]]
    assert outcome.received == [("1", "x")]


@pytest.mark.parametrize("twice", ["city", "c\\u0069ty", 'city" ', 'city"\t'])
@pytest.mark.parametrize("others", [0, 2000])
def test_object_with_a_name_twice_is_rejected(twice: str, others: int) -> None:
    """Which of the two values is meant, nobody knows."""
    name = twice if '"' in twice else f'{twice}"'
    lines = [
        *(f'{{"thirdPartyId":"B{number}","city":"says \\"city\\": no"}}' for number in range(others)),
        f'{{"thirdPartyId":"A2","city":"x","{name}:"y"}}',
        '{"thirdPartyId":"A3","city":"z"}',
    ]
    outcome = run("\n".join(lines).encode())
    assert [reject[0::2] for reject in outcome.rejects] == [[str(others + 1), "bad_json"]]
    assert outcome.received[-1] == ("A3", "z")
    assert outcome.split.rows.sent == others + 1


@pytest.mark.parametrize(
    "text",
    [
        '{"data":[{"pcId":"1","a":"x"},{"pcId":"2","a":"y"}]}',
        '{"data": [{"pcId": "1", "a": "x"}], "count": 1, "paging": {"next": 2}}\n',
        '{"data":[\n{"pcId":"1","a":"x"},\n{"pcId":"2","a":"y"}\n]}\n',
        ' { "items" : [ {"pcId":"1","a":"x"},\n{"pcId":"2","a":"y"}]}',
    ],
)
def test_object_around_a_list_of_objects_is_told_as_such(text: str) -> None:
    with pytest.raises(FileRejectedError) as caught:
        run(text.encode())
    assert str(caught.value) == (
        "The file is one JSON object with a list of objects in it: write the objects of the list, one per "
        "line, as `jq -c '.data[]'` does where the list is named data."
    )


def test_object_with_an_id_and_a_list_is_a_row() -> None:
    outcome = run(b'{"pcId":"1","a":"x","orders":[{"n":1}]}\n{"pcId":"2","a":"y"}\n')
    assert [row[0] for row in outcome.received] == ["2"]
    assert outcome.rejects == [["1", "orders", "nested_value"]]


@pytest.mark.parametrize("others", [b"", b'{"pcId": "3", "a": {}}\n'], ids=["at once", "one by one"])
def test_value_with_half_a_character_and_a_separator_rejects_its_row(others: bytes) -> None:
    outcome = run(b'{"pcId": "1", "a": "x"}\n{"pcId": "2", "a": "x, \\ud800"}\n' + others)
    assert outcome.rejects[0] == ["2", "a", "invalid_utf8"]
    assert outcome.received == [("1", "x")]
