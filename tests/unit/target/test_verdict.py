"""What an answer means: the table of verdicts, the reasons that they give, and details."""

from __future__ import annotations

import json

import pytest

from bulk_profiles.core.models import Basis, BatchState, ProfileResult, ProfileStatus
from bulk_profiles.target.answers import StatusAnswer, read_status
from bulk_profiles.target.verdict import add_details, needs_details, settle, whole_batch
from tests.worlds.answers import IDS, counts, element, head, profile, results, status

WORDS = ("success", "failed", "error")


def outcome(answer: StatusAnswer | None, *, rows: int = 3, overdue: bool = False) -> dict[str, str] | None:
    """Return the state of a batch and `status basis` of each id, or None while Target is asked again."""
    verdict = settle(answer, IDS[:rows], rows=rows, overdue=overdue)
    if verdict is None:
        return None
    profiles = {profile_id: verdict.result_of(profile_id) for profile_id in IDS[:rows]}
    assert all(result.profile_id == profile_id for profile_id, result in profiles.items())
    statuses = {profile_id: f"{result.status} {result.basis}" for profile_id, result in profiles.items()}
    return {"state": verdict.state.value, **statuses}


# The table


@pytest.mark.parametrize(
    ("children", "expected"),
    [
        # reported
        (
            [profile("a", "success"), profile("b", "error"), profile("c", "failed")],
            {"state": "complete", "a": "success reported", "b": "error reported", "c": "error reported"},
        ),
        # complete, failed ids listed
        (
            [head(), profile("b", "failed")],
            {"state": "complete", "a": "success implied", "b": "error reported", "c": "success implied"},
        ),
        # a word for a profile that is not known is not a success
        (
            [head(), profile("b", "skipped"), profile("c", "")],
            {"state": "complete", "a": "success implied", "b": "unknown reported", "c": "unknown reported"},
        ),
        # complete, counts only
        ([head(), counts(3, 0, 0, consumed=3)], "success implied"),
        ([head(), counts(3, 0, 0)], "success implied"),
        ([head(), counts(2, 0, 1)], "unknown counts"),
        ([head(), counts(2, 1, 0)], "unknown counts"),
        ([head(), element("failedUpdates", 0), element("profilesNotFound", 0)], "success implied"),
        ([head(), element("successfulUpdates", 3)], "success implied"),
        ([head(), element("failedUpdates", 1), element("profilesNotFound", 0)], "unknown counts"),
        ([head(), element("failedUpdates", 0), element("profilesNotFound", 1)], "unknown counts"),
        ([head(), element("successfulUpdates", 3), element("failedUpdates", 1)], "unknown counts"),
        # a count that is missing may be the one that matters
        ([head(), element("failedUpdates", 0)], "unknown counts"),
        ([head(), element("consumedCount", 3)], "unknown counts"),
        # counts that do not add up to what was sent
        ([head(), counts(2, 0, 0, consumed=3)], "unknown counts"),
        ([head(), counts(3, 0, 0, consumed=2)], "unknown counts"),
        # counts that the named ids explain, and counts that they do not
        (
            [head(), profile("b", "failed"), counts(2, 0, 1, consumed=3)],
            {"state": "complete", "a": "success implied", "b": "error reported", "c": "success implied"},
        ),
        (
            [head(), profile("b", "failed"), counts(1, 0, 2, consumed=3)],
            {"state": "complete", "a": "unknown counts", "b": "error reported", "c": "unknown counts"},
        ),
        # complete, no counts, no ids
        ([head()], "success implied"),
        ([element("batchId", "b1"), element("status", "complete")], "success implied"),
        # complete, of another size
        ([head(size=4)], "success implied"),
        ([head(size=2)], "unknown counts"),
        ([head(size=0)], "unknown counts"),
        # a list of all profiles that leaves some out
        (
            [head(), profile("a", "success")],
            {"state": "complete", "a": "success reported", "b": "unknown batch", "c": "unknown batch"},
        ),
        # stuck
        ([head("stuck")], {"state": "stuck", **dict.fromkeys(IDS, "error batch")}),
        (
            [head("stuck"), profile("a", "success")],
            {"state": "stuck", "a": "success reported", "b": "error batch", "c": "error batch"},
        ),
    ],
)
def test_settle_claims_no_more_than_target_said(children: list[str], expected: str | dict[str, str]) -> None:
    answer = status(element("batchId", "demo-1") if "batchId" not in "".join(children) else "", *children)
    if isinstance(expected, str):
        expected = {"state": "complete", **dict.fromkeys(IDS, expected)}
    for overdue in (False, True):
        assert outcome(answer, overdue=overdue) == expected


