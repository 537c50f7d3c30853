"""What the functions are invoked with may be anything: it is an event that they know, or an `EventError`."""

from __future__ import annotations

import contextlib
import json
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.errors import EventError, ResendError, VerifyError
from bulk_profiles.core.models import BatchState, ProfileCounts, Resendable
from bulk_profiles.core.names import import_id
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.steps.messages import (
    BatchEvent,
    DroppedObject,
    ImportEvent,
    Outcome,
    ResendEvent,
    VerifyEvent,
)

ID = import_id("drop-bucket", "drop/default/Größe & Maß.csv", "v1")


def created(**object_: Any) -> dict[str, Any]:
    """Give S3's event as EventBridge sends it."""
    return {
        "id": "event-1",
        "detail": {
            "bucket": {"name": "drop-bucket"},
            "object": {"key": "drop/a.csv", "version-id": "v1"} | object_,
        },
    }


def test_a_dropped_object_is_read() -> None:
    assert DroppedObject.from_event(created()) == DroppedObject("event-1", "drop-bucket", "drop/a.csv", "v1")


@pytest.mark.parametrize(
    "key",
    ["drop/a b+c%20.csv", "drop/=cmd()", "drop/<script>", "drop/Größe😀.csv", "drop/../../x", "x" * 1024],
)
def test_a_key_is_taken_as_it_is(key: str) -> None:
    assert DroppedObject.from_event(created(key=key)).key == key


def test_a_sender_need_not_know_version_and_event() -> None:
    event = created()
    del event["id"], event["detail"]["object"]["version-id"]
    assert DroppedObject.from_event(event) == DroppedObject("", "drop-bucket", "drop/a.csv", "")


@pytest.mark.fault(9, "s3:TestEvent, or any other event, sent by hand: an error, and nothing is imported")
@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "text",
        7,
        {},
        {"detail": None},
        {"detail": {"bucket": "b", "object": {"key": "k"}}},
        {"detail": {"bucket": {"name": "b"}, "object": []}},
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"},
        {"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]},
        created(key=None),
        created(key=7),
        created(key=""),
        created(key="drop/\ud800.csv"),
        created() | {"id": 7},
        created(**{"version-id": ["v1"]}),
    ],
)
def test_what_is_not_a_dropped_object_is_refused(event: Any) -> None:
    with pytest.raises(EventError):
        DroppedObject.from_event(event)


def test_dead_letter_is_read_as_the_event_in_it() -> None:
    """So that it can be replayed as it is: a Lambda destination wraps the event that failed."""
    letter = {
        "version": "1.0",
        "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": created(),
        "responsePayload": {"errorType": "StorageError"},
    }
    assert DroppedObject.from_event(letter) == DroppedObject.from_event(created())
    with pytest.raises(EventError):
        DroppedObject.from_event(letter | {"requestPayload": "x"})


def test_a_batch_is_read() -> None:
    assert BatchEvent.from_event({"importId": ID, "batch": 12, "more": "ignored"}) == BatchEvent(ID, 12)
    assert ImportEvent.from_event({"importId": ID, "batches": [1]}) == ImportEvent(ID)


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        7,
        [ID],
        "../other",
        "a/b",
        "A",
        "a b",
        "a\n",
        "a#BATCH",
        "é",
        "-" * 81,
        "%2e%2e",
        "\ud800",
        "\0",
    ],
)
def test_an_import_has_a_name_that_an_import_can_have(name: Any) -> None:
    for read in (ImportEvent.from_event, BatchEvent.from_event):
        with pytest.raises(EventError, match="importId"):
            read({"importId": name, "batch": 1})


@pytest.mark.parametrize("number", [None, "1", 1.0, True, 0, -1, 100_000, 10**30, [1], {"batch": 1}])
def test_a_batch_has_a_number_that_a_batch_can_have(number: Any) -> None:
    with pytest.raises(EventError, match="batch"):
        BatchEvent.from_event({"importId": ID, "batch": number})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["detail", "id"]), inner),
    )
)
def test_whatever_comes_is_an_event_or_an_event_error(event: Any) -> None:
    for kind in (DroppedObject, ImportEvent, BatchEvent):
        with contextlib.suppress(EventError):
            kind.from_event(event)


@pytest.mark.parametrize("kind", [DroppedObject, ImportEvent, BatchEvent])
def test_an_error_says_nothing_of_what_the_event_holds(kind: Any) -> None:
    event = json.loads(
        '{"detail": {"bucket": "canary-5f1d"}, "importId": "canary 5f1d", "batch": "canary-5f1d"}'
    )
    with pytest.raises(EventError) as caught:
        kind.from_event(event)
    assert "5f1d" not in "".join(traceback.format_exception(caught.value))


def test_settled_batch_is_told_with_its_state_counts_and_reason() -> None:
    """Also those that are zero: the console shows the answer as it is."""
    profiles = ProfileCounts(success=0, error=3, not_sent=1)
    batch = BatchEntry("crm-1", 1, 4, 20, "aa", state=BatchState.REFUSED, profiles=profiles, reason="No.")
    assert Outcome.settled(batch).to_json() == {
        "outcome": "settled",
        "state": "refused",
        "success": 0,
        "error": 3,
        "pending": 0,
        "unknown": 0,
        "notSent": 1,
        "reason": "No.",
    }


def test_resend_is_read_with_the_execution_that_asks_for_it() -> None:
    event = {"input": {"importId": ID, "resend": ["error", "notSent"]}, "execution": "by-hand"}
    words = frozenset({Resendable.ERROR, Resendable.NOT_SENT})
    assert ResendEvent.from_event(event) == ResendEvent(ID, words, "by-hand")  # as earlier versions asked
    assert ResendEvent.from_event(event | {"machine": "arn"}).machine == "arn"


@pytest.mark.parametrize("resend", [None, [], "error", ["error", "failed"], [1], [["error"]], {"error": 1}])
def test_resend_of_what_is_no_word_is_told_with_the_words(resend: Any) -> None:
    event = {"input": {"importId": ID, "resend": resend}, "execution": "by-hand"}
    with pytest.raises(ResendError, match="these words: refused, error, unknown, pending, notSent"):
        ResendEvent.from_event(event)


def test_resend_of_what_is_no_import_is_told() -> None:
    with pytest.raises(ResendError, match="must be an import's name"):
        ResendEvent.from_event({"input": {"resend": ["error"]}, "execution": "by-hand"})


@pytest.mark.parametrize("wanted", [0, -1, 10_001, "5", 5.0, True, [5]])
def test_sample_that_is_no_number_of_profiles_is_refused(wanted: Any) -> None:
    event = {"input": {"importId": "crm-1", "verify": wanted}, "execution": "by-hand"}
    with pytest.raises(VerifyError, match="how many profiles are to be read back, 1 to 10,000"):
        VerifyEvent.from_event(event)


@pytest.mark.parametrize("name", [None, "", "../x", 5])
def test_verification_of_what_is_no_import_is_refused(name: Any) -> None:
    with pytest.raises(VerifyError, match="must be an import's name"):
        VerifyEvent.from_event({"input": {"importId": name, "verify": 5}, "execution": "by-hand"})


def test_verification_at_the_end_of_an_import_wants_what_its_settings_say() -> None:
    event = {"input": {"importId": "crm-1", "batches": [1], "verifySample": 5}, "execution": "crm-1"}
    assert VerifyEvent.from_event(event) == VerifyEvent("crm-1", None, "crm-1")
