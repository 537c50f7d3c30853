"""The splitter on small files: what is sent, what is not, and why."""

from __future__ import annotations

import hashlib
import io
from unittest import mock

import pytest

from bulk_profiles.core.errors import AccountingError, FileRejectedError
from bulk_profiles.core.feeds import Feed, Mapping, Quoting, SeparatorInValue
from bulk_profiles.core.models import ApiVersion, KeyColumn
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.reading import delimited
from bulk_profiles.splitting.rows.faults import MAX_ROW_BYTES
from bulk_profiles.splitting.split import split
from tests.worlds.splitting import MemoryFile, MemoryOutput, MemorySink, run

PLAIN = b"thirdPartyId,city,age\n1,Oslo,40\n2,Rome,50\n"


def test_a_plain_file_is_one_body_without_a_last_line_feed() -> None:
    outcome = run(PLAIN)
    assert outcome.bodies == [b"batch=thirdPartyId,city,age\n1,Oslo,40\n2,Rome,50"]
    assert outcome.split.key_column is KeyColumn.THIRD_PARTY_ID
    assert outcome.objects["rejects.csv"] == b"line,column,reason,detail\n"


def test_the_key_column_goes_first_and_everything_is_encoded_once() -> None:
    data = 'Lieblingsstadt,a b,pcId,x\n"São, ""Paulo""",%41&+=,7,😀\n'.encode()
    outcome = run(data)
    assert outcome.bodies == [
        b"batch=pcId,Lieblingsstadt,a%20b,x\n7,S%C3%A3o%2C%20%22Paulo%22,%2541%26%2B%3D,%F0%9F%98%80"
    ]
    assert outcome.split.warnings["separator_in_value"] == 1


@pytest.mark.fault(15, "LF, CRLF, CR, with and without a last one")
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_do_not_matter(end: bytes, last: bool) -> None:
    data = PLAIN.replace(b"\n", end)
    assert run(data if last else data.removesuffix(end)).bodies == run(PLAIN).bodies


@pytest.mark.fault(15, "mixed line ends, blank lines")
def test_mixed_line_ends_and_blank_lines() -> None:
    data = b"thirdPartyId,city\r\n\r\n1,Oslo\n\n\r2,Rome\r3,Paris\n\n,late\n"
    outcome = run(data)
    assert outcome.received == [("1", "Oslo"), ("2", "Rome"), ("3", "Paris")]
    assert outcome.rejects == [["9", "thirdPartyId", "empty_id"]]


@pytest.mark.fault(19, "long row, empty id")
@pytest.mark.fault(17, "invalid UTF-8 in a row")
@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (b",Oslo,1", "thirdPartyId", "empty_id"),
        (b"a+b,Oslo,1", "thirdPartyId", "id_character"),
        (b"abcdefgh/b,Oslo,1", "thirdPartyId", "id_character"),
        (b"x" * 257 + b",Oslo,1", "thirdPartyId", "id_too_long"),
        (b"9,Oslo,1,2", "", "too_many_cells"),
        (b"9,Oslo,1,", "", "too_many_cells"),
        (b"9,\xe9t\xe9,1", "city", "invalid_utf8"),
        (b'9,"Oslo"x,1', "", "bad_quote"),
    ],
)
@pytest.mark.parametrize("quotes", [b"", b'3,"a, b",5\n'])
def test_a_bad_row_is_rejected_with_its_line_and_kept_to_be_mended(
    row: bytes, column: str, reason: str, quotes: bytes
) -> None:
    data = b"thirdPartyId,city,age\n1,Oslo,40\n" + quotes + row + b"\n2,Rome,50\n"
    outcome = run(data)
    line = 4 if quotes else 3
    assert outcome.rejects == [[str(line), column, reason]]
    assert outcome.split.examples == {reason: [line]}
    assert outcome.objects["rejected-rows.csv"] == b"thirdPartyId,city,age\n" + row + b"\n"
    assert [cells[0] for cells in outcome.received] == (["1", "3", "2"] if quotes else ["1", "2"])


def test_lines_are_those_of_the_file_also_after_values_of_several_lines() -> None:
    data = b'thirdPartyId,city\n1,"a\nb\r\nc"\n,x\n2,"d"\n,"y\nz"\n3,e\n,w\n'
    outcome = run(data)
    assert [line for line, _, _ in outcome.rejects] == ["5", "7", "10"]
    assert outcome.received[0] == ("1", "a\nb\r\nc")