@pytest.mark.parametrize(
    ("children", "at_the_deadline"),
    [
        ([head("incomplete")], {"state": "expired", **dict.fromkeys(IDS, "pending deadline")}),
        ([head("pondering")], {"state": "expired", **dict.fromkeys(IDS, "pending deadline")}),
        (
            [head("incomplete"), profile("a", "success")],
            {"state": "expired", "a": "success reported", "b": "pending deadline", "c": "pending deadline"},
        ),
        (
            [profile("a", "success"), profile("b", "pending"), profile("c", "error")],
            {"state": "expired", "a": "success reported", "b": "pending reported", "c": "error reported"},
        ),
        (
            [profile("a", "success"), profile("c", "odd")],
            {"state": "expired", "a": "success reported", "b": "pending deadline", "c": "unknown reported"},
        ),
        (
            [head(), profile("a", "pending")],
            {"state": "expired", "a": "pending reported", "b": "success implied", "c": "success implied"},
        ),
        (
            [profile("a", "success"), profile("b", "pending")],
            {"state": "expired", "a": "success reported", "b": "pending reported", "c": "pending deadline"},
        ),
        ([element("batchSize", 3)], {"state": "expired", **dict.fromkeys(IDS, "pending deadline")}),
    ],
)
def test_settle_unfinished_batch_waits_until_the_deadline(
    children: list[str], at_the_deadline: dict[str, str]
) -> None:
    answer = status(element("batchId", "demo-1") if "batchId" not in "".join(children) else "", *children)
    assert outcome(answer) is None
    assert outcome(answer, overdue=True) == at_the_deadline


def test_settle_without_answer_waits_until_the_deadline() -> None:
    assert outcome(None) is None
    assert outcome(None, overdue=True) == {"state": "expired", **dict.fromkeys(IDS, "pending deadline")}


@pytest.mark.fault(50, "flattened text that can be read in two ways: nothing is claimed")
@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("complete 3 a odd b failed", ("a", "b", "c")),  # a word that is not known, not an id
        ("a odd b success c success", ("a", "b", "c")),
        ("complete 3 a failed b failed", ("a failed b", "a", "b")),
        ("a success success success", ("a success success", "a", "success")),
        ("complete 3 4 failed", ("complete 3 4", "4", "c")),
        ("complete 3 a  b failed", ("a\tx", "b", "c")),
        ("upstream connect error", ("a", "b", "c")),
    ],
)
def test_settle_ambiguous_flattened_answer_is_no_answer(text: str, ids: tuple[str, ...]) -> None:
    answer = read_status([f"demo-1 {text}".encode()])
    assert settle(answer, ids, rows=3, overdue=False) is None
    verdict = settle(answer, ids, rows=3, overdue=True)
    assert verdict is not None
    assert {verdict.result_of(profile_id).basis for profile_id in ids} == {Basis.DEADLINE}
    assert verdict.reason == "Target gave no usable answer when it was last asked about the batch."


@pytest.mark.fault(48, "ids that are not in the batch")
def test_settle_foreign_ids_that_did_not_fail_change_nothing() -> None:
    answer = status(head(), profile("x", "pending"), profile("y", "success"), profile("b", "failed"))
    verdict = settle(answer, IDS, rows=3, overdue=False)
    assert verdict is not None
    assert verdict.named.foreign.total() == 2
    assert outcome(answer) == {
        "state": "complete",
        "a": "success implied",
        "b": "error reported",
        "c": "success implied",
    }
    first_generation = status(element("batchId", "b1"), *(profile(i, "success") for i in "abx"))
    assert outcome(first_generation) is None


