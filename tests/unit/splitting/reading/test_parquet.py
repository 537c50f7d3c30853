"""Parquet files, made here by the same library that reads them."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path
from unittest import mock

import duckdb
import pytest

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, Mapping, Quoting
from bulk_profiles.splitting.reading import delimited, header
from bulk_profiles.splitting.reading import parquet as reader
from tests.worlds.splitting import run

# Written by Arrow: pcId '1', v 12345678901234567.25 as a decimal of 50 digits, w 'x'.
LONG_DECIMAL = base64.b64decode(
    "UEFSMRUAFRYVFiwVAhUAFQYVBhwAAAACAAAAAgEBAAAAMRUAFTYVNiwVAhUAFQYVBhwAAAACAAAAAgEAAAAAAAAAAAAAAAAAESIQ"
    "9H3pgNUVABUWFRYsFQIVABUGFQYcAAAAAgAAAAIBAQAAAHgVBBlMNQAYBnNjaGVtYRUGABUMJQIYBHBjSWQlAEwcAAAAFQ4VKhUC"
    "GAF2JQoVBBVkLFwVBBVkAAAAFQwlAhgBdyUATBwAAAAWAhkcGTwmABwVDBklBgAZGARwY0lkFQAWAhY8FjwmCEkcFQAVABUCADwW"
    "AhkGGSYAAgAAACYAHBUOGSUGABkYAXYVABYCFlwWXCZESRwVABUAFQIAPCkGGSYAAgAAACYAHBUMGSUGABkYAXcVABYCFjwWPCag"
    "AUkcFQAVABUCADwWAhkGGSYAAgAAABbUARYCJggW1AEAKCBwYXJxdWV0LWNwcC1hcnJvdyB2ZXJzaW9uIDI2LjAuMRk8HAAAHAAA"
    "HAAAAA0BAABQQVIx"
)


def parquet(folder: Path, query: str) -> bytes:
    """Make a file whose texts and names can be found in its bytes."""
    path = folder / "customers.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION uncompressed)")
    return path.read_bytes()


def test_values_of_every_kind(tmp_path: Path) -> None:
    data = parquet(
        tmp_path,
        """SELECT 'São, "x"' || chr(10) || 'y' AS name, 'id1' AS thirdPartyId, 1.5 AS score, true AS flag,
           NULL AS nothing, DATE '2024-02-29' AS day""",
    )
    outcome = run(data, name="customers.csv")
    assert outcome.received == [("id1", 'São, "x"\ny', "1.5", "true", "", "2024-02-29")]


def test_ids_and_words_for_no_value_are_those_of_any_file(tmp_path: Path) -> None:
    ids = "unnest([' A1', 'A2', '1.5E+7', '\\N', chr(1), 'A1', '  ', NULL])"
    data = parquet(
        tmp_path, f"SELECT {ids} AS pcId, unnest(['x', '\\N', 'y', 'z', 'z', 'NULL', ' ', NULL]) AS a"
    )
    outcome = run(data)
    assert outcome.received == [("A1", "NULL")]
    assert outcome.rejects == [
        ["3", "pcId", "id_number"],
        ["4", "pcId", "empty_id"],
        ["5", "pcId", "id_character"],
        ["7", "pcId", "empty_id"],
        ["8", "pcId", "empty_id"],
    ]
    assert outcome.split.examples.warnings == {"id_trimmed": [1], "no_values": [2], "null_word": [6]}


def test_rejects_are_numbered_by_row(tmp_path: Path) -> None:
    key = "CASE WHEN i = 4 THEN '' ELSE 'id' || i END AS pcId"
    query = f"SELECT {key}, 'a' || chr(10) || 'b' AS v FROM range(9) t(i)"
    outcome = run(parquet(tmp_path, query))
    assert outcome.rejects == [["5", "pcId", "empty_id"]]
    assert outcome.split.rows.sent == 8


@pytest.mark.parametrize(
    "mapping",
    [Mapping(drop=("list",)), Mapping(keep=("v",)), Mapping(key="pcId", keep=("v",)), Mapping(key="v")],
)
def test_only_columns_that_are_sent_must_hold_plain_values(mapping: Mapping, tmp_path: Path) -> None:
    data = parquet(tmp_path, "SELECT {'a': [1]} AS \"profile.list\", 'a' AS pcId, 'x' AS v, 'y' AS \"last\"")
    if mapping.key == "v":
        with pytest.raises(FileRejectedError, match=r'"profile\.list" of the Parquet file holds lists'):
            run(data, Feed(mapping=mapping))
        return
    expected = ("a", "x", "y") if mapping.drop else ("a", "x")
    assert run(data, Feed(mapping=mapping)).received == [expected]


def test_a_damaged_file_is_rejected(tmp_path: Path) -> None:
    data = parquet(tmp_path, "SELECT 'a' AS pcId, 'x' AS v")
    page = data[:8] + b"\xff" * 8 + data[16:]
    for broken in (data[:-8], data[:40], b"PAR1", *[page] * 20):
        with pytest.raises(FileRejectedError, match="damaged"):
            run(broken)


def test_what_does_not_fit_in_memory_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = parquet(
        tmp_path, "SELECT i::VARCHAR AS pcId, repeat(md5(i::VARCHAR), 9) AS v FROM range(9000) t(i)"
    )
    monkeypatch.setattr(reader, "_MEMORY", "100KB")
    with pytest.raises(FileRejectedError, match="smaller row groups"):
        run(data)


def test_names_come_through_as_they_are(tmp_path: Path) -> None:
    data = parquet(
        tmp_path, "SELECT '1' AS pcId, 'x' AS \"City\", {'pcId': 1} AS s, 'y' AS cxty, 'z' AS pcxd"
    )
    data = data.replace(b"cxty", b"city").replace(b"pcxd", b"pcid")
    outcome = run(data, Feed(mapping=Mapping(drop=("s",))))
    assert outcome.bodies == [b"batch=pcId,City,city,pcid\n1,x,y,z"]
    assert outcome.split.warnings == {"look_alike": 1, "two_spellings": 2}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (b"City", "have one name"),
        (b"pcId", "have one name"),
        (b"    ", "Column 3 of the Parquet file has no"),
    ],
)
def test_names_that_cannot_be_told_apart_are_rejected(name: bytes, sentence: str, tmp_path: Path) -> None:
    data = parquet(tmp_path, "SELECT '1' AS pcId, 'x' AS \"City\", 'y' AS cxty")
    with pytest.raises(FileRejectedError, match=sentence):
        run(data.replace(b"cxty", name))


def test_parquet_file_has_as_many_columns_as_a_table_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header, "MAX_COLUMNS", 1)
    with pytest.raises(FileRejectedError, match="has more than 1 columns"):
        run(parquet(tmp_path, "SELECT 'A1' AS pcId, 'x' AS a"))


def test_of_several_columns_none_need_be_sent(tmp_path: Path) -> None:
    data = parquet(tmp_path, "SELECT [1] AS a, 'x' AS b, '1' AS id, [2] AS c, 'y' AS d")
    assert run(data, Feed(mapping=Mapping(key="id", keep=("d",)))).received == [("1", "y")]


def test_spaces_in_names_say_nothing_about_values(tmp_path: Path) -> None:
    data = parquet(tmp_path, "SELECT '1' AS pcId, ' x' AS \" a\", ' y' AS \" b\"")
    assert run(data).received == [("1", " x", " y")]


def test_a_single_column_counts_each_row(tmp_path: Path) -> None:
    outcome = run(parquet(tmp_path, "SELECT unnest([NULL, '1', '', '2']) AS pcId"))
    assert outcome.split.rows.read == 4
    assert outcome.rejects == [["1", "pcId", "empty_id"], ["3", "pcId", "empty_id"]]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_times_are_utc_wherever_it_runs(zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = parquet(tmp_path, "SELECT '1' AS pcId, TIMESTAMPTZ '2024-07-01 00:00:00+00' AS t")
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert run(data).received == [("1", "2024-07-01 00:00:00+00")]
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("dictionary", [True, False])
def test_only_the_row_that_is_not_utf8_is_rejected(dictionary: bool, tmp_path: Path) -> None:
    data = parquet(
        tmp_path,
        f"""SELECT 'idä' || i AS pcId, 'n,ä' || (i % {2 if dictionary else 99999}) AS v, NULL AS w, i AS n
            FROM range(5000) t(i)""",
    )
    broken = data.replace("idä4321".encode(), b"id\xc3\xc3" + b"4321")
    assert len(broken) == len(data)
    assert broken != data
    outcome = run(broken)
    assert outcome.rejects == [["4322", "pcId", "invalid_utf8"]]
    assert outcome.split.rows.sent == 4999
    assert outcome.received[5] == ("idä5", "n,ä1" if dictionary else "n,ä5", "", "5")
    feed = Feed(mapping=Mapping(key="v", keep=("n",)))
    assert run(broken, feed).objects == run(data, feed).objects


def test_a_single_column_may_hold_what_is_not_utf8(tmp_path: Path) -> None:
    data = parquet(tmp_path, "SELECT unnest([NULL, 'idä1', 'idä2']) AS pcId")
    outcome = run(data.replace("ä2".encode(), b"\xff\xff2"))
    assert outcome.rejects == [["1", "pcId", "empty_id"], ["3", "pcId", "invalid_utf8"]]


@pytest.mark.parametrize(
    "feed", [Feed(delimiter=";"), Feed(encoding="cp1252"), Feed(delimiter="|"), Feed(quoting=Quoting.NONE)]
)
def test_rejected_rows_are_read_right_again_under_the_same_feed(feed: Feed, tmp_path: Path) -> None:
    query = "SELECT unnest(['1', '']) AS \" pcId\", 'é;,|' AS \" ß\", ' x' AS \" v\""
    outcome = run(parquet(tmp_path, query), feed)
    assert outcome.received == [("1", "é;,|", " x")]
    mended = outcome.objects["rejected-rows.jsonl"].replace(b'" pcId": ""', b'"pcId": "2"')
    assert run(mended, feed).received == [("2", "é;,|", " x")]


@pytest.mark.parametrize(
    "ids", ["[1.5::DOUBLE, 2, 1e20]", "[0.50::DECIMAL(9, 2), 2, -7.25]", "['inf'::DOUBLE, 2, 2e-7]"]
)
def test_row_whose_id_is_no_whole_number_is_rejected_again(ids: str, tmp_path: Path) -> None:
    """As text, `1.5` would be an id like any other."""
    outcome = run(parquet(tmp_path, f"SELECT unnest({ids}) AS pcId, 'x' AS a"))
    assert outcome.received == [("2", "x")]
    again = run(outcome.objects["rejected-rows.jsonl"])
    assert (again.split.rows.rejected, again.received) == (2, [])
    mended = outcome.objects["rejected-rows.jsonl"].splitlines()[1]
    assert run(re.sub(rb'"pcId": [^,]+', b'"pcId": "7"', mended)).received == [("7", "x")]


def test_header_that_is_a_row_is_no_row(tmp_path: Path) -> None:
    data = parquet(tmp_path, "FROM (VALUES ('A1', 'Ulm'), ('pcId', 'a'), ('A2', NULL)) t(pcId, a)")
    outcome = run(data)
    assert outcome.received == [("A1", "Ulm")]
    assert outcome.split.examples.warnings == {"repeated_header": [2], "no_values": [3]}


@pytest.mark.parametrize(("kind", "exact"), [("DOUBLE", 2**53), ("FLOAT", 2**24)])
@pytest.mark.parametrize("key", ["pcId", "thirdPartyId"])
@pytest.mark.parametrize("size", [10, 4096])
def test_id_that_is_a_floating_point_number_is_sent_if_it_is_whole(
    kind: str, exact: int, key: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", size)
    ids = f"1001, NULL, 'nan', 1.5, {exact - 1}, {exact}, 1e21, 'inf', -7, '-inf', 0"
    data = parquet(tmp_path, f"SELECT 'x,\u00e9' AS a, unnest([{ids}]::{kind}[]) AS {key}, 7::{kind} AS n")
    outcome = run(data)
    assert [row[0] for row in outcome.received] == ["1001", str(exact - 1), "-7", "0"]
    assert outcome.rejects == [
        ["2", key, "empty_id"],
        ["3", key, "empty_id"],
        *([str(row), key, "id_number"] for row in (4, 6, 7, 8, 10)),
    ]
    assert outcome.split.warnings == {"separator_in_value": 4}


# Written by Arrow, with statistics: thirdPartyId 1001.0, NaN, 1002.0, and n NaN, 1.5, 2.5.
NAN_BESIDE_STATISTICS = base64.b64decode(
    "UEFSMRUAFTwVPCwVBhUAFQYVBhwYCAAAAAAAUI9AGAgAAAAAAEiPQBYAKAgAAAAAAFCPQBgIAAAAAABIj0AREQAAAAIAAAAG"
    "AQAAAAAASI9AAAAAAAAA+H8AAAAAAFCPQBUAFTwVPCwVBhUAFQYVBhwYCAAAAAAAAARAGAgAAAAAAAD4PxYAKAgAAAAAAAAE"
    "QBgIAAAAAAAA+D8REQAAAAIAAAAGAQAAAAAAAPh/AAAAAAAA+D8AAAAAAAAEQBUEGTw1ABgGc2NoZW1hFQQAFQolAhgMdGhp"
    "cmRQYXJ0eUlkABUKJQIYAW4AFgYZHBksJgAcFQoZJQYAGRgMdGhpcmRQYXJ0eUlkFQAWBha6ARa6ASYIPBgIAAAAAABQj0AY"
    "CAAAAAAASI9AFgAoCAAAAAAAUI9AGAgAAAAAAEiPQBERABkcFQAVABUCADwpBhkmAAYAAAAmABwVChklBgAZGAFuFQAWBha6"
    "ARa6ASbCATwYCAAAAAAAAARAGAgAAAAAAAD4PxYAKAgAAAAAAAAEQBgIAAAAAAAA+D8REQAZHBUAFQAVAgA8KQYZJgAGAAAA"
    "FvQCFgYmCBb0AgAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGSwcAAAcAAAAKAEAAFBBUjE="
)


def test_statistics_without_nan_do_not_hide_it() -> None:
    """DuckDB writes no minimum and no maximum for a column with NaN. Other writers leave NaN out of them."""
    outcome = run(NAN_BESIDE_STATISTICS)
    assert outcome.rejects == [["2", "thirdPartyId", "empty_id"]]
    assert outcome.received == [("1002", "2.5")]
    assert outcome.split.warnings == {"not_a_number": 1, "no_values": 1}


def test_id_that_is_a_decimal_number_is_sent_if_it_is_whole(tmp_path: Path) -> None:
    ids = "'1001', '1002.5', '9007199254740993000', NULL, '-10.000'"
    data = parquet(tmp_path, f"SELECT unnest([{ids}]::DECIMAL(38, 3)[]) AS pcId, 1.50 AS a")
    outcome = run(data)
    assert outcome.received == [("1001", "1.50"), ("9007199254740993000", "1.50"), ("-10", "1.50")]
    assert outcome.rejects == [["2", "pcId", "id_number"], ["4", "pcId", "empty_id"]]
    whole = parquet(tmp_path, "SELECT unnest([10, 200]::DECIMAL(18, 0)[]) AS pcId, 'x' AS a")
    assert [row[0] for row in run(whole).received] == ["10", "200"]


def test_id_that_is_true_or_false_is_none(tmp_path: Path) -> None:
    outcome = run(parquet(tmp_path, "SELECT unnest([true, false]) AS pcId, true AS a"))
    assert outcome.rejects == [["1", "pcId", "empty_id"], ["2", "pcId", "empty_id"]]


@pytest.mark.parametrize("size", [10, 4096])
def test_numbers_that_are_none_are_empty_cells(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", size)
    data = parquet(
        tmp_path,
        """FROM (VALUES ('A1', 42.5::DOUBLE, 1::FLOAT, 'nan'), ('A2', 'nan', 'inf', 'inf'),
           ('A3', 'nan', NULL, NULL),
           ('', '-inf', 1, 'x'), ('A5', 1, 2, '-inf')) t(pcId, a, b, c)""",
    )
    outcome = run(data)
    assert outcome.received == [
        ("A1", "42.5", "1.0", "nan"),
        ("A2", "", "", "inf"),
        ("A5", "1.0", "2.0", "-inf"),
    ]
    assert outcome.split.warnings["not_a_number"] == 4
    assert outcome.split.examples.warnings["not_a_number"][:3] == [2, 3, 4]
    assert outcome.split.examples.warnings["no_values"] == [3]
    assert run(data, Feed(mapping=Mapping(keep=("c",)))).split.warnings.keys().isdisjoint({"not_a_number"})


def test_bytes_that_are_text_are_sent_as_text(tmp_path: Path) -> None:
    columns = "encode('idä' || i) AS pcId, encode('é,' || i) AS a, i % 2 = 0 AS b"
    data = parquet(tmp_path, f"SELECT {columns} FROM range(3) t(i)")
    assert run(data).received == [(f"idä{i}", f"é,{i}", str(i % 2 == 0).lower()) for i in range(3)]


def test_bytes_that_are_not_text_reject_the_file_with_their_column(tmp_path: Path) -> None:
    data = parquet(
        tmp_path, "SELECT '1' AS pcId, 'x' AS v, unnest([NULL, encode('a'), 'b\\xFF'::BLOB]) AS \"my hash\""
    )
    with pytest.raises(
        FileRejectedError, match='Column "my hash" of the Parquet file holds bytes that are not'
    ):
        run(data)
    assert run(data, Feed(mapping=Mapping(drop=("my hash",)))).received == [("1", "x")]


def test_error_that_is_not_about_utf8_is_no_answer_about_it() -> None:
    connection = mock.Mock()
    connection.execute.side_effect = duckdb.InvalidInputException("out of something else")
    with pytest.raises(duckdb.InvalidInputException, match="something else"):
        reader._is_utf8(connection, "SELECT 1")


@pytest.mark.parametrize("names", ["v", "pcId"])
def test_decimals_of_more_digits_than_are_read_exactly_reject_the_file(names: str) -> None:
    """The library reads them as floating-point numbers."""
    feed = Feed(mapping=Mapping(key="v")) if names == "pcId" else Feed()
    with pytest.raises(FileRejectedError, match=r'Column "v" .* decimals of more than 38 digits'):
        run(LONG_DECIMAL, feed)


def test_long_decimals_that_are_not_sent_do_no_harm() -> None:
    assert run(LONG_DECIMAL, Feed(mapping=Mapping(drop=("v",)))).received == [("1", "x")]