def test_an_id_of_256_characters_passes_and_is_counted() -> None:
    outcome = run(b"thirdPartyId,city\n" + "é".encode() * 256 + b",Oslo\n")
    assert outcome.split.warnings == {"long_id": 1}
    assert outcome.split.rows.sent == 1


def test_plus_and_slash_are_for_third_party_ids_only() -> None:
    assert run(b"pcId,city\na+b/c,Oslo\n").received == [("a+b/c", "Oslo")]


@pytest.mark.fault(19, "short row")
def test_short_rows_are_padded() -> None:
    assert run(b"thirdPartyId,a,b\n1,x\n2\n3,x,y\n").received == [("1", "x", ""), ("3", "x", "y")]


def test_rows_without_values_are_skipped_only_after_merging() -> None:
    outcome = run(b"thirdPartyId,a\n1,\n2,\n1,x\n3,y\n")
    assert outcome.received == [("1", "x"), ("3", "y")]
    assert (outcome.split.rows.merged, outcome.split.rows.skipped) == (1, 1)
    assert outcome.split.warnings == {"no_values": 1}


@pytest.mark.fault(22, "an id twice")
def test_the_last_value_of_each_column_wins_at_the_place_of_the_first_row() -> None:
    outcome = run(b"thirdPartyId,a,b\n1,old,\n2,x,y\n1,,new\n1,newer,\n")
    assert outcome.received == [("1", "newer", "new"), ("2", "x", "y")]
    assert outcome.split.rows.merged == 2


def test_rejected_rows_take_no_part_in_merging() -> None:
    outcome = run(b"thirdPartyId,a,b\n1,old,\n1,new,x,y\n")
    assert outcome.received == [("1", "old", "")]
    assert outcome.split.rejects == {"too_many_cells": 1}


@pytest.mark.fault(12, "a header and no rows")
def test_a_header_alone_is_a_split_without_batches() -> None:
    outcome = run(b"thirdPartyId,city\n")
    assert outcome.split.batches == ()
    assert outcome.split.rows.read == 0


@pytest.mark.fault(21, "one row less and more than fits; no empty last batch")
@pytest.mark.parametrize("rows", [499, 500, 501, 1000])
def test_batches_are_cut_by_rows_and_none_is_empty(rows: int) -> None:
    data = b"thirdPartyId,a\n" + b"".join(b"%d,x\n" % number for number in range(rows))
    outcome = run(data, limits=Limits(max_batch_rows=500))
    assert [batch.rows for batch in outcome.split.batches] == [500] * (rows // 500) + [rows % 500] * (
        rows % 500 > 0
    )


@pytest.mark.fault(21, "one byte less and more than fits")
@pytest.mark.parametrize("less", [-1, 0, 1])
def test_batches_are_cut_by_encoded_bytes(less: int) -> None:
    data = "thirdPartyId,a\n1,é\n2,ü\n".encode()
    whole = len(run(data).bodies[0])
    outcome = run(data, limits=Limits(max_batch_bytes=whole - less))
    assert len(outcome.split.batches) == (2 if less > 0 else 1)


def test_a_row_that_no_batch_can_hold_is_rejected() -> None:
    data = b"thirdPartyId,a\n1,x\n2," + b"y" * 50 + b"\n3,z\n"
    outcome = run(data, limits=Limits(max_batch_bytes=40))
    assert outcome.rejects == [["3", "", "row_too_large"]]
    assert [cells[0] for cells in outcome.received] == ["1", "3"]


def test_a_merged_row_that_no_batch_can_hold_is_rejected() -> None:
    data = b"thirdPartyId,a,b\n1,xxxxxxxxxx,\n2,z,\n1,,yyyyyyyyyy\n3,z,\n3,,z\n"
    outcome = run(data, limits=Limits(max_batch_bytes=40))
    assert outcome.rejects == [["2", "", "row_too_large"], ["4", "", "row_too_large"]]  # nothing is lost
    assert outcome.split.rows.merged == 1
    assert [cells[0] for cells in outcome.received] == ["2", "3"]


def test_a_row_that_fits_without_the_default_it_does_not_need_is_sent() -> None:
    feed = Feed(mapping=Mapping(defaults={"a": "d" * 16}))
    data = b"pcId,a,b\n1,xxxxxxxxxx,y\n2,,y\n"
    outcome = run(data, feed, Limits(max_batch_bytes=len(b"batch=pcId,a,b\n1,xxxxxxxxxx,y")))
    assert [cells[0] for cells in outcome.received] == ["1"]
    assert outcome.rejects == [["3", "", "row_too_large"]]


