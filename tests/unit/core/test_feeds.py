"""Feeds: what is valid, and every fault at once."""

from __future__ import annotations

from typing import Any

import pytest

from bulk_profiles.core.errors import FeedError
from bulk_profiles.core.feeds import Feed, Mapping, Quoting, SeparatorInValue
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
        separator_in_value=SeparatorInValue.REJECT,
        mapping=Mapping("id", {"a": "b"}, ("c",), (), {"d": "e"}, {"f": "g"}, "-"),
    )
    assert Feed.from_json(feed.to_json()) == feed


def test_feed_delimiter_may_be_a_name() -> None:
    assert Feed.from_json({"delimiter": "tab"}).delimiter == "\t"


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ([], "the feed must be an object"),
        ({"colour": 1}, "unknown fields: colour"),
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
        ({"mapping": {"nope": 1}}, "mapping has unknown fields: nope"),
    ],
)
def test_feed_with_a_fault_is_refused(data: Any, fault: str) -> None:
    with pytest.raises(FeedError, match="makes no sense") as caught:
        Feed.from_json(data)
    assert fault in str(caught.value)


def test_feed_names_every_fault_at_once() -> None:
    with pytest.raises(FeedError) as caught:
        Feed.from_json({"apiVersion": "v3", "clientCode": "?", "mapping": {"drop": 1}})
    assert str(caught.value).count(";") == 2
