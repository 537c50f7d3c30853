"""Target's answer about one profile, and what is no such answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bulk_profiles.target.response import UnusableAnswerError
from bulk_profiles.target.stored_profile import StoredProfile, StoredValue, read_profile


def answer(**changes: Any) -> bytes:
    attributes = {"city": {"value": "Oslo", "modifiedAt": "2017-08-18T17:53:39.003-04:00"}}
    return json.dumps({"client": "demo", "profileAttributes": attributes} | changes).encode()


def test_attributes_are_read_with_their_times() -> None:
    at = datetime(2017, 8, 18, 21, 53, 39, 3000, tzinfo=UTC)
    values = {"city": StoredValue("Oslo", at)}
    assert read_profile(answer(), "demo") == StoredProfile(values)
    later = answer(modifiedAt="2017-08-18T22:00:00Z")
    assert read_profile(later, "demo") == StoredProfile(values, datetime(2017, 8, 18, 22, 0, tzinfo=UTC))


@pytest.mark.parametrize("written", [None, "", "yesterday", "2017-08-18T17:53:39", 5, {}])
def test_time_that_is_none_is_not_known(written: Any) -> None:
    attributes = {"city": {"value": "Oslo", "modifiedAt": written}}
    assert read_profile(answer(profileAttributes=attributes), "demo").values["city"].modified_at is None


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "not the JSON"),
        (b"<html>", "not the JSON"),
        (b"[" * 100_000, "not the JSON"),
        (b'{"client": "\xff"}', "not the JSON"),
        (b'{"profileAttributes": {"a": {"value": "1"}, "a": {"value": "2"}}}', "not the JSON"),
        (b"[]", "no profileAttributes"),
        (answer(profileAttributes=[]), "no profileAttributes"),
        (answer(client="other"), "another client"),
        (answer(visitorId={"thirdPartyId": "u2"}), "another profile"),
        (answer(visitorId={"thirdPartyId": None}), "another profile"),
        (answer(profileAttributes={"a": "1"}), "without a text"),
        (answer(profileAttributes={"a": {"value": 1}}), "without a text"),
        (answer(profileAttributes={"a": {}}), "without a text"),
        (answer(profileAttributes={str(n): {"value": ""} for n in range(10_001)}), "10000 attributes"),
    ],
)
def test_answer_of_another_form_is_no_evidence(data: bytes, fault: str) -> None:
    with pytest.raises(UnusableAnswerError, match=fault):
        read_profile(data, "demo", "u1")


@pytest.mark.parametrize("visitor", [{"thirdPartyId": "u1"}, {"other": 1}, None, "u2", []])
def test_answer_that_names_no_other_profile_is_read(visitor: Any) -> None:
    assert read_profile(answer(visitorId=visitor), "demo", "u1").values
    assert read_profile(answer(visitorId={"thirdPartyId": "u9"}), "demo").values  # asked for by pcId


def test_answer_with_a_byte_order_mark_and_without_a_client_is_read() -> None:
    assert read_profile(b'\xef\xbb\xbf{"profileAttributes": {}}', "demo") == StoredProfile({})