def test_rejects_come_in_the_order_of_the_file() -> None:
    outcome = run(b"pcId,a\n1,%b\n,q\n2,%b\n" % (b"x" * 50, b"x" * 50), limits=Limits(max_batch_bytes=40))
    assert [reject[0] for reject in outcome.rejects] == ["2", "3", "4"]


@pytest.mark.parametrize("before", [0, 100_000, 300_000, 500_000, 524_280])
@pytest.mark.parametrize("more", [0, 1])
def test_how_long_a_row_may_be_does_not_depend_on_what_comes_before(before: int, more: int) -> None:
    row = b"2," + b"y" * (MAX_ROW_BYTES - len(b"2,\n") + more) + b"\n"
    outcome = run(b"pcId,a\n1," + b"x" * before + b"\n" + row + b"3,z\n")
    assert outcome.split.rejects == ({"row_too_large": 1} if more else {})


@pytest.mark.parametrize("before", [0, 100_000, 300_000, 500_000, 524_280])
@pytest.mark.parametrize("more", [0, 1])
def test_how_long_an_object_may_be_does_not_depend_on_what_comes_before(before: int, more: int) -> None:
    start = b'{"pcId": "2", "a": "'
    row = start + b"y" * (MAX_ROW_BYTES - len(start) - len(b'"}') + more) + b'"}'
    outcome = run(b'{"pcId": "1", "a": "' + b"x" * before + b'"}\n' + row + b'\n{"pcId": "3", "a": "z"}\n')
    assert outcome.split.rejects == ({"row_too_large": 1} if more else {})
    assert outcome.objects["rejected-rows.csv"] == b""


@pytest.mark.parametrize("end", [b"\r\n", b"\r", b"\n"])
@pytest.mark.parametrize("before", [0, 1, 2])
def test_lines_are_counted_right_after_a_long_row_with_many(before: int, end: bytes) -> None:
    lines = 2_500_000
    huge = b'2,"' + b"y" * before + (b"y" + end) * lines + b'"' + end
    outcome = run(b"thirdPartyId,a" + end + huge + b",w" + end)
    assert [reject[0] for reject in outcome.rejects] == ["2", str(lines + 3)]


@pytest.mark.parametrize("size", [1, 5_000_000])
def test_text_after_a_closing_quote_costs_its_line_however_long_it_is(size: int) -> None:
    outcome = run(b'thirdPartyId,a\n1,"a" b' + b"x" * size + b",\n2,ok\n,w\n")
    assert outcome.rejects[1:] == [["4", "thirdPartyId", "empty_id"]]
    assert outcome.rejects[0][0] == "2"
    assert outcome.received == [("2", "ok")]
    with pytest.raises(FileRejectedError, match="line 2 is not closed"):
        run(b'thirdPartyId,a\n1,"a\nb" ' + b"x" * size + b"\n2,ok\n")


@pytest.mark.fault(20, "a row of many megabytes")
@pytest.mark.parametrize("quote", [b"", b'"'])
def test_a_row_of_many_megabytes_is_passed_over(quote: bytes) -> None:
    huge = b"2," + quote + b"y" * 9_000_000 + quote + b"\n"
    outcome = run(b"thirdPartyId,a\n1,x\n" + huge + b"3,z\n,w\n")
    assert outcome.rejects == [["3", "", "row_too_large"], ["5", "thirdPartyId", "empty_id"]]
    assert [cells[0] for cells in outcome.received] == ["1", "3"]


@pytest.mark.fault(20, "a field of 200,000 characters")
def test_a_value_of_200000_characters_is_sent_and_counted() -> None:
    outcome = run(b'thirdPartyId,a\n1,"' + b"y" * 200_000 + b'"\n')
    assert outcome.received == [("1", "y" * 200_000)]
    assert outcome.split.warnings == {"long_value": 1}


@pytest.mark.fault(16, "NUL, control characters, U+2028, U+0085")
def test_control_characters_and_foreign_line_ends_are_values() -> None:
    value = "a\0b\x1f\x7f\u2028\x85c"
    outcome = run(f"thirdPartyId,a\n1,{value}\n".encode())
    assert outcome.received == [("1", value)]
    assert outcome.split.warnings == {"control_character": 1}


