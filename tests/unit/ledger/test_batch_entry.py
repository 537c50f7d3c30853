"""What the ledger remembers of a batch: as written, as read, and how it may change."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import (
    Bases,
    Basis,
    BatchState,
    PlannedBatch,
    ProfileCounts,
    ProfileStatus,
    Why,
)
from bulk_profiles.ledger.batch_entry import BatchEntry, FollowUp, Resend
from bulk_profiles.ledger.isolation import Group, Isolation, Span
from tests.worlds.watched_table import from_dynamodb

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MS = timedelta(milliseconds=1)
SENT_AGAIN: Bases = {ProfileStatus.PENDING: Counter({Basis.DEADLINE: 7})}
NEW_BATCH = BatchEntry("crm-1", 3, 100, 2000, "aa")
NEW_BATCH_ITEM: Json = {
    "importId": "crm-1",
    "number": 3,
    "rows": 100,
    "bytes": 2000,
    "sha256": "aa",
    "state": "planned",
    "submissions": 0,
    "possiblyDuplicate": False,
    "held": False,
    "deferrals": 0,
    "turnedAway": 0,
    "putOff": 0,
    "renewals": 0,
    "why": "",
    "resumesAt": "",
    "checks": 0,
    "polls": 0,
    "unread": 0,
    "silence": "",
    "detailChecks": 0,
    "sendingUntil": "",
    "acceptedAt": "",
    "nextCheckAt": "",
    "settledAt": "",
    "statusUrl": "",
    "batchId": "",
    "doubt": "",
    "history": "",
    "reason": "",
    "failure": "",
    "terminal": "null",
    "lastAnswer": "null",
    "lastNamed": 0,
    "profilesWritten": None,
    "profiles": {"success": 0, "error": 0, "pending": 0, "unknown": 0, "notSent": 0},
    "bases": "{}",
    "verdict": "",
    "followUps": "[]",
    "resends": "[]",
    "isolation": "null",
    "version": 0,
}
SETTLED_BATCH = BatchEntry(
    "crm-1",
    3,
    100,
    2000,
    "aa",
    BatchState.COMPLETE,
    submissions=1,
    possibly_duplicate=True,
    held=True,
    deferrals=2,
    turned_away=3,
    put_off=timedelta(seconds=90),
    renewals=4,
    why="token",
    resumes_at=datetime(2026, 11, 24, 12, 30, tzinfo=UTC),
    checks=5,
    polls=6,
    unread=2,
    silence="Target answered HTTP 500.",
    detail_checks=7,
    sending_until=NOW + 1 * HOUR,
    accepted_at=NOW + 2 * HOUR,
    next_check_at=NOW + 3 * HOUR,
    settled_at=NOW + 4 * HOUR,
    status_url="http://127.0.0.1/status",
    batch_id="demo-1",
    doubt="Target's answer has a comment.",
    history="Attempt 1: Target's answer has a comment.",
    reason="Target was busy.",
    failure="S3 did not read 'a': AccessDenied.",
    terminal={"state": "complete", "batchSize": 100},
    last_answer={"state": "incomplete"},
    last_named=8,
    profiles_written=0,
    profiles=ProfileCounts(90, 7, 2, 1),
    bases={ProfileStatus.SUCCESS: Counter({Basis.IMPLIED: 90})},
    verdict="complete",
    follow_ups=(FollowUp(2, 9, 180, "bb"), FollowUp(3, 7, 140, "cc", SENT_AGAIN)),
    resends=(Resend("crm-1-resend", NOW, 3, SENT_AGAIN, BatchState.EXPIRED, 2, "Not finished."),),
    isolation=Isolation(
        attempt=1,
        failures=2,
        first=1,
        limit=61,
        begun=3,
        part=(Span(0, 4),),
        others=(Span(4, 9),),
        presumed=1,
        groups=(Group((Span(9, 20), Span(30, 40)), 1),),
    ),
    version=11,
)
SETTLED_BATCH_ITEM = NEW_BATCH_ITEM | {
    "state": "complete",
    "submissions": 1,
    "possiblyDuplicate": True,
    "held": True,
    "deferrals": 2,
    "turnedAway": 3,
    "putOff": 90,
    "renewals": 4,
    "why": "token",
    "resumesAt": "2026-11-24T12:30:00.000Z",
    "checks": 5,
    "polls": 6,
    "unread": 2,
    "silence": "Target answered HTTP 500.",
    "detailChecks": 7,
    "sendingUntil": "2026-11-24T10:00:00.000Z",
    "acceptedAt": "2026-11-24T11:00:00.000Z",
    "nextCheckAt": "2026-11-24T12:00:00.000Z",
    "settledAt": "2026-11-24T13:00:00.000Z",
    "statusUrl": "http://127.0.0.1/status",
    "batchId": "demo-1",
    "doubt": "Target's answer has a comment.",
    "history": "Attempt 1: Target's answer has a comment.",
    "reason": "Target was busy.",
    "failure": "S3 did not read 'a': AccessDenied.",
    "terminal": '{"state": "complete", "batchSize": 100}',
    "lastAnswer": '{"state": "incomplete"}',
    "lastNamed": 8,
    "profilesWritten": 0,
    "profiles": {"success": 90, "error": 7, "pending": 2, "unknown": 1, "notSent": 0},
    "bases": '{"success": {"implied": 90}}',
    "verdict": "complete",
    "followUps": (
        '[{"attempt": 2, "rows": 9, "bytes": 180, "sha256": "bb", "sends": {}},'
        ' {"attempt": 3, "rows": 7, "bytes": 140, "sha256": "cc", "sends": {"pending": {"deadline": 7}}}]'
    ),
    "resends": (
        '[{"execution": "crm-1-resend", "at": "2026-11-24T09:00:00.000Z", "attempt": 3, '
        '"sends": {"pending": {"deadline": 7}}, "state": "expired", "submissions": 2, '
        '"reason": "Not finished."}]'
    ),
    "isolation": (
        '{"attempt": 1, "failures": 2, "first": 1, "limit": 61, "begun": 3, "part": [[0, 4]],'
        ' "others": [[4, 9]],'
        ' "presumed": 1, "groups": [{"spans": [[9, 20], [30, 40]], "failures": 1}], "rest": [], "found": 0}'
    ),
    "version": 11,
}


ITEMS = [(NEW_BATCH, NEW_BATCH_ITEM), (SETTLED_BATCH, SETTLED_BATCH_ITEM)]


@pytest.mark.parametrize(("entry", "item"), ITEMS)
def test_batch_entry_to_json_has_every_field(entry: BatchEntry, item: Json) -> None:
    assert json.dumps(entry.to_json()) == json.dumps(item)


@pytest.mark.parametrize(("entry", "item"), ITEMS)
def test_batch_entry_is_read_back_from_dynamodb(entry: BatchEntry, item: Json) -> None:
    read = BatchEntry.from_json(from_dynamodb(item))
    assert read == entry
    assert json.dumps(read.to_json()) == json.dumps(item)  # and no number is still a Decimal


def test_batch_entry_without_the_later_fields_is_read() -> None:
    later = {"putOff", "lastAnswer", "lastNamed", "bases", "unread", "why", "resumesAt", "doubt", "isolation"}
    item = {name: value for name, value in NEW_BATCH_ITEM.items() if name not in later}
    item["profiles"] = {name: count for name, count in item["profiles"].items() if name != "notSent"}
    assert BatchEntry.from_json(from_dynamodb(item)) == NEW_BATCH


def test_batch_entry_writes_put_off_in_whole_seconds() -> None:
    assert NEW_BATCH.change(put_off=timedelta(seconds=2.6)).to_json()["putOff"] == 3


def test_planned_returns_the_first_entry() -> None:
    assert BatchEntry.planned("crm-1", PlannedBatch(3, 100, 2000, "aa")) == NEW_BATCH


class TestChanges:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("planned", {"sending", "refused", "unknown"}),
            ("sending", {"planned", "accepted", "refused", "unknown"}),
            ("unknown", {"planned"}),
            ("accepted", {"planned", "unknown", "complete", "stuck", "expired"}),
            ("refused", set()),
            ("complete", set()),
            ("stuck", set()),
            ("expired", set()),
        ],
    )
    def test_move_to_a_state_that_is_not_legal_is_refused(self, before: str, after: set[str]) -> None:
        batch = NEW_BATCH.change(state=BatchState(before))
        for state in BatchState:
            if state in after:
                assert batch.move(state, checks=1) == batch.change(state=state, checks=1)
            else:
                with pytest.raises(ValueError, match=f"^a {before} batch cannot become {state}$"):
                    batch.move(state)

    def test_sending_counts_a_submission_until_its_end(self) -> None:
        assert NEW_BATCH.sending(NOW) == NEW_BATCH.change(
            state=BatchState.SENDING, submissions=1, sending_until=NOW
        )

    def test_unsent_takes_the_submission_back(self) -> None:
        assert NEW_BATCH.sending(NOW).unsent() == NEW_BATCH

    def test_postponed_adds_up_the_waits(self) -> None:
        once = NEW_BATCH.sending(NOW).postponed(HOUR, "Busy.", NOW + HOUR)
        twice = once.sending(NOW).postponed(2 * HOUR, "Busy.", None)
        assert once == NEW_BATCH.change(turned_away=1, put_off=HOUR, next_check_at=NOW + HOUR, reason="Busy.")
        assert (twice.turned_away, twice.put_off, twice.next_check_at) == (2, 3 * HOUR, None)

    def test_unauthorized_is_no_submission(self) -> None:
        refused = NEW_BATCH.sending(NOW).unauthorized("Token refused.")
        assert refused == NEW_BATCH.change(renewals=1, reason="Token refused.")
        assert refused.sending(NOW).unauthorized("Again.").renewals == 2

    def test_sending_ends_the_wait(self) -> None:
        assert NEW_BATCH.change(why="token").sending(NOW).why == ""

    def test_accepted_starts_the_checks_and_forgets_the_waits(self) -> None:
        sending = NEW_BATCH.change(turned_away=2, renewals=1, reason="Busy.").sending(NOW)
        assert sending.accepted("http://127.0.0.1/status", "demo-1", NOW, NOW + HOUR) == sending.change(
            state=BatchState.ACCEPTED,
            status_url="http://127.0.0.1/status",
            batch_id="demo-1",
            accepted_at=NOW,
            next_check_at=NOW + HOUR,
            turned_away=0,
            renewals=0,
            reason="",
        )

    def test_refused_is_never_sent_again(self) -> None:
        assert NEW_BATCH.refused("No.") == NEW_BATCH.change(state=BatchState.REFUSED, reason="No.")

    def test_refused_of_a_possible_duplicate_is_unknown_and_held(self) -> None:
        duplicate = NEW_BATCH.change(possibly_duplicate=True)
        assert duplicate.refused("No.") == duplicate.change(state=BatchState.UNKNOWN, held=True, reason="No.")

    def test_lost_is_held_where_it_is_not_sent_again(self) -> None:
        sending = NEW_BATCH.sending(NOW)
        assert sending.lost("Gone.") == sending.change(state=BatchState.UNKNOWN, reason="Gone.")
        assert sending.lost("Gone.", held=True).held

    def test_ambiguous_is_held_and_names_the_id(self) -> None:
        accepted = NEW_BATCH.change(state=BatchState.ACCEPTED, batch_id="demo-1")
        ambiguous = accepted.ambiguous()
        assert (ambiguous.state, ambiguous.held) == (BatchState.UNKNOWN, True)
        assert "the same id, demo-1:" in ambiguous.reason

    def test_resent_is_possibly_duplicate(self) -> None:
        lost = NEW_BATCH.sending(NOW).lost("Gone.")
        assert lost.resent() == lost.change(state=BatchState.PLANNED, possibly_duplicate=True)

    def test_asked_counts_the_calls_without_a_usable_answer(self) -> None:
        once = NEW_BATCH.asked("status", "Target answered HTTP 404.")
        assert once.why == "status"
        assert (once.checks, once.polls, once.unread) == (1, 1, 1)
        assert (
            once.reason == "1 of 1 status call had no usable answer, the last one: Target answered HTTP 404."
        )
        read = once.asked()
        assert (read.checks, read.polls, read.unread, read.reason) == (2, 2, 1, "")
        assert read.why == ""
        again = read.asked("status", "Reset.")
        assert again.reason == "2 of 3 status calls had no usable answer, the last one: Reset."

    def test_settled_as_writes_state_and_end(self) -> None:
        accepted = NEW_BATCH.change(state=BatchState.ACCEPTED)
        assert accepted.settled_as(BatchState.STUCK, NOW) == accepted.change(
            state=BatchState.STUCK, settled_at=NOW
        )
        refused = NEW_BATCH.refused("No.")
        assert refused.settled_as(BatchState.REFUSED, NOW) == refused.change(settled_at=NOW)

    def test_overdue_is_true_after_the_deadline_from_acceptance(self) -> None:
        accepted = NEW_BATCH.change(accepted_at=NOW)
        assert not accepted.overdue(NOW + HOUR - MS, HOUR)
        assert accepted.overdue(NOW + HOUR, HOUR)
        assert not NEW_BATCH.overdue(NOW + 1000 * HOUR, HOUR)

    def test_settled_is_true_once_its_end_is_written(self) -> None:
        assert SETTLED_BATCH.settled
        assert not SETTLED_BATCH.change(settled_at=None).settled


class TestBodies:
    def test_body_without_a_follow_up_is_the_batch(self) -> None:
        batch = NEW_BATCH
        assert (batch.attempt, batch.body_name) == (1, "batches/00003.batch")
        assert (batch.body_rows, batch.body_size) == (100, 2000)

    def test_body_with_follow_ups_is_the_last_one(self) -> None:
        batch = SETTLED_BATCH
        assert (batch.attempt, batch.body_name) == (3, "follow-ups/00003-3.batch")
        assert (batch.body_rows, batch.body_size) == (7, 140)

    def test_follow_up_starts_over_and_keeps_the_known_results(self) -> None:
        accepted = SETTLED_BATCH.change(
            state=BatchState.ACCEPTED, settled_at=None, follow_ups=(FollowUp(2, 9, 180, "bb"),)
        )
        third = FollowUp(3, 7, 140, "cc")
        known: Bases = {
            ProfileStatus.SUCCESS: Counter({Basis.REPORTED: 1, Basis.IMPLIED: 90}),
            ProfileStatus.ERROR: Counter({Basis.REPORTED: 7}),
        }

        assert accepted.follow_up(third, known, "Odd.") == accepted.change(
            history="Attempt 1: Target's answer has a comment. Attempt 2: Odd.",
            state=BatchState.PLANNED,
            profiles=ProfileCounts(success=91, error=7),
            bases=known,
            follow_ups=(FollowUp(2, 9, 180, "bb"), third),
            polls=0,
            unread=0,
            silence="",
            detail_checks=0,
            terminal=None,
            last_answer=None,
            last_named=0,
            accepted_at=None,
            put_off=timedelta(0),
            next_check_at=None,
        )

    @pytest.mark.parametrize(
        ("sha256", "marked", "duplicate"),
        [("aa", False, True), ("bb", False, True), ("cc", False, False), ("cc", True, True)],
    )
    def test_follow_up_of_bytes_sent_before_is_possibly_duplicate(
        self, sha256: str, *, marked: bool, duplicate: bool
    ) -> None:
        accepted = NEW_BATCH.change(
            state=BatchState.ACCEPTED, possibly_duplicate=marked, follow_ups=(FollowUp(2, 9, 180, "bb"),)
        )
        again = accepted.follow_up(FollowUp(3, 9, 180, sha256), {})
        assert again.possibly_duplicate is duplicate

    def test_follow_up_of_a_settled_batch_is_refused(self) -> None:
        with pytest.raises(ValueError, match="a complete batch cannot become planned"):
            SETTLED_BATCH.follow_up(FollowUp(4, 1, 20, "dd"), {})


def test_batch_that_is_not_settled_is_not_sent_again() -> None:
    batch = BatchEntry("crm-1", 1, 3, 99, "aa" * 32)
    resend = Resend("crm-1-resend-1", NOW, 0, {}, batch.state, 1, "")
    with pytest.raises(ValueError, match="a batch that is not settled cannot be sent again"):
        batch.reopened(resend, None, may_have_arrived=False)


def test_batch_that_is_sent_again_keeps_what_was_said_of_it_and_begins_anew() -> None:
    resend = Resend("crm-1-resend-2", NOW, 3, {}, SETTLED_BATCH.state, 4, "")
    again = SETTLED_BATCH.reopened(resend, None, may_have_arrived=False)
    kept = ("history", "submissions", "checks", "version", "rows", "size", "sha256")
    assert [getattr(again, name) for name in kept] == [getattr(SETTLED_BATCH, name) for name in kept]
    assert (again.state, again.settled_at, again.isolation, again.follow_ups) == (
        BatchState.PLANNED,
        None,
        None,
        (),
    )
    assert again.resends == (*SETTLED_BATCH.resends, resend)


def test_rows_that_are_sent_again_are_one_more_follow_up_of_the_batch() -> None:
    follow_up = FollowUp(4, 2, 40, "dd")
    resend = Resend("crm-1-resend-2", NOW, 4, {}, SETTLED_BATCH.state, 4, "")
    again = SETTLED_BATCH.reopened(resend, follow_up, may_have_arrived=False)
    assert again.follow_ups == (*SETTLED_BATCH.follow_ups, follow_up)
    assert (again.profiles, again.bases) == (SETTLED_BATCH.profiles, SETTLED_BATCH.bases)


def test_batch_that_is_sent_waits_for_nothing_any_more() -> None:
    waiting = NEW_BATCH.waiting(Why.TOKEN, NOW)
    assert (waiting.why, waiting.resumes_at) == ("token", NOW)
    sending = waiting.sending(NOW + HOUR)
    assert (sending.why, sending.resumes_at, sending.submissions) == ("", None, 1)