@pytest.mark.fault(48, "a failed id that is not in the batch: it may be an unknown spelling of one that is")
def test_settle_failed_foreign_id_makes_unnamed_ids_unknown() -> None:
    for answer in (
        status(head(), profile("A", "failed"), profile("other", "pending"), profile("b", "failed")),
        read_status([b"demo-1 complete 3 A failed other pending b failed"]),
    ):
        assert results(answer, *IDS) == ["unknown batch", "error reported", "unknown batch"]
        verdict = settle(answer, IDS, rows=3, overdue=False)
        assert verdict is not None
        assert verdict.named.foreign[ProfileStatus.ERROR] == 1
        assert verdict.reason == "Target named 1 failed ids that are not in the batch."


def test_settle_answer_about_another_batch_implies_nothing() -> None:
    for batch_id, word in (("", "success"), ("demo-1", "success"), ("demo-2", "unknown")):
        verdict = settle(
            status(head(), profile("b", "failed")), IDS, rows=3, overdue=False, batch_id=batch_id
        )
        assert verdict is not None
        assert verdict.status == word
        assert verdict.reason == ("Target's answer names another batch." if word == "unknown" else "")


@pytest.mark.fault(46, "another batch size than was sent")
def test_settle_batch_size_other_than_rows_is_noted() -> None:
    for size, differs in ((2, True), (3, False), (4, True)):
        verdict = settle(status(head(size=size)), IDS, rows=3, overdue=False)
        assert verdict is not None
        note = f"Target counted {size} rows in the batch, and 3 were sent."
        assert verdict.note == (note if differs else "")
        assert verdict.named.foreign.total() == 0


def test_settle_reads_no_ids_where_they_decide_nothing() -> None:
    ids = iter(IDS)
    for answer in (
        None,
        status(head()),
        status(head("stuck")),
        status(head("incomplete")),
    ):
        assert settle(answer, ids, rows=3, overdue=True)
    assert not settle(status(head("odd"), profile("a", "success")), ids, rows=3, overdue=False)
    assert tuple(ids) == IDS


def test_whole_batch_has_the_same_result_for_every_id() -> None:
    result = whole_batch(BatchState.REFUSED, ProfileStatus.ERROR, "Unexpected error").result_of("a")
    assert (result.status, result.basis, result.reason) == (
        ProfileStatus.ERROR,
        Basis.BATCH,
        "Unexpected error",
    )


# Reasons


@pytest.mark.parametrize(
    ("children", "reason"),
    [
        ([head("stuck")], "Target gave up on the batch: it is stuck."),
        (
            [head(), profile("a", "success")],
            "Target listed the profiles of the batch and not this one.",
        ),
    ],
)
def test_result_of_unnamed_id_has_the_reason_of_the_batch(children: list[str], reason: str) -> None:
    verdict = settle(status(*children), IDS, rows=3, overdue=False)
    assert verdict is not None
    assert verdict.result_of("b").reason == reason


def test_result_of_anything_but_success_has_a_reason() -> None:
    answer = status(head(size=9), profile("a", "failed"), profile("b", "odd"), counts(1, 1, 1))
    verdict = settle(answer, IDS, rows=3, overdue=True)
    assert verdict is not None
    assert all(verdict.result_of(profile_id).reason for profile_id in IDS)


@pytest.mark.parametrize(
    "children",
    [
        [element("batchId", "b1"), *(profile(i, "success") for i in IDS)],
        [element("batchId", "b1"), *(profile(i, word) for i, word in zip(IDS, WORDS, strict=True))],
        [head(), *(profile(i, "success") for i in IDS)],
        [head(), *(profile(i, word) for i, word in zip(IDS, WORDS, strict=True)), counts(1, 0, 2)],
    ],
)
def test_settle_with_every_id_named_gives_no_reason(children: list[str]) -> None:
    verdict = settle(status(*children), IDS, rows=3, overdue=False)
    assert verdict is not None
    assert (verdict.state, verdict.reason) == (BatchState.COMPLETE, "")
    # An id that is not in the batch is unknown.
    assert verdict.result_of("d") == ProfileResult("d", ProfileStatus.UNKNOWN, Basis.BATCH)