@pytest.mark.fault(19, "duplicate column, no key column")
@pytest.mark.fault(14, "UTF-16 without a mark, not named")
@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"\n\r\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"name,city\n1,2\n", "no key column"),
        (b"thirdpartyid,city\n1,2\n", '"thirdpartyid" looks like it'),
        (b"PCID,city\n1,2\n", "exact spelling pcId"),
        (b"pcId,thirdPartyId\n1,2\n", "choose one"),
        (b"pcId,a,b,a\n1,2,3,4\n", 'twice ("a")'),
        (b"pcId,,b\n1,2,3\n", "Column 2 has no name"),
        (b'pcId,a\n1,"x\n2,y\n', "line 2 is not closed"),
        (b'pcId,a\n1,x\n2,"x\n3,"y"\n', "line 3 is not closed"),
        ("pcId,ä\n1,2\n".encode("latin-1"), "header is not UTF-8"),
        ("pcId,a\n1,2\n".encode("utf-16-le"), "UTF-16 without"),
        ("pcId,a\n1,2\n".encode("utf-16-be"), "UTF-16 without"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x00\x01\x02\x03\n", "not text"),
        (b'[{"pcId": "1"}]', "JSON array"),
    ],
)
def test_a_file_that_cannot_be_read_is_rejected_with_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(FileRejectedError) as caught:
        run(data)
    assert sentence in str(caught.value)


@pytest.mark.fault(18, "a quote that is never closed, early in a long file")
def test_an_unclosed_quote_early_in_a_long_file_is_found_in_bounded_memory() -> None:
    with pytest.raises(FileRejectedError, match="line 2 is not closed"):
        run(b'pcId,a\n1,"x\n' + b"2,yyyyyyyyyyyyyyyyy\n" * 500_000)


def test_too_many_batches() -> None:
    with pytest.raises(FileRejectedError, match="drop it in parts"):
        run(PLAIN, limits=Limits(max_batch_rows=1, max_batches=1))


def test_a_header_too_large_for_a_batch() -> None:
    with pytest.raises(FileRejectedError, match="drop columns"):
        run(PLAIN, limits=Limits(max_batch_bytes=20))


def test_no_message_repeats_a_value() -> None:
    with pytest.raises(FileRejectedError) as caught:
        run(b"secret-canary,other\nsecret-canary,2\n")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(delimiter: str) -> None:
    row = delimiter.join(["1", '"x' + delimiter + ',y"', "a"])
    outcome = run(f"thirdPartyId{delimiter}v{delimiter}w\n{row}\n2{delimiter}p{delimiter}\n".encode())
    assert outcome.received == [("1", f"x{delimiter},y", "a"), ("2", "p", "")]


def test_commas_are_values_where_something_else_delimits() -> None:
    outcome = run(b"thirdPartyId;price\n1;1,50\n2;2,50\n")
    assert outcome.received == [("1", "1,50"), ("2", "2,50")]
    assert outcome.split.warnings == {"separator_in_value": 2}


def test_a_spreadsheets_separator_line() -> None:
    outcome = run(b"sep=;\r\nthirdPartyId;a\r\n1;x\r\n;y\r\n")
    assert outcome.received == [("1", "x")]
    assert outcome.rejects[0][0] == "4"


def test_literal_quotes_inside_values_without_quotes() -> None:
    outcome = run(b'thirdPartyId,a,b\n1,5" pipe,"c, d"\n2,x"",y\n')
    assert outcome.received == [("1", '5" pipe', "c, d"), ("2", 'x""', "y")]


def test_a_feed_without_quoting() -> None:
    outcome = run(b'thirdPartyId,a\n1,"x\n2,y"\n', Feed(quoting=Quoting.NONE))
    assert outcome.received == [("1", '"x'), ("2", 'y"')]


def test_spaces_after_delimiters_as_in_the_header_are_no_part_of_values() -> None:
    outcome = run(b'pcId, a, b\n1, x,  y\n2, "p, q", z\n')
    assert outcome.received == [("1", "x", " y"), ("2", "p, q", "z")]
    assert outcome.split.warnings["space_after_delimiter"] == 4


def test_spaces_are_values_where_the_header_has_none() -> None:
    assert run(b"pcId,a\n1, x\n").received == [("1", " x")]


def test_names_are_trimmed_and_lose_their_prefix() -> None:
    outcome = run(b"profile.pcId , profile.city,age\n1,x,y\n")
    assert outcome.bodies == [b"batch=pcId,city,age\n1,x,y"]
    assert outcome.split.warnings == {"prefix_stripped": 2}


def test_trailing_columns_without_a_name_must_stay_empty() -> None:
    outcome = run(b"pcId,a,,\n1,x,,\n2,y\n3,z,w,\n")
    assert outcome.received == [("1", "x"), ("2", "y")]
    assert outcome.split.rejects == {"too_many_cells": 1}


