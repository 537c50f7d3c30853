"""The accounting: counts add up, and what does not is unaccounted."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import UTC, datetime

import pytest

from bulk_profiles.accounting.summary import reconcile, reject
from bulk_profiles.core.models import (
    ApiVersion,
    Bases,
    Basis,
    BatchState,
    Examples,
    ImportStatus,
    KeyColumn,
    Manifest,
    PlannedBatch,
    ProfileCounts,
    ProfileStatus,
    RowCounts,
    Source,
)
from bulk_profiles.ledger.batch_entry import BatchEntry, FollowUp
from bulk_profiles.ledger.import_entry import GivenUp, ImportEntry

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SOURCE = Source("drop-bucket", "drop/default/customers.csv", "v1", 100, "ab" * 32)
ENTRY = ImportEntry(
    "customers-csv-0a1b2c3d4e5f",
    ImportStatus.UPLOADING,
    SOURCE,
    "default",
    "demo",
    ApiVersion.V2,
    NOW,
    settings={"feed": {"maxRejectedPercent": 20}},
    key_column=KeyColumn.THIRD_PARTY_ID,
)
PLANNED = (PlannedBatch(1, 3, 60, "aa" * 32), PlannedBatch(2, 2, 50, "bb" * 32))
MANIFEST = Manifest(
    ENTRY.import_id,
    "default",
    "demo",
    ApiVersion.V2,
    KeyColumn.THIRD_PARTY_ID,
    SOURCE,
    RowCounts(read=8, rejected=1, merged=1, skipped=1, sent=5),
    {"empty_id": 1},
    {"plus_sign": 3},
    Examples({"empty_id": [4]}, {"plus_sign": [2, 3]}, {"look_alike": ["PCID"]}),
    PLANNED,
)


def settled(number: int, profiles: ProfileCounts, state: BatchState = BatchState.COMPLETE) -> BatchEntry:
    """Return a settled batch of which Target named what failed."""
    entry = BatchEntry.planned(ENTRY.import_id, PLANNED[number - 1])
    bases = {
        ProfileStatus.SUCCESS: Counter({Basis.IMPLIED: profiles.success}),
        ProfileStatus.ERROR: Counter({Basis.REPORTED: profiles.error}),
    }
    return entry.change(state=state, profiles=profiles, bases=bases, settled_at=NOW, submissions=1)


ALL_WELL = (settled(1, ProfileCounts(success=3)), settled(2, ProfileCounts(success=2)))


def test_reconcile_with_every_profile_a_success_is_succeeded() -> None:
    summary = reconcile(ENTRY, MANIFEST, ALL_WELL, NOW)

    assert summary.status is ImportStatus.SUCCEEDED
    assert summary.unaccounted == 0
    assert summary.profiles == ProfileCounts(success=5)
    assert summary.status_line == "succeeded, 1 row rejected"
    assert summary.reason.startswith("1 row rejected of 8 read: rejected-rows.csv has them")


def test_reconcile_above_the_limit_of_the_feed_is_partial() -> None:
    entry = dataclasses.replace(ENTRY, settings={"feed": {"maxRejectedPercent": 12}})

    summary = reconcile(entry, MANIFEST, ALL_WELL, NOW)

    assert summary.status is ImportStatus.PARTIAL
    assert summary.reason.startswith("1 row rejected of 8 read, which is above the limit of 12 %: ")
    assert summary.unaccounted == 0


def test_reconcile_without_a_pinned_limit_uses_the_default() -> None:
    entry = dataclasses.replace(ENTRY, settings={})

    assert "above the limit of 10 %" in reconcile(entry, MANIFEST, ALL_WELL, NOW).reason


def test_reconcile_above_the_limit_without_success_is_failed() -> None:
    entry = dataclasses.replace(ENTRY, settings={"feed": {"maxRejectedPercent": 12}})
    refused = (
        settled(1, ProfileCounts(error=3), BatchState.REFUSED),
        settled(2, ProfileCounts(error=2), BatchState.REFUSED),
    )

    summary = reconcile(entry, MANIFEST, refused, NOW)

    assert summary.status is ImportStatus.FAILED
    assert summary.status_line == "failed, 1 row rejected"


@pytest.mark.parametrize(
    ("second", "status"),
    [
        (ProfileCounts(success=1, error=1), ImportStatus.PARTIAL),
        (ProfileCounts(pending=2), ImportStatus.PARTIAL),
        (ProfileCounts(unknown=2), ImportStatus.PARTIAL),
    ],
)
def test_reconcile_with_some_successes_is_partial(second: ProfileCounts, status: ImportStatus) -> None:
    summary = reconcile(ENTRY, MANIFEST, (ALL_WELL[0], settled(2, second)), NOW)

    assert summary.status is status
    assert summary.unaccounted == 0


def test_reconcile_without_a_success_is_failed() -> None:
    refused = (
        settled(1, ProfileCounts(error=3), BatchState.REFUSED),
        settled(2, ProfileCounts(error=2), BatchState.REFUSED),
    )

    assert reconcile(ENTRY, MANIFEST, refused, NOW).status is ImportStatus.FAILED


@pytest.mark.parametrize(
    ("state", "counts"),
    [
        (BatchState.PLANNED, ProfileCounts(success=3, not_sent=2)),
        (BatchState.REFUSED, ProfileCounts(success=3, not_sent=2)),
        (BatchState.SENDING, ProfileCounts(success=3, unknown=2)),
        (BatchState.UNKNOWN, ProfileCounts(success=3, unknown=2)),
        (BatchState.ACCEPTED, ProfileCounts(success=3, pending=2)),
    ],
)
def test_reconcile_counts_an_unsettled_batch_by_its_state(state: BatchState, counts: ProfileCounts) -> None:
    unsettled = BatchEntry.planned(ENTRY.import_id, PLANNED[1]).change(state=state)

    summary = reconcile(ENTRY, MANIFEST, (ALL_WELL[0], unsettled), NOW)

    assert summary.profiles == counts
    assert summary.unaccounted == 0
    assert "1 of 2 batches did not come to an end" in summary.reason


@pytest.mark.parametrize("state", [BatchState.PLANNED, BatchState.REFUSED])
def test_reconcile_counts_a_batch_that_was_sent_and_not_taken_as_failed(state: BatchState) -> None:
    sent = BatchEntry.planned(ENTRY.import_id, PLANNED[1]).change(state=state, submissions=1)

    assert reconcile(ENTRY, MANIFEST, (ALL_WELL[0], sent), NOW).profiles == ProfileCounts(success=3, error=2)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (BatchState.PLANNED, ProfileStatus.ERROR),
        (BatchState.SENDING, ProfileStatus.UNKNOWN),
        (BatchState.ACCEPTED, ProfileStatus.PENDING),
    ],
)
def test_reconcile_with_a_follow_up_on_its_way_keeps_what_is_known(
    state: BatchState, status: ProfileStatus
) -> None:
    known: Bases = {
        ProfileStatus.SUCCESS: Counter({Basis.REPORTED: 1}),
        ProfileStatus.ERROR: Counter({Basis.REPORTED: 1}),
    }
    sent = BatchEntry.planned(ENTRY.import_id, PLANNED[1]).change(state=BatchState.ACCEPTED, submissions=1)
    followed = sent.follow_up(FollowUp(2, 1, 30, "cc"), known).change(state=state)

    summary = reconcile(ENTRY, MANIFEST, (ALL_WELL[0], followed), NOW)

    assert summary.profiles.to_json() == ProfileCounts(success=4).to_json() | {status.value: 1}
    assert +summary.evidence == {Basis.REPORTED: 1, Basis.IMPLIED: 3}
    assert summary.bases[status] == {Basis.BATCH: 1}
    older = followed.change(bases={})  # of an earlier deployment
    assert reconcile(ENTRY, MANIFEST, (ALL_WELL[0], older), NOW).profiles == summary.profiles


def ended(number: int, bases: Bases, state: BatchState = BatchState.COMPLETE) -> BatchEntry:
    return settled(number, ProfileCounts.of(bases)).change(bases=bases, state=state, reason="")


def next_step(*batches: BatchEntry, rejected: int = 0) -> str:
    rows = dataclasses.replace(MANIFEST.rows, rejected=rejected)
    reason = reconcile(ENTRY, dataclasses.replace(MANIFEST, rows=rows), batches, NOW).reason
    return reason.partition("Next: ")[2]


def test_next_step_sends_again_what_most_rows_need_first() -> None:
    errors = ended(
        1,
        {
            ProfileStatus.ERROR: Counter({Basis.REPORTED: 1}),
            ProfileStatus.SUCCESS: Counter({Basis.IMPLIED: 2}),
        },
    )
    refused = ended(2, {ProfileStatus.ERROR: Counter({Basis.BATCH: 2})}, BatchState.REFUSED)
    resend = f"send them again with `bulk-profiles resend {ENTRY.import_id} --only refused,error`"
    resend = f"once the cause is mended, {resend}"
    assert next_step(errors, refused) == f"{resend}."
    mend = "mend rejected-rows.csv and drop it"
    assert next_step(errors, refused, rejected=2) == f"{resend}; {mend}."
    assert next_step(errors, refused, rejected=4) == f"{mend}; {resend}."


def test_next_step_names_the_stack_and_does_not_urge_to_send_what_was_given_up() -> None:
    unsent = ended(2, {ProfileStatus.NOT_SENT: Counter({Basis.BATCH: 2})}, BatchState.REFUSED)
    entry = dataclasses.replace(ENTRY, stack="crm", given_up=GivenUp("ana", NOW))
    reason = reconcile(entry, MANIFEST, (ALL_WELL[0], unsent), NOW).reason
    resend = f"bulk-profiles resend {ENTRY.import_id} --only notSent --stack crm"
    assert f"Next: if they are to be sent after all, use `{resend}`; mend" in reason


def test_next_step_is_not_told_where_every_row_reached_target() -> None:
    assert next_step(*ALL_WELL, rejected=3) == ""


def test_next_step_of_batches_that_are_not_settled_is_to_start_again() -> None:
    """Nothing can be sent again before."""
    refused = ended(2, {ProfileStatus.ERROR: Counter({Basis.BATCH: 2})}, BatchState.REFUSED)
    unsettled = refused.change(number=1, rows=3, settled_at=None, state=BatchState.PLANNED)
    assert next_step(unsettled, refused) == ""
    reason = reconcile(ENTRY, MANIFEST, (unsettled, refused), NOW).reason
    assert f"and `bulk-profiles resend {ENTRY.import_id}` does so at once." in reason


def test_batch_whose_results_are_not_all_in_the_table_is_counted_by_its_results() -> None:
    """Also one with a follow-up, whose profiles are no longer open then."""
    results: Bases = {ProfileStatus.SUCCESS: Counter({Basis.IMPLIED: 2})}
    errors: Bases = {ProfileStatus.ERROR: Counter({Basis.REPORTED: 1})}
    for follow_ups in ((), (FollowUp(2, 1, 30, "cc", errors),)):
        written = ended(2, results).change(settled_at=None, profiles_written=1, follow_ups=follow_ups)
        summary = reconcile(ENTRY, MANIFEST, (ALL_WELL[0], written), NOW)
        assert (summary.unaccounted, summary.profiles) == (0, ProfileCounts(success=5))


def test_successes_are_counted_by_whose_word_they_are() -> None:
    second = settled(2, ProfileCounts(success=1, error=1)).change(
        bases={
            ProfileStatus.SUCCESS: Counter({Basis.REPORTED: 1}),
            ProfileStatus.ERROR: Counter({Basis.REPORTED: 1}),
        }
    )

    summary = reconcile(ENTRY, MANIFEST, (ALL_WELL[0], second), NOW)
    data = summary.to_json()

    assert data["bases"] == {"reported": 1, "implied": 3, "isolated": 0}
    assert data["basesByStatus"] == {"success": {"reported": 1, "implied": 3}, "error": {"reported": 1}}
    assert data["batches"][0]["bases"] == {"success": {"implied": 3}, "error": {}}
    words = "Of 5 profiles, 4 succeeded (1 named by Target, 3 implied by a complete batch), 1 failed."
    assert words in summary.reason


def test_conclusion_of_an_import_without_a_fault_says_by_whose_word() -> None:
    manifest = dataclasses.replace(MANIFEST, rows=RowCounts(read=5, sent=5))
    summary = reconcile(ENTRY, manifest, ALL_WELL, NOW)

    assert (summary.reason, summary.conclusion) == (
        "",
        "Every row reached Target: 5 implied by a complete batch.",
    )


def _with_reasons(*reasons: str) -> str:
    """Return the reason of an import whose batches of 10, 20, ... rows have these reasons."""
    planned = tuple(PlannedBatch(number, 10 * number, 60, "aa" * 32) for number in range(1, len(reasons) + 1))
    batches = [
        BatchEntry.planned(ENTRY.import_id, batch).change(state=BatchState.REFUSED, reason=reason)
        for batch, reason in zip(planned, reasons, strict=True)
    ]
    sent = sum(batch.rows for batch in planned)
    manifest = dataclasses.replace(MANIFEST, rows=RowCounts(read=sent, sent=sent), batches=planned)
    return reconcile(ENTRY, manifest, batches, NOW).reason


REFUSAL, ODD = 'Target refused the batch: "Unexpected error".', 'Target answered HTTP 400: "Odd".'


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (["", REFUSAL], f"Batch 2 (20 rows): {REFUSAL}"),
        ([REFUSAL, REFUSAL], f"Batches 1 and 2 (30 rows): {REFUSAL}"),
        ([REFUSAL, "", REFUSAL, REFUSAL], f"Batches 1, 3 and 4 (80 rows): {REFUSAL}"),
        ([REFUSAL] * 5, f"Batches 1, 2, 3 and 2 more (150 rows): {REFUSAL}"),
        (
            [REFUSAL, ODD, REFUSAL],
            f"Batches 1 and 3 (40 rows): {REFUSAL} Batch 2 (20 rows): {ODD}",
        ),
        ([ODD, REFUSAL], f"Batch 2 (20 rows): {REFUSAL} Batch 1 (10 rows): {ODD}"),
    ],
)
def test_reason_quotes_target_with_batches_and_rows(reasons: list[str], words: str) -> None:
    assert words in _with_reasons(*reasons)
    assert "more reason" not in _with_reasons(*reasons)


def test_reasons_beyond_the_third_are_counted() -> None:
    text = _with_reasons(*"ABCD")
    assert (
        "Batch 4 (40 rows): D Batch 3 (30 rows): C Batch 2 (20 rows): B report.html has 1 more reason."
        in text
    )
    assert "has 2 more reasons." in _with_reasons(*"ABCDE")
    assert "more reason" not in _with_reasons(*"ABC")


def test_reason_counts_in_the_singular_and_the_plural() -> None:
    one = ProfileCounts(error=1, pending=1, unknown=1)
    two = ProfileCounts(not_sent=2)

    summary = reconcile(ENTRY, MANIFEST, (settled(1, one), settled(2, two)), NOW)

    assert "Of 5 profiles, 1 failed, 1 is pending, 1 is unknown, 2 not sent." in summary.reason


@pytest.mark.parametrize("state", [BatchState.PLANNED, BatchState.REFUSED])
def test_reconcile_counts_a_possible_duplicate_as_unknown(state: BatchState) -> None:
    lost = BatchEntry.planned(ENTRY.import_id, PLANNED[1]).change(state=state, possibly_duplicate=True)

    profiles = reconcile(ENTRY, MANIFEST, (ALL_WELL[0], lost), NOW).profiles

    assert profiles == ProfileCounts(success=3, unknown=2)


def test_reconcile_without_a_planned_batch_is_unaccounted() -> None:
    summary = reconcile(ENTRY, MANIFEST, ALL_WELL[:1], NOW)

    assert summary.unaccounted == 2
    assert summary.status is ImportStatus.PARTIAL
    assert "2 rows are unaccounted" in summary.reason


def test_reconcile_with_too_few_results_is_unaccounted() -> None:
    summary = reconcile(ENTRY, MANIFEST, (ALL_WELL[0], settled(2, ProfileCounts(success=1))), NOW)

    assert summary.unaccounted == 2


def test_reconcile_with_another_body_is_unaccounted() -> None:
    other = ALL_WELL[1].change(sha256="cc" * 32)

    assert reconcile(ENTRY, MANIFEST, (ALL_WELL[0], other), NOW).unaccounted == 2


def test_reconcile_with_rows_in_no_count_is_unaccounted() -> None:
    manifest = dataclasses.replace(MANIFEST, rows=dataclasses.replace(MANIFEST.rows, read=18))

    summary = reconcile(ENTRY, manifest, ALL_WELL, NOW)

    assert summary.unaccounted == 10
    assert summary.status is ImportStatus.PARTIAL


def rows(**changes: int) -> Manifest:
    """Return the manifest with other counts of rows."""
    return dataclasses.replace(MANIFEST, rows=dataclasses.replace(MANIFEST.rows, **changes))


@pytest.mark.parametrize(
    ("manifest", "ledger", "unaccounted"),
    [
        # read = rejected + merged + skipped + sent, and neither more nor less
        (rows(read=18), ALL_WELL, 10),
        (rows(read=0), ALL_WELL, 8),
        # sent = rows over all batches, whatever their results are
        (rows(read=15, sent=12), (ALL_WELL[0], settled(2, ProfileCounts(success=9))), 7),
        (rows(read=4, sent=1), ALL_WELL, 4),
        # sent: success, error, pending or unknown
        (MANIFEST, (ALL_WELL[0], settled(2, ProfileCounts(success=900))), 898),
        (MANIFEST, (settled(1, ProfileCounts()), settled(2, ProfileCounts())), 5),
        # batches of the manifest = batches of the ledger, though the others have results for all rows
        (MANIFEST, (settled(2, ProfileCounts(success=5)),), 3),
        (MANIFEST, (*ALL_WELL, ALL_WELL[0].change(number=3)), 3),
        (MANIFEST, (ALL_WELL[0], ALL_WELL[1].change(rows=20)), 20),
    ],
)
def test_reconcile_finds_each_difference(
    manifest: Manifest, ledger: tuple[BatchEntry, ...], unaccounted: int
) -> None:
    """Where several sums are off, the largest difference counts."""
    assert reconcile(ENTRY, manifest, ledger, NOW).unaccounted == unaccounted


@pytest.mark.parametrize(
    "rows", [RowCounts(), RowCounts(read=2, rejected=2), RowCounts(read=3, skipped=2, merged=1)]
)
def test_reconcile_with_nothing_to_send_is_rejected_with_counts(rows: RowCounts) -> None:
    manifest = dataclasses.replace(MANIFEST, rows=rows, batches=())

    summary = reconcile(ENTRY, manifest, (), NOW)

    assert summary.status is ImportStatus.REJECTED
    assert summary.status_line == "rejected"
    assert summary.reason.startswith("Nothing can be sent: ")
    assert summary.to_json()["rows"] == rows.to_json()
    assert summary.to_json()["rejects"] == {"empty_id": 1}
    assert summary.unaccounted == 0


def test_to_json_has_the_first_lines_of_each_code() -> None:
    data = reconcile(ENTRY, MANIFEST, ALL_WELL, NOW).to_json()

    assert data["examples"] == {
        "rejects": {"empty_id": [4]},
        "warnings": {"plus_sign": [2, 3]},
        "columns": {"look_alike": ["PCID"]},
    }
    assert list(data) == [
        *("importId", "status", "reason", "feed", "clientCode", "stack", "apiVersion", "keyColumn", "source"),
        *("startedAt", "finishedAt", "rows", "rejects", "rejectedRows", "failedRows", "warnings", "examples"),
        *("profiles", "bases", "basesByStatus", "batches", "verification", "duplicateOf", "forgottenAt"),
        "unaccounted",
    ]


def test_to_json_is_the_documented_contract() -> None:
    """Whatever reads summary.json relies on these names."""
    follow_up = FollowUp(2, 1, 30, "dd" * 32)
    second = settled(2, ProfileCounts(success=1, error=1)).change(
        batch_id="demo-2",
        submissions=2,
        possibly_duplicate=True,
        checks=4,
        reason="No.",
        follow_ups=(follow_up,),
    )
    entry = dataclasses.replace(ENTRY, duplicate_of="other-1")
    assert reconcile(entry, MANIFEST, (ALL_WELL[0], second), NOW).to_json() == {
        "importId": "customers-csv-0a1b2c3d4e5f",
        "status": "partial",
        "reason": "1 row rejected of 8 read: rejected-rows.csv has them with line and reason: mend it, and"
        " drop it as it is. Of 5 profiles, 4 succeeded (4 implied by a complete batch), 1 failed."
        " Batch 2 (2 rows): No."
        " Next: send them again with `bulk-profiles resend customers-csv-0a1b2c3d4e5f --only error`;"
        " mend rejected-rows.csv and drop it.",
        "feed": "default",
        "clientCode": "demo",
        "stack": "",
        "apiVersion": "v2",
        "keyColumn": "thirdPartyId",
        "source": SOURCE.to_json(),
        "startedAt": "2026-11-24T09:00:00.000Z",
        "finishedAt": "2026-11-24T09:00:00.000Z",
        "rows": {"read": 8, "rejected": 1, "merged": 1, "skipped": 1, "sent": 5},
        "rejects": {"empty_id": 1},
        "rejectedRows": "rejected-rows.csv",
        "failedRows": {"file": "", "profiles": 0, "rows": 0, "notFound": 0, "missing": ""},
        "warnings": {"plus_sign": 3},
        "examples": {
            "rejects": {"empty_id": [4]},
            "warnings": {"plus_sign": [2, 3]},
            "columns": {"look_alike": ["PCID"]},
        },
        "profiles": {"success": 4, "error": 1, "pending": 0, "unknown": 0, "notSent": 0},
        "bases": {"reported": 0, "implied": 4, "isolated": 0},
        "basesByStatus": {"success": {"implied": 4}, "error": {"reported": 1}},
        "batches": [
            {
                "number": 1,
                "rows": 3,
                "bytes": 60,
                "sha256": "aa" * 32,
                "state": "complete",
                "batchId": "",
                "submissions": 1,
                "possiblyDuplicate": False,
                "checks": 0,
                "unread": 0,
                "reason": "",
                "isolation": None,
                "followUps": [],
                "resends": [],
                "profiles": {"success": 3, "error": 0, "pending": 0, "unknown": 0, "notSent": 0},
                "bases": {"success": {"implied": 3}, "error": {}},
            },
            {
                "number": 2,
                "rows": 2,
                "bytes": 50,
                "sha256": "bb" * 32,
                "state": "complete",
                "batchId": "demo-2",
                "submissions": 2,
                "possiblyDuplicate": True,
                "checks": 4,
                "unread": 0,
                "reason": "No.",
                "isolation": None,
                "followUps": [{"attempt": 2, "rows": 1, "bytes": 30, "sha256": "dd" * 32, "sends": {}}],
                "resends": [],
                "profiles": {"success": 1, "error": 1, "pending": 0, "unknown": 0, "notSent": 0},
                "bases": {"success": {"implied": 1}, "error": {"reported": 1}},
            },
        ],
        "verification": None,
        "duplicateOf": "other-1",
        "forgottenAt": "",
        "unaccounted": 0,
    }


def test_reason_names_three_reasons_of_batches_and_what_is_open() -> None:
    planned = tuple(PlannedBatch(number, 1, 9, f"{number:02}" * 32) for number in range(1, 8))
    manifest = dataclasses.replace(
        MANIFEST, rows=RowCounts(read=7, sent=7), rejects={}, batches=planned, examples=Examples()
    )
    ledger = [
        BatchEntry.planned(ENTRY.import_id, batch).change(state=state, reason=reason)
        for batch, state, reason in zip(
            planned,
            [*[BatchState.REFUSED] * 4, BatchState.ACCEPTED, BatchState.UNKNOWN, BatchState.PLANNED],
            ["D.", "C.", "B.", "A.", "", "A.", ""],
            strict=True,
        )
    ]
    assert reconcile(ENTRY, manifest, ledger, NOW).reason == (
        "Of 7 profiles, 1 is pending, 1 is unknown, 5 not sent. Batches 4 and 6 (2 rows): A. Batch 1 (1 row):"
        " D. Batch 2 (1 row): C. report.html has 1 more reason. 7 of 7 batches did not come to"
        " an end: the hourly sweep lets them go on, and `bulk-profiles resend customers-csv-0a1b2c3d4e5f`"
        " does so at once."
    )


def test_reject_without_a_key_column_has_none() -> None:
    assert reject(dataclasses.replace(ENTRY, key_column=None), "No.", NOW).to_json()["keyColumn"] == ""


def test_reject_has_no_rows_and_the_reason() -> None:
    data = reject(ENTRY, "The file is empty.", NOW).to_json()

    assert data["status"] == "rejected"
    assert data["reason"] == "The file is empty."
    assert data["rows"] == {"read": 0, "rejected": 0, "merged": 0, "skipped": 0, "sent": 0}
    assert data["unaccounted"] == 0


def test_metrics_have_every_count() -> None:
    """By the names that alarms and docs/operating.md use."""
    assert reconcile(ENTRY, MANIFEST, ALL_WELL, NOW).metrics() == {
        "RowsRead": 8,
        "RowsRejected": 1,
        "RowsMerged": 1,
        "RowsSkipped": 1,
        "RowsSent": 5,
        "ProfilesSuccess": 5,
        "ProfilesError": 0,
        "ProfilesPending": 0,
        "ProfilesUnknown": 0,
        "ProfilesNotSent": 0,
        "ImportsSucceeded": 1,
        "ImportsPartial": 0,
        "ImportsFailed": 0,
        "ImportsRejected": 0,
        "Batches": 2,
        "Submissions": 2,
        "UnaccountedRows": 0,
        "NoticesFailed": 0,
    }


def test_reconcile_gives_the_advice_of_the_split() -> None:
    rows = RowCounts(read=3, rejected=3)
    advice = "Most ids are empty: is the right column the key?"
    manifest = dataclasses.replace(MANIFEST, rows=rows, rejects={"empty_id": 3}, batches=(), advice=advice)
    assert advice in reconcile(ENTRY, manifest, (), NOW).reason
