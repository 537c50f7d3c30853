"""Feeds: what is valid, and every fault at once."""

from __future__ import annotations

from typing import Any

import pytest

from bulk_profiles.core.errors import FeedError
from bulk_profiles.core.feeds import Feed, Mapping, Quoting, SeparatorInValue, ShortRows
from bulk_profiles.core.models import ApiVersion, KeyColumn


def test_feed_without_fields_is_the_default() -> None:
    assert Feed.from_json({}) == Feed()
    assert Feed().to_json() == {}


def test_feed_is_read_back_as_it_was_written() -> None:
    feed = Feed(
        client_code="demo",
        api_version=ApiVersion.V1,
        key_column=KeyColumn.PC_ID,
        encoding="cp1252",
        delimiter=";",
        quoting=Quoting.NONE,
        short_rows=ShortRows.FILL,
        null_values=("NULL", "n/a"),
        separator_in_value=SeparatorInValue.REJECT,
        max_rejected_percent=0,
        mapping=Mapping("id", {"a": "b"}, ("c",), (), {"d": "e"}, {"f": "g"}, "-"),
    )
    assert Feed.from_json(feed.to_json()) == feed


def test_feed_short_rows_are_rejected_by_default() -> None:
    assert Feed().short_rows is ShortRows.REJECT
    assert Feed.from_json({"shortRows": None}).short_rows is ShortRows.REJECT
    assert Feed.from_json({"shortRows": "fill"}).short_rows is ShortRows.FILL


@pytest.mark.parametrize("percent", [0, 1, 100, 10.0])
def test_feed_max_rejected_percent_is_a_whole_number(percent: float) -> None:
    feed = Feed.from_json({"maxRejectedPercent": percent})
    assert feed.max_rejected_percent == percent
    assert isinstance(feed.max_rejected_percent, int)


def test_feed_delimiter_may_be_a_name() -> None:
    assert Feed.from_json({"delimiter": "tab"}).delimiter == "\t"