def test_v1_with_third_party_ids_is_a_warning() -> None:
    assert run(PLAIN, Feed(api_version=ApiVersion.V1)).split.warnings == {"v1_third_party_id": 1}
    assert run(b"pcId,a\n1,x\n", Feed(api_version=ApiVersion.V1)).split.warnings == {}


def test_the_feed_chooses_between_two_key_columns() -> None:
    data = b"pcId,thirdPartyId\n1,2\n"
    outcome = run(data, Feed(key_column=KeyColumn.THIRD_PARTY_ID))
    assert outcome.bodies == [b"batch=thirdPartyId,pcId\n2,1"]
    assert outcome.split.warnings == {"look_alike": 1}


def test_a_mapping() -> None:
    mapping = Mapping(
        key="customer",
        rename={"town": "city"},
        drop=("secret",),
        constants={"source": "crm & co"},
        defaults={"city": "no where"},
        tombstone="-",
    )
    data = b"town,secret,customer,age\nOslo,s,1,\n,s,2,40\n,s,1,50\n"
    outcome = run(data, Feed(mapping=mapping))
    assert outcome.bodies == [
        b"batch=thirdPartyId,city,age,source\n1,Oslo,50,crm%20%26%20co\n2,no%20where,40,crm%20%26%20co"
    ]


def test_a_mapping_that_keeps() -> None:
    outcome = run(b"a,pcId,b,c\n1,2,3,4\n", Feed(mapping=Mapping(keep=("c",))))
    assert outcome.bodies == [b"batch=pcId,c\n2,4"]


@pytest.mark.parametrize(
    ("what", "sent"), [(SeparatorInValue.ENCODE, 'a,b"c\nd'), (SeparatorInValue.REPLACE, "a b c d")]
)
def test_separators_in_values(what: SeparatorInValue, sent: str) -> None:
    outcome = run(b'pcId,a\n1,"a,b""c\nd"\n', Feed(separator_in_value=what))
    assert outcome.received == [("1", sent)]


def test_separators_in_values_rejected() -> None:
    outcome = run(
        b'pcId,a,b\n1,x,"a,b"\n2,"y",z\n3,p"q,r\n', Feed(separator_in_value=SeparatorInValue.REJECT)
    )
    assert outcome.rejects == [["2", "b", "separator_in_value"], ["4", "a", "separator_in_value"]]
    assert outcome.received == [("2", "y", "z")]


@pytest.mark.fault(26, "Target's own format, valid and with bad escapes")
def test_target_format_is_checked_and_passed_on() -> None:
    data = b"batch=thirdPartyId,a%20b,c\n1,x%2Cy%2c,p+q\n%32,%C3%A9&=,z\n3,%4,z\n4,50%,z\n5,%E9,z\n"
    outcome = run(data)
    assert outcome.bodies == [b"batch=thirdPartyId,a%20b,c\n1,x%2Cy%2C,p+q\n2,%C3%A9%26%3D,z"]
    assert outcome.rejects == [
        ["4", "a b", "bad_escape"],
        ["5", "a b", "bad_escape"],
        ["6", "a b", "invalid_utf8"],
    ]
    assert outcome.split.warnings["plus_sign"] == 1
    assert outcome.objects["rejected-rows.csv"] == (b"batch=thirdPartyId,a%20b,c\n3,%4,z\n4,50%,z\n5,%E9,z\n")


def test_target_format_ids_are_compared_decoded() -> None:
    outcome = run(b"batch=pcId,a,b\nA%2D1,x,\nA-1,,y\n%41-1,z,\n")
    assert outcome.bodies == [b"batch=pcId,a,b\nA-1,z,y"]


def test_target_formats_old_sample() -> None:
    outcome = run(
        b"batch=pcId, param1, param2, param3, param4\n123, value1\n124, value1,,, value4\n125,, value2\n"
    )
    assert outcome.received == [
        ("123", "value1", "", "", ""),
        ("124", "value1", "", "", "value4"),
        ("125", "", "value2", "", ""),
    ]


def test_escaped_escapes_are_decoded_once() -> None:
    outcome = run(b"batch=pcId,a\n1,%2541%252C%25\n")
    assert outcome.bodies == [b"batch=pcId,a\n1,%2541%252C%25"]