@pytest.mark.parametrize(
    ("children", "reason"),
    [
        (
            [head(size=120), counts(118, 0, 2, consumed=120)],
            "Target counted 2 failed, and named none of them.",
        ),
        ([head(size=120), counts(117, 3, 0)], "Target counted 3 not found, and named none of them."),
        (
            [head(size=120), profile("a", "failed"), counts(115, 3, 2)],
            "Target counted 2 failed and 3 not found, and named 1 of them.",
        ),
        (
            [head(size=119)],
            "Target counted 119 of the 120 rows sent, and did not name the others.",
        ),
        (
            [head(size=120), counts(118, 0, 0, consumed=118)],
            "Target counted 118 of the 120 rows sent, and did not name the others.",
        ),
        (
            [head(size=120), counts(117, 0, 0, consumed=120)],
            "Target counted 117 of the 120 rows sent, and did not name the others.",
        ),
        (
            [head(size=120), counts(116, 0, 2, consumed=118)],
            "Target counted 2 failed, and named none of them. "
            "Target counted 118 of the 120 rows sent, and did not name the others.",
        ),
        (
            [head(size=120), element("failedUpdates", 0)],
            "Target did not count all outcomes, so there may be failures.",
        ),
        ([head(size=120), counts(120, 0, 0, consumed=120)], ""),
        ([head(size=120), profile("a", "failed"), counts(119, 0, 1, consumed=120)], ""),
    ],
)
def test_settle_reason_for_counts_repeats_the_counts(children: list[str], reason: str) -> None:
    verdict = settle(status(*children), ["a", *map(str, range(119))], rows=120, overdue=False)
    assert verdict is not None
    assert (verdict.reason, verdict.result_of("0").reason) == (reason, reason)
    assert verdict.basis is (Basis.COUNTS if reason else Basis.IMPLIED)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "Target gave no usable answer when it was last asked about the batch."),
        (status(head("incomplete")), "Target was not done with the batch when it was last asked."),
        (
            status(element("batchId", "b1"), profile("a", "success")),
            "Target was not done with the batch when it was last asked.",
        ),
    ],
)
def test_settle_reason_at_the_deadline_is_the_last_answer(answer: StatusAnswer | None, reason: str) -> None:
    verdict = settle(answer, IDS, rows=3, overdue=True)
    assert verdict is not None
    assert verdict.reason == reason
    assert verdict.result_of("c").reason == reason


# Details


def test_needs_details_only_without_ids_and_counts() -> None:
    assert needs_details(status(head()))
    assert not needs_details(status(head("incomplete")))
    assert not needs_details(status(head("stuck")))
    assert not needs_details(status(head(), profile("a", "failed")))
    assert not needs_details(status(head(), counts(3, 0, 0)))
    assert not needs_details(status(profile("a", "failed"), element("batchId", "b1")))


@pytest.mark.fault(47, "a terminal answer that is taken back later")
def test_add_details_keeps_the_first_terminal_answer() -> None:
    first = StatusAnswer.from_json(json.loads(json.dumps(status(head()).to_json())))
    assert first == status(head())
    detailed = add_details(first, status(head(size=9), counts(2, 0, 1)))
    assert (detailed.batch_size, detailed.failed) == (3, 1)
    assert outcome(detailed) == {"state": "complete", **dict.fromkeys(IDS, "unknown counts")}
    assert outcome(add_details(first, status(head(), profile("a", "failed")))) == {
        "state": "complete",
        "a": "error reported",
        "b": "success implied",
        "c": "success implied",
    }
    for later in (
        None,
        status(head("incomplete")),
        status(head("stuck")),
        status(profile("a", "error"), head("")),
    ):
        assert add_details(first, later) is first
    # The oldest generation has no word for the batch: its ids are details all the same.
    assert outcome(add_details(first, status(element("batchId", "b1"), profile("a", "error")))) == {
        "state": "complete",
        "a": "error reported",
        "b": "success implied",
        "c": "success implied",
    }
    assert add_details(first, status(element("batchId", "b2"), profile("a", "error"))).batch_id == "demo-1"
    sizeless = status(element("batchId", "b1"), element("status", "complete"))
    assert add_details(sizeless, status(head(size=2), counts(2, 0, 0))).batch_size == 2