def test_feed_names_have_no_invisible_characters() -> None:
    feed = Feed.from_json(
        {
            "mapping": {
                "key": "\ufeffcustomer\u200b",
                "rename": {"profile.\u200btown\u00a0": "\u200bcity "},
                "drop": ["internal\u00a0note", "\u2060"],
            }
        }
    )
    assert feed.mapping == Mapping("customer", {"town": "city"}, ("internal note", ""))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ([], "the feed must be an object"),
        ({"colour": 1}, "unknown fields: colour"),
        ({"mapping": {"rename": {"a": "b", "a\u200b": "c"}}}, "rename names a column twice"),
        ({"clientCode": "a/b"}, "clientCode"),
        ({"clientCode": 7}, "clientCode must be text"),
        ({"apiVersion": "v3"}, "apiVersion must be one of v1, v2"),
        ({"keyColumn": "pcid"}, "keyColumn must be one of"),
        ({"encoding": "klingon"}, "encoding"),
        ({"encoding": "rot13"}, "encoding"),
        ({"encoding": "hex"}, "encoding"),
        ({"delimiter": "::"}, "delimiter"),
        ({"delimiter": '"'}, "delimiter"),
        ({"separatorInValue": "drop"}, "separatorInValue must be one of"),
        ({"mapping": {"keep": ["a"], "drop": ["b"]}}, "keep or drop"),
        ({"mapping": {"rename": {"a": "x", "b": "x"}}}, "one name"),
        ({"mapping": {"rename": {"a": 1}}}, "object of texts"),
        ({"mapping": {"rename": []}}, "object of texts"),
        ({"mapping": {"constants": {"a": "\ud800"}}}, "object of texts"),
        ({"mapping": {"drop": "a"}}, "list of texts"),
        ({"mapping": {"keep": ""}}, "list of texts"),
        ({"mapping": False}, "mapping must be an object"),
        ({"mapping": {"key": "a", "drop": ["a"]}}, "drops the key column"),
        ({"mapping": {"nope": 1}}, "mapping has unknown fields: nope."),
        ({"shortRows": "keep"}, "shortRows must be one of reject, fill."),
        ({"shortRows": ["fill"]}, "shortRows must be one of reject, fill."),
        ({"nullValues": "NULL"}, "nullValues must be a list of texts"),
        ({"nullValues": [None]}, "nullValues must be a list of texts"),
        ({"nullValues": ["\ud800"]}, "nullValues must be a list of texts"),
        ({"maxRejectedPercent": -1}, "maxRejectedPercent must be a whole number from 0 to 100"),
        ({"maxRejectedPercent": 101}, "maxRejectedPercent must be a whole number from 0 to 100"),
        ({"maxRejectedPercent": 0.5}, "maxRejectedPercent must be a whole number from 0 to 100"),
        ({"maxRejectedPercent": "10"}, "maxRejectedPercent must be a whole number from 0 to 100"),
        ({"maxRejectedPercent": True}, "maxRejectedPercent must be a whole number from 0 to 100"),
        ({"maxRejectedPercent": float("nan")}, "maxRejectedPercent must be a whole number from 0 to 100"),
        ({"maxRejectedPercent": float("inf")}, "maxRejectedPercent must be a whole number from 0 to 100"),
    ],
)
def test_feed_with_a_fault_is_refused(data: Any, fault: str) -> None:
    with pytest.raises(FeedError, match="makes no sense") as caught:
        Feed.from_json(data)
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("data", "suggestion"),
    [
        ({"short_rows": "fill"}, "short_rows (did you mean shortRows?)"),
        ({"s--h--o--r--t--R--o--w--s": "fill"}, "(did you mean shortRows?)"),
        ({"nullvalue": []}, "nullvalue (did you mean nullValues?)"),
        ({"Quoting": "none"}, "Quoting (did you mean quoting?)"),
        ({"colour": 1, "delimeter": ";"}, "colour, delimeter (did you mean delimiter?)"),
        ({"mapping": {"konstants": {}}}, "konstants (did you mean constants?)"),
        ({"shortRows": "Filled"}, "one of reject, fill (did you mean fill?)"),
        ({"keyColumn": "pc-id"}, "one of pcId, thirdPartyId (did you mean pcId?)"),
        ({"keyColumn": "PCID"}, "one of pcId, thirdPartyId (did you mean pcId?)"),
        ({"separatorInValue": "replaced"}, "one of encode, replace, reject (did you mean replace?)"),
        (
            {"delimiter": "semi-colon"},
            "delimiter must be one ASCII character, or comma, semicolon, tab or pipe"
            " (did you mean semicolon?)",
        ),
    ],
)
def test_feed_with_a_misspelled_word_suggests_the_closest(data: Any, suggestion: str) -> None:
    with pytest.raises(FeedError) as caught:
        Feed.from_json(data)
    assert suggestion in str(caught.value)


def test_feed_with_an_unlike_word_suggests_nothing() -> None:
    with pytest.raises(FeedError) as caught:
        Feed.from_json({"shortRows": "xyz", "zzz": 1, "delimiter": "::"})
    assert "did you mean" not in str(caught.value)


def test_feed_names_every_fault_at_once() -> None:
    with pytest.raises(FeedError) as caught:
        Feed.from_json({"apiVersion": "v3", "clientCode": "?", "mapping": {"drop": 1}})
    assert str(caught.value).count(";") == 2


@pytest.mark.parametrize(
    ("mapping", "passed_over"),
    [
        (Mapping(), True),
        (Mapping(rename={"_x": "y"}), False),
        (Mapping(drop=("_x",)), False),
        (Mapping(keep=("a",)), False),
        (Mapping(keep=("_x",)), True),
    ],
)
def test_column_that_begins_with_an_underscore_is_passed_over_only_for_its_name(
    mapping: Mapping, passed_over: bool
) -> None:
    assert mapping.passes_over("_x") is passed_over
    assert not mapping.passes_over("x")