@pytest.mark.parametrize("block", [1, 7, 64])
def test_the_size_of_blocks_does_not_matter(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = 'thirdPartyId,a,b\r\n1,"x\r\ny",é\r\n,q,"r"\r\n2,p""q,"""z"\r\n'.encode()
    whole = run(data)
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block)
    parts = run(data)
    assert parts.objects == whole.objects
    assert parts.split == whole.split


def test_rejected_rows_can_be_mended_and_dropped_again() -> None:
    first = run(b"thirdPartyId;a\n1;x\n;y\n")
    mended = first.objects["rejected-rows.csv"].replace(b";y", b"2;y")
    assert run(mended).received == [("2", "y")]


def test_the_digest_is_that_of_the_file_as_stored() -> None:
    for data in (PLAIN, b"\xef\xbb\xbf" + PLAIN, PLAIN.decode().encode("utf-16")):
        assert run(data).split.source_sha256 == hashlib.sha256(data).hexdigest()


def test_a_formula_in_a_column_name_is_harmless_in_the_list_of_rejects() -> None:
    outcome = run(b"pcId,=cmd()\n1,\xff\n")
    assert outcome.rejects == [["2", "'=cmd()", "invalid_utf8"]]


def test_progress_ends_at_the_size() -> None:
    told: list[tuple[int, int]] = []
    run(PLAIN, on_read=lambda done, size: told.append((done, size)))
    assert told[-1] == (len(PLAIN), MemoryFile(PLAIN).size)


def test_a_column_that_is_not_sent_gives_a_row_no_value() -> None:
    """Whatever other rows there are: with a repeated id the file is read another way."""
    for more in (b"", b"2,,y\n"):
        outcome = run(b"pcId,a,b\n1,x,\n2,,y\n" + more, Feed(mapping=Mapping(drop=("a",))))
        assert outcome.received == [("2", "y")]
        assert outcome.split.rows.skipped == 1


def test_names_in_a_feed_may_have_the_prefix_as_in_the_file() -> None:
    mapping = {
        "drop": ["profile.mail"],
        "rename": {"profile.town": "profile.city"},
        "constants": {"profile.source": "crm"},
    }
    outcome = run(b"profile.mail,pcId,profile.town\nme,1,x\n", Feed.from_json({"mapping": mapping}))
    assert outcome.bodies == [b"batch=pcId,city,source\n1,x,crm"]


def test_what_a_feed_names_and_the_file_does_not_have_is_counted() -> None:
    outcome = run(b"pcId,email\n1,x\n", Feed(mapping=Mapping(drop=("emial",))))
    assert outcome.split.warnings == {"unknown_column": 1}


def test_where_separators_are_replaced_an_id_may_have_none() -> None:
    """It would become another id, perhaps that of another row."""
    feed = Feed(separator_in_value=SeparatorInValue.REPLACE)
    outcome = run(b'thirdPartyId,a\n"x,y",1\nx y,"2,3"\n', feed)
    assert outcome.received == [("x y", "2 3")]
    assert outcome.rejects == [["2", "thirdPartyId", "separator_in_value"]]


def test_a_file_that_changes_while_it_is_read_is_no_split() -> None:
    before, after = b"pcId,a\n1,x\n1,y\n2,z\n", b"pcId,a\n1,x\n1,y\n"
    opened = mock.Mock(side_effect=lambda _: io.BytesIO(before))
    source = mock.Mock(size=len(before), open=opened)
    split(source, Feed(), Limits(), MemoryOutput())
    opened.side_effect = [
        *(io.BytesIO(before) for _ in range(opened.call_count - 1)),
        io.BytesIO(after),
    ]
    with pytest.raises(AccountingError, match="did the file change"):
        split(source, Feed(), Limits(), MemoryOutput())


@pytest.mark.parametrize("rows", [1, 2000])
def test_what_goes_wrong_in_writing_ends_the_split_and_no_batch_is_left(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    aborted = list[str]()

    class FullSink(MemorySink):
        def write(self, data: bytes | bytearray | memoryview, /) -> None:
            if b"id0" in bytes(data):
                raise OSError("disk full")

        def abort(self) -> None:
            aborted.append(self._name)

    class FullOutput(MemoryOutput):
        def open(self, name: str) -> MemorySink:
            return FullSink(self.objects, name)

    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1000)
    output = FullOutput()
    source = MemoryFile(b"pcId,a\n" + b"".join(b"id%d,x\n" % number for number in range(rows)))
    with pytest.raises(OSError, match="disk full"):
        split(source, Feed(), Limits(), output)
    assert aborted == ["batches/00001.batch"]
    assert output.objects == {}
