"""What an answer means: the table of verdicts, the reasons that they give, and details."""

from __future__ import annotations

import json
import re

import pytest

from bulk_profiles.core.models import Basis, BatchState, ProfileResult, ProfileStatus
from bulk_profiles.target.answers import StatusAnswer, TargetState, read_status
from bulk_profiles.target.verdict import (
    add_details,
    add_named,
    gives_details,
    lasting_doubts,
    needs_details,
    settle,
    whole_batch,
)
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
        # a word for a profile that is not known is not a success, and implies none
        (
            [head(), profile("b", "skipped"), profile("c", "")],
            {"state": "complete", "a": "unknown batch", "b": "unknown reported", "c": "unknown reported"},
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
        ([head(), counts(4, 0, 0)], "unknown counts"),
        ([head(), counts(3, 0, 0, consumed=4)], "unknown counts"),
        ([head(), element("successfulUpdates", 5)], "unknown counts"),
        # counts that the named ids explain, and counts that they do not
        (
            [head(), profile("b", "failed"), counts(2, 0, 1, consumed=3)],
            {"state": "complete", "a": "success implied", "b": "error reported", "c": "success implied"},
        ),
        (
            [head(), profile("b", "failed"), counts(1, 0, 2, consumed=3)],
            {"state": "complete", "a": "unknown counts", "b": "error reported", "c": "unknown counts"},
        ),
        # counts that contradict the named ids
        *(
            (
                [head(), profile("b", "failed"), numbers],
                {"state": "complete", "a": "unknown counts", "b": "error reported", "c": "unknown counts"},
            )
            for numbers in (
                counts(3, 0, 0),
                counts(2, 0, 0),
                counts(3, 0, 1),
                element("successfulUpdates", 3),
                element("failedUpdates", 0),
            )
        ),
        *(
            (
                [head(), profile("a", "failed"), profile("b", "error"), numbers],
                {"state": "complete", "a": "error reported", "b": "error reported", "c": "unknown counts"},
            )
            for numbers in (counts(1, 0, 0), counts(1, 0, 1), counts(2, 0, 1), counts(1, 1, 0))
        ),
        # complete, no counts, no ids
        ([head()], "success implied"),
        ([element("batchId", "b1"), element("status", "complete")], "success implied"),
        # complete, of another size
        ([head(size=4)], "unknown counts"),
        ([head(size=500_000)], "unknown counts"),
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
            {"state": "expired", "a": "success reported", "b": "unknown batch", "c": "unknown reported"},
        ),
        (
            [head(), profile("a", "pending")],
            {"state": "expired", "a": "pending reported", "b": "unknown batch", "c": "unknown batch"},
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


@pytest.mark.parametrize(
    ("children", "note"),
    [
        ([head(), profile("a", "pending")], "1 of 9 status calls had no usable answer."),
        ([head()], ""),
        ([head("stuck")], ""),
    ],
)
def test_settle_notes_why_the_last_look_brought_nothing(children: list[str], note: str) -> None:
    """Where it matters: a batch that was finished at an earlier look has no open question."""
    silence = "1 of 9 status calls had no usable answer."
    verdict = settle(status(*children), IDS, rows=3, overdue=True, silence=silence)
    assert verdict is not None
    assert verdict.note == note


def test_settle_without_answer_waits_until_the_deadline() -> None:
    assert outcome(None) is None
    assert outcome(None, overdue=True) == {"state": "expired", **dict.fromkeys(IDS, "pending deadline")}


@pytest.mark.fault(50, "flattened text that can be read in two ways: nothing is claimed")
@pytest.mark.parametrize(
    ("text", "ids"),
    [
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
    assert verdict.reason.startswith(
        "Target gave no usable answer when it was last asked about the batch. The "
    )


@pytest.mark.fault(48, "a spelling that is no id of the batch, whatever its word: it may be one of them")
@pytest.mark.parametrize("word", ["failed", "error", "pending", "rejected", "", "success"])
@pytest.mark.parametrize("spelling", ["B", "crm:b", "other", "b0", "92eb5ffee6ae2fec3ad71c777531578f"])
def test_settle_foreign_spelling_implies_nothing_for_the_others(spelling: str, word: str) -> None:
    answer = status(head(), profile("a", "failed"), profile(spelling, word))
    assert results(answer, *IDS) == ["error reported", "unknown batch", "unknown batch"]
    verdict = settle(answer, IDS, rows=3, overdue=False)
    assert verdict is not None
    assert verdict.named.foreign.total() == 1
    assert "Target named 1 id that is not in the batch." in verdict.reason
    assert ("Target listed the profiles" in verdict.reason) is (word == "success")


def test_settle_foreign_ids_are_counted() -> None:
    answer = status(head(), profile("x", "pending"), profile("y", "failed"), profile("b", "failed"))
    verdict = settle(answer, IDS, rows=3, overdue=False)
    assert verdict is not None
    assert verdict.reason == "Target named 2 ids that are not in the batch."
    flattened = read_status([b"demo-1 complete 3 A failed other pending b failed"])
    assert results(flattened, *IDS) == ["unknown batch", "error reported", "unknown batch"]


def test_settle_without_a_word_for_the_batch_and_a_foreign_id_waits() -> None:
    """The oldest generation lists all: who is not named may be the one whose spelling nobody knows."""
    first_generation = status(element("batchId", "b1"), *(profile(i, "success") for i in "abx"))
    assert outcome(first_generation) is None
    assert outcome(first_generation, overdue=True) == {
        "state": "expired",
        "a": "success reported",
        "b": "success reported",
        "c": "unknown batch",
    }


def test_answer_about_another_batch_reports_and_implies_no_success() -> None:
    answer = status(head(), profile("a", "success"), profile("b", "failed"))
    other = answer.about("demo-2")
    assert results(other, *IDS) == ["unknown reported", "error reported", "unknown batch"]
    assert other.unclear == ("Target's answer names another batch.",)
    assert other.about("demo-2") == other
    verdict = settle(other, IDS, rows=3, overdue=False)
    assert verdict is not None
    assert "Target's answer names another batch." in verdict.reason
    assert "is about another batch" in verdict.result_of("a").reason
    for about_it in (answer.about("demo-1"), status(profile("a", "success")).about("demo-2")):
        assert about_it.profiles["a"] is ProfileStatus.SUCCESS
        assert not about_it.unclear
    failed = status(head(), profile("b", "failed"))
    assert results(failed.about("demo-1"), *IDS)[0] == "success implied"
    assert results(failed.about("demo-2"), *IDS)[0] == "unknown batch"


@pytest.mark.fault(46, "another batch size than was sent")
@pytest.mark.parametrize(
    ("children", "note"),
    [
        ([head(size=1)], "Target counted 1 row in the batch, and 3 were sent."),
        ([head(size=3)], ""),
        ([head(size=4)], "Target counted 4 rows in the batch, and 3 were sent."),
        ([head(), counts(3, 0, 0, consumed=4)], "Target counted 4 consumed rows, and 3 rows were sent."),
        ([head(), counts(4, 0, 0)], "Target counted 4 results, and 3 rows were sent."),
        (
            [head(), counts(3, 1, 0), profile("a", "failed")],
            "Target counted 4 results, and 3 rows were sent.",
        ),
        ([head(), counts(3, 0, 0, consumed=3)], ""),
    ],
)
def test_settle_count_other_than_rows_is_said(children: list[str], note: str) -> None:
    verdict = settle(status(*children), IDS, rows=3, overdue=False)
    assert verdict is not None
    assert note in f"{verdict.reason} {verdict.note}"
    assert bool(note) is bool(verdict.reason)
    stuck = [child.replace("complete", "stuck") for child in children]
    verdict = settle(status(*stuck), IDS, rows=3, overdue=False)
    assert verdict is not None
    assert note in verdict.reason
    assert not (note and verdict.status == "error")


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
            "Target counted 119 of the 120 rows sent, and did not name the other.",
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
        (
            [head(size=120), profile("a", "failed"), element("failedUpdates", 0)],
            "Target counted 0 failures, and named 1.",
        ),
        (
            [head(size=120), counts(121, 0, 0, consumed=122)],
            "Target counted 122 consumed rows, and 120 rows were sent. "
            "Target counted 121 results, and 120 rows were sent.",
        ),
        ([head(size=121)], "Target counted 121 rows in the batch, and 120 were sent."),
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
    ("children", "reason"),
    [
        ([head(size=1), counts(0, 0, 1)], "Target counted 1 failed, and did not name it."),
        ([head(size=0)], "Target did not count the row that was sent."),
    ],
)
def test_settle_reason_for_one_row_is_in_the_singular(children: list[str], reason: str) -> None:
    verdict = settle(status(*children), "a", rows=1, overdue=False)
    assert verdict is not None
    assert verdict.reason == reason


B1 = element("batchId", "b1")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "Target gave no usable answer when it was last asked about the batch."),
        (status(head("incomplete")), "Target was not done with the batch when it was last asked."),
        (status(head("pondering")), 'Target\'s last word for the batch is not known: "pondering".'),
        (status(head("")), 'Target\'s last word for the batch is not known: "".'),
        (status(B1), "Target had named none of the 3 profiles when it was last asked."),
        (
            status(B1, profile("a", "success")),
            "Target had named 1 of the 3 profiles when it was last asked.",
        ),
        (
            status(B1, profile("a", "success"), profile("b", "pending"), profile("c", "error")),
            "Target was not done with 1 profile when it was last asked.",
        ),
        (
            status(B1, profile("a", "success"), profile("b", "pending"), profile("c", "pending")),
            "Target was not done with 2 profiles when it was last asked.",
        ),
        (
            status(B1, profile("a", "success"), profile("b", "odd"), profile("c", "success")),
            "What Target said of 1 profile is not clear. "
            'Target\'s answer has a word for profiles that is not known: "odd".',
        ),
        (
            status(B1, profile("a", "success"), profile("B", "success")),
            "Target had named 1 of the 3 profiles when it was last asked. "
            "Target named 1 id that is not in the batch.",
        ),
        (
            status(head("incomplete"), element("failedCount", 3)),
            "Target was not done with the batch when it was last asked. "
            "Target's answer has a part that is not known: failedCount.",
        ),
    ],
)
def test_settle_reason_at_the_deadline_is_what_target_said_last(
    answer: StatusAnswer | None, reason: str
) -> None:
    verdict = settle(answer, IDS, rows=3, overdue=True)
    assert verdict is not None
    assert verdict.state is BatchState.EXPIRED
    assert verdict.reason == reason


def test_settle_reason_at_the_deadline_says_why_there_was_no_answer() -> None:
    for answer, first in (
        (None, "Target gave no usable answer when it was last asked about the batch."),
        (status(head("incomplete")), "Target was not done with the batch when it was last asked."),
    ):
        verdict = settle(answer, IDS, rows=3, overdue=True, silence="Target answered HTTP 404.")
        assert verdict is not None
        assert verdict.reason == f"{first} Target answered HTTP 404."


# What is not understood


UNCLEAR = [
    (["<Profile><id>a</id><status>failed</status></Profile>"], "has a part that is not known: Profile."),
    (
        ["<t:profile><id>a</id><status>failed</status></t:profile>"],
        "has a part that is not known: ***.",
    ),
    (["<failedProfiles><id>a</id></failedProfiles>"], "has a part that is not known: failedProfiles."),
    (["<failedCount>3</failedCount>", "<errors/>"], "has parts that are not known: failedCount, errors."),
    (["<Status>stuck</Status>"], "has a part that is not known: Status."),
    (["<success>false</success>"], "has a part that is not known: success."),
    (["<id>a</id>"], "has a part that is not known: id."),
    (["<batchSize unit='k'>3</batchSize>"], "has a part that is not known: batchSize@unit."),
    (["<!-- 3 failed -->"], "has a part that is not known: comment."),
    (["<?failed a?>"], "has a part that is not known: comment."),
    (["3 failed"], "has a part that is not known: text."),
    (["<message>3 profiles failed</message>"], 'has a message: "3 profiles failed".'),
    (["<message>No profile c-4711</message>"], 'has a message: "No profile ***".'),
    ([element("failedUpdates", "three")], "has a count that is no number: failedUpdates."),
    ([element("failedUpdates", -1)], "has a count that is no number: failedUpdates."),
    (
        [element("consumedCount", "x"), element("profilesNotFound", "1" * 13)],
        "has counts that are no numbers: consumedCount, profilesNotFound.",
    ),
    (["<failedUpdates></failedUpdates>"], "has a count that is no number: failedUpdates."),
    (["<failedUpdates/>"], "has a count that is no number: failedUpdates."),
    ([element("failedUpdates", " \n")], "has a count that is no number: failedUpdates."),
    ([element("failedUpdates", "&#160;")], "has a count that is no number: failedUpdates."),
    ([element("failedUpdates", "0&#160;")], "has a count that is no number: failedUpdates."),
    ([element("consumedCount", "")], "has a count that is no number: consumedCount."),
    ([element("message", "&#160;")], 'has a message: "\\u00a0".'),
    (["\u00a0"], "has a part that is not known: text."),
    (
        [f"<{name}/>" for name in ("errorCode", "errorText", "errorLine", "failedIds", "failedRows")],
        "has parts that are not known: errorCode, errorText, errorLine and 2 more.",
    ),
    ([f"<{'error' * 20}/>"], "has a part that is not known: ***."),
    # What may be an id is not shown.
    (["<customer17>failed</customer17>", "<Ada/>"], "has a part that is not known: ***."),
    (["<failed ada='1' c-17='lost'/>"], "has parts that are not known: ***, failed."),
    (["<batchSize u1='3'>3</batchSize>"], "has a part that is not known: ***."),
    (["<error.ada_lovelace/>", "<error_code.id/>"], "has parts that are not known: ***, error_code.id."),
]


@pytest.mark.fault(46, "an answer of which a part is not understood implies nothing, and the part is named")
@pytest.mark.parametrize(("children", "sentence"), UNCLEAR, ids=range(len(UNCLEAR)))
def test_settle_answer_with_an_unknown_part_implies_nothing(children: list[str], sentence: str) -> None:
    for place in (0, 1):
        parts = [head(), profile("b", "failed")]
        answer = status(*parts[:place], *children, *parts[place:])
        assert results(answer, *IDS) == ["unknown batch", "error reported", "unknown batch"]
        verdict = settle(answer, IDS, rows=3, overdue=False)
        assert verdict is not None
        assert verdict.reason == f"Target's answer {sentence}"


def test_settle_empty_batch_size_implies_nothing() -> None:
    answer = status(head(size=""), element("batchSize", ""))
    assert results(answer, *IDS) == ["unknown batch"] * 3
    assert answer.unclear == ("Target's answer has a count that is no number: batchSize.",)


@pytest.mark.parametrize("batch_id", ["<batchId/>", "<batchId> </batchId>"])
def test_settle_empty_batch_id_implies_nothing(batch_id: str) -> None:
    answer = status(batch_id, element("status", "complete"))
    assert results(answer, *IDS) == ["unknown batch"] * 3
    assert answer.unclear == ("Target's answer has an empty batchId.",)


@pytest.mark.parametrize("blank", ["\u00a0", "\u2003", "\u0085"])
def test_settle_word_with_a_blank_that_is_none_in_xml_is_not_known(blank: str) -> None:
    answer = status(head(), profile("a", f"success{blank}"), profile("b", "\r\n success\t"))
    assert results(answer, "a", "b") == ["unknown reported", "success reported"]
    assert status(head(f"complete{blank}")).state is TargetState.OTHER


def test_settle_known_message_changes_nothing() -> None:
    for message in ("", "Batch submitted for processing"):
        assert outcome(status(head(), element("message", message))) == {
            "state": "complete",
            **dict.fromkeys(IDS, "success implied"),
        }


@pytest.mark.fault(46, "an element within a profile that is not known")
def test_settle_only_direct_children_of_a_profile_count() -> None:
    nested = "<profile><id>b</id><status>failed</status><detail><status>success</status></detail></profile>"
    answer = status(head(), nested)
    assert results(answer, *IDS) == ["unknown batch", "error reported", "unknown batch"]
    inside = "<profile><detail><id>b</id><status>success</status></detail></profile>"
    answer = status(head(), inside)
    assert results(answer, *IDS) == ["unknown batch"] * 3
    wrapped = element("profiles", profile("b", "success"))
    assert results(status(head(), wrapped), *IDS) == ["unknown batch"] * 3


@pytest.mark.fault(48, "a profile with two ids or two words: nothing is believed of it")
@pytest.mark.parametrize(
    ("inside", "named"),
    [
        ("<id>b</id><status>failed</status><status>success</status>", "b"),
        ("<id>b</id><status>success</status><status>pending</status>", "b"),
        ("<id>b</id><id>c</id><status>success</status>", "bc"),
        ("<id>b</id><id> </id><status>success</status>", "b"),
        ("<id>b</id><status>suc<i/>cess</status>", "b"),
        ("<id>b</id><status>failed<status>success</status></status>", "b"),
        ("<id>b</id><status><status>success</status></status>", "b"),
        ("<id><id>b</id></id><status>success</status>", ""),
        ("<id>b</id><status>success<!-- not --></status>", "b"),
        ("<id>b<i/></id><status>success</status>", ""),
        ("<id> </id><status>success</status>", ""),
        ("<status>success</status>", ""),
        ("", ""),
    ],
)
def test_settle_profile_that_contradicts_itself_is_unknown(inside: str, named: str) -> None:
    answer = status(head(), element("profile", inside))
    assert results(answer, *IDS) == [
        "unknown reported" if profile_id in named else "unknown batch" for profile_id in IDS
    ]
    verdict = settle(answer, IDS, rows=3, overdue=False)
    assert verdict is not None
    assert "1 profile in Target's answer cannot be read." in verdict.reason
    for profile_id in named:
        assert verdict.result_of(profile_id).reason == (
            "What Target said of this profile cannot be read, contradicts itself, or is about another batch."
        )


def test_settle_counts_the_profiles_that_cannot_be_read() -> None:
    odd = [element("profile", f"<id>{name}</id><id>{name}{name}</id>") for name in "abc"]
    verdict = settle(status(head(), *odd), IDS, rows=3, overdue=False)
    assert verdict is not None
    assert "3 profiles in Target's answer cannot be read." in verdict.note


UNUSABLE = "What Target said of this profile cannot be read, contradicts itself, or is about another batch."


@pytest.mark.fault(48, "a success with something else beside it in its profile is not believed")
@pytest.mark.parametrize(
    "inside",
    [
        "<id>b</id><status>success</status><error>quota</error>",
        "<stored>false</stored><id>b</id><status>success</status>",
        "<id>b</id><status partial='true'>success</status>",
        "<id partial='true'>b</id><status>success</status>",
        "<id>b</id><status>Success</status>not stored",
        "not stored<id>b</id><status>success</status>",
        "<id>b</id>not stored<status>success</status>",
    ],
)
def test_settle_success_with_an_unknown_part_in_its_profile_is_unknown(inside: str) -> None:
    for first in ("", element("x", 1) + "text"):
        answer = status(
            head(), first, profile("a", "success"), element("profile", inside), profile("c", "success")
        )
        assert results(answer, *IDS) == ["success reported", "unknown reported", "success reported"]
        verdict = settle(answer, IDS, rows=3, overdue=False)
        assert verdict is not None
        assert verdict.result_of("b").reason == UNUSABLE
    attribute = status(head(), profile("b", "success").replace("<profile>", "<profile stored='false'>"))
    assert results(attribute, *IDS) == ["unknown batch", "unknown reported", "unknown batch"]
    failed = re.sub("success", "failed", inside, flags=re.IGNORECASE)
    assert results(status(head(), element("profile", failed)), "b") == ["error reported"]


@pytest.mark.fault(48, "a success by name that the same answer denies is not believed")
@pytest.mark.parametrize(
    ("children", "sentence"),
    [
        ([element("success", "false")], "Target's answer has a part that is not known: success."),
        ([counts(0, 0, 3)], "Target counted 0 updates, and named 2 as a success."),
        ([counts(1, 0, 2)], "Target counted 1 update, and named 2 as a success."),
        ([element("successfulUpdates", 0)], "Target counted 0 updates, and named 2 as a success."),
        ([element("failedUpdates", 3)], "Target counted 3 failures of 3, and named 2 as a success."),
        (
            [element("failedUpdates", 1), element("profilesNotFound", 1)],
            "Target counted 2 failures of 3, and named 2 as a success.",
        ),
    ],
)
def test_settle_success_that_the_answer_denies_is_unknown(children: list[str], sentence: str) -> None:
    for batch in (head(), head("incomplete"), B1):
        named = [profile("a", "success"), profile("b", "success"), profile("c", "failed")]
        answer = status(batch, *children, *named)
        assert results(answer, *IDS) == ["unknown reported", "unknown reported", "error reported"]
        verdict = settle(answer, IDS, rows=3, overdue=True)
        assert verdict is not None
        assert sentence in f"{verdict.reason} {verdict.note}"
        assert verdict.result_of("a").reason == UNUSABLE


@pytest.mark.fault(48, "an element with two values: failures by name stay, and nothing else is believed")
@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("failedUpdates", (0, 1)),
        ("batchSize", (3, 4)),
        ("batchId", ("demo-1", "demo-2")),
        ("status", ("complete", "stuck")),
        ("status", ("stuck", "complete")),
        ("status", ("incomplete", "complete")),
        ("success", ("true", "false")),
        ("message", ("", "Batch submitted for processing")),
    ],
)
def test_settle_element_with_two_values_discards_no_failure(name: str, texts: tuple[object, object]) -> None:
    batch = {"batchId": "demo-1", "status": "complete", "batchSize": 3}
    batch.pop(name, None)
    twice = [element(name, text) for text in texts]
    named = [profile("a", "success"), profile("b", "failed")]
    answer = status(*(element(*pair) for pair in batch.items()), twice[0], *named, twice[1])
    assert results(answer, *IDS) == ["unknown reported", "error reported", "unknown batch"]
    assert f"Target's answer has a part with two values: {name}." in answer.unclear
    assert outcome(status(*(element(*pair) for pair in batch.items()), *twice), overdue=True) == {
        "state": "expired" if name == "status" else "complete",
        **dict.fromkeys(IDS, "unknown batch"),
    }


def test_settle_success_that_the_answer_confirms_is_reported() -> None:
    named = [profile("a", "success"), profile("b", "success"), profile("c", "failed")]
    for children in ([element("success", "true")], [counts(2, 0, 1)], [counts(3, 0, 0)]):
        answer = status(head(), *children, *named)
        assert results(answer, *IDS) == ["success reported", "success reported", "error reported"]


def test_settle_profile_that_repeats_itself_is_read() -> None:
    twice = "<profile><id>b</id><id>b</id><status>failed</status><status> failed </status></profile>"
    assert results(status(head(), twice), *IDS) == ["success implied", "error reported", "success implied"]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("failed", "Target reported an error for this profile."),
        ("pending", "Target was not done with this profile when it was last asked."),
        ("odd", 'Target used a word for this profile that is not known: "odd".'),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("second", ["b c", "b%20c"])
def test_result_of_success_that_is_contradicted_says_so(
    word: str, reason: str, order: int, second: str
) -> None:
    answer = status(head(), *[profile("b c", "success"), profile(second, word)][::order])
    verdict = settle(answer, ("a", "b c"), rows=2, overdue=True)
    assert verdict is not None
    result = verdict.result_of("b c")
    assert result.status is not ProfileStatus.SUCCESS
    assert result.reason == f"{reason} It reported a success as well."
    # It shows that Target lists all profiles, not only those that failed.
    assert verdict.status is ProfileStatus.UNKNOWN
    assert verdict.reason.startswith("Target listed the profiles of the batch and not this one.")


def test_result_of_unknown_word_repeats_it() -> None:
    words = ("skipped", "", "gone 2026-01-01", "x" * 99)
    answer = status(head(size=4), *(profile(i, word) for i, word in zip("abcd", words, strict=True)))
    verdict = settle(answer, "abcd", rows=4, overdue=True)
    assert verdict is not None
    assert verdict.result_of("a").reason == (
        'Target used a word for this profile that is not known: "skipped", none, "gone ***" and 1 more.'
    )
    assert verdict.note == (
        'Target\'s answer has words for profiles that are not known: "skipped", none, "gone ***" and 1 more.'
    )


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
    assert detailed.unclear == ("Target counted 3 rows in the batch in one answer, and 9 in another.",)
    assert outcome(detailed) == {"state": "complete", **dict.fromkeys(IDS, "unknown batch")}
    assert outcome(add_details(first, status(head(), profile("a", "failed")))) == {
        "state": "complete",
        "a": "error reported",
        "b": "success implied",
        "c": "success implied",
    }
    assert add_details(first, None) is first
    # The oldest generation has no word for the batch: its ids are details all the same.
    assert outcome(add_details(first, status(element("batchId", "demo-1"), profile("a", "error")))) == {
        "state": "complete",
        "a": "error reported",
        "b": "success implied",
        "c": "success implied",
    }
    sizeless = status(element("batchId", "b1"), element("status", "complete"))
    assert add_details(sizeless, status(head(size=2), counts(2, 0, 0))).batch_size == 2


@pytest.mark.fault(
    47, "a later look that takes the batch back and names nobody: said, no success if it is stuck"
)
@pytest.mark.parametrize(
    ("word", "status_"), [("incomplete", "success"), ("stuck", "unknown"), ("completed", "unknown")]
)
def test_add_details_says_that_complete_was_taken_back(word: str, status_: str) -> None:
    later = status(head(word))
    assert not gives_details(later)
    answer = add_details(status(head()), later)
    others = f"{status_} {'implied' if status_ == 'success' else 'batch'}"
    assert outcome(answer) == {"state": "complete", **dict.fromkeys(IDS, others)}
    kept = StatusAnswer.from_json(json.loads(json.dumps(answer.to_json())))
    for last in (answer, kept, add_details(kept, None), add_details(kept, status(head(), counts(3, 0, 0)))):
        verdict = settle(last, IDS, rows=3, overdue=True)
        assert verdict is not None
        assert verdict.status == status_
        assert verdict.reason + verdict.note == f'Target called the batch complete first, and "{word}" later.'


@pytest.mark.fault(47, "a later look that names failures or counts is heard, whatever it calls the batch")
@pytest.mark.parametrize("word", ["incomplete", "stuck", "completed"])
@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (profile("a", "failed"), ["error reported", "unknown batch", "unknown batch"]),
        (profile("a", "success"), ["success reported", "unknown batch", "unknown batch"]),
        (profile("A", "failed"), ["unknown batch"] * 3),
        (element("failedUpdates", 3), ["unknown batch"] * 3),
        (counts(3, 0, 0), ["unknown batch"] * 3),
    ],
)
def test_add_details_of_a_batch_that_was_taken_back(word: str, details: str, expected: list[str]) -> None:
    later = status(head(word), details)
    assert gives_details(later)
    answer = add_details(status(head()), later)
    assert results(answer, *IDS) == expected
    verdict = settle(answer, IDS, rows=3, overdue=False)
    assert verdict is not None
    assert f'Target called the batch complete first, and "{word}" later.' in verdict.reason


def test_add_details_keeps_the_doubts_of_both_answers() -> None:
    first = status(head(), element("failedCount", 3))
    first = StatusAnswer.from_json(json.loads(json.dumps(first.to_json())))
    answer = add_details(first, status(head(), element("errors", 3), counts(3, 0, 0)))
    assert results(answer, *IDS) == ["unknown batch"] * 3
    assert answer.unclear == (
        "Target's answer has a part that is not known: failedCount.",
        "Target's answer has a part that is not known: errors.",
    )


def test_add_details_of_another_batch_implies_nothing() -> None:
    other = status(element("batchId", "demo-2"), element("status", "complete"), counts(3, 0, 0))
    answer = add_details(status(head()), other.about("demo-1"))
    assert answer.batch_id == "demo-1"
    assert results(answer, *IDS) == ["unknown batch"] * 3


def test_gives_details_with_ids_counts_or_the_last_word() -> None:
    assert gives_details(status(head()))
    assert gives_details(status(B1))
    assert not gives_details(None)


@pytest.mark.fault(48, "a success by name of an id that a part which is not known names as well: unknown")
@pytest.mark.parametrize(
    "part",
    [
        "<failedProfiles><id>a</id></failedProfiles>",
        "<failed><profile><id> a </id></profile></failed>",
        '<failed id="a"/>',
        '<errors><error id="a"/></errors>',
        "<errors>a: no such attribute, (b2)</errors>",
        "<message>Profile 'a' was rejected</message>",
        "<!-- a failed -->",
        "<?failed a?>",
        "a",
        "<failed><a/></failed>",
        "<a>failed</a>",
        '<failed a="1"/>',
        '<errors><error a="1"/></errors>',
        "<errors><!-- a failed --></errors>",
        "<errors><?failed a?></errors>",
        f"<errors>{'x ' * 4095}a</errors>",
        "<errors>%61 failed</errors>",
        "<errors>%2561 failed</errors>",
        "<errors>&amp;#97; failed</errors>",
        "<errors>&amp;amp;#97; failed</errors>",
        "<errors>A failed.</errors>",
        "<errors>\uff41 failed.</errors>",
        "<profile><id>x</id><status>success</status><status>a failed</status></profile>",
        "<profile><id>x</id><status>failed, as a</status></profile>",
        f"<profile><id>x</id><status>a failed {'x' * 9000}</status></profile>",
        "<profile><id>a</id><status>failed\x01</status></profile>",
        "<profile><id>x\x01</id><status>success</status></profile>, a</profile>",
        "<!-- a --><profile><id>x\x01</id><status>success</status></profile>",
        "<failedUpdates>a</failedUpdates>",
        "<status>not a</status>",
        '<batchSize failed="x,a">3</batchSize>',
        "<profile><id>x</id><status>pending</status><failed>a</failed></profile>",
    ],
)
def test_success_of_an_id_that_an_unknown_part_mentions_is_unknown(part: str) -> None:
    answer = status(*(profile(each, "success") for each in IDS), part)
    assert results(answer, *IDS) == ["unknown reported", "success reported", "success reported"]
    failed = status(profile("a", "failed"), profile("b", "success"), profile("c", "pending"), part)
    assert results(failed, *IDS) == ["error reported", "success reported", "pending reported"]


@pytest.mark.parametrize(
    ("profile_id", "text"),
    [
        ("ada lovelace", "The rows of Ada Lovelace failed"),
        ("ada lovelace", "ada%20lovelace"),
        ("ada%20lovelace", "ada+lovelace"),
        ("a&amp;b", "a%26b"),
        ("crm:17", "failed: crm:17."),
        ("a=1", "a=1, c=2"),
        ("a/b", "a/b,c/d"),
        ("---", "failed: ---!"),
        ("\u00e9", "\u00c3\u00a9"),
        ("\u00e9", "e\u0301"),
        ("u\u00e9", "%75%E9"),
        ("u\u00e9", "u\ufffd failed"),
        ("ab", "&#97;b failed\x01"),
    ],
)
def test_success_of_an_id_of_whatever_words_that_an_unknown_part_mentions(profile_id: str, text: str) -> None:
    escaped = profile_id.replace("&", "&amp;")
    answer = status(profile(escaped, "success"), profile("other", "success"), element("errors", text))
    assert results(answer, profile_id, "other") == ["unknown reported", "success reported"]


@pytest.mark.parametrize(
    ("answer", "doubts"),
    [
        (status(head("incomplete", 1), profile("a", "success")), 0),
        (read_status([b"demo-1 incomplete 1"]), 0),
        (read_status([b"demo-1 incomplete 1 a success"]), 1),
        (read_status([b"demo-1 incomplete 2 a success"]), 2),
    ],
)
def test_lasting_doubts_are_counts_and_flattened_profiles_that_may_be_misread(
    answer: StatusAnswer, doubts: int
) -> None:
    assert len(lasting_doubts(answer, ["a success"], 1)) == doubts
    assert len(lasting_doubts(answer, ["a"], 1)) == max(0, doubts - 1)


def test_no_break_space_within_a_profile_is_a_text_that_is_not_known() -> None:
    for odd in ("\u00a0<id>a</id><status>success</status>", "<id>a</id><status>success</status>\u00a0"):
        assert results(status(element("profile", odd)), "a") == ["unknown reported"]


def test_words_of_a_known_message_are_no_ids() -> None:
    answer = status(profile("Batch", "success"), element("message", "Batch submitted for processing"))
    assert results(answer, "Batch") == ["success reported"]


# A follow-up


@pytest.mark.parametrize("word", ["success", "failed", "pending", "odd"])
@pytest.mark.parametrize("basis", [Basis.REPORTED, Basis.IMPLIED])
def test_recall_of_a_success_that_an_answer_about_a_follow_up_denies(word: str, basis: Basis) -> None:
    """Target is asked about a body with `c` alone, and names others as well."""
    answer = status(head(size=1), profile("c", "success"), profile("a%26b", word), profile("x", word))
    verdict = settle(answer, ["c"], rows=1, overdue=False, body="follow-up")
    assert verdict is not None
    assert "Target named 2 ids that are not in the follow-up." in verdict.note
    for profile_id in ("a&b", "a%26b", "x"):
        before = ProfileResult(profile_id, ProfileStatus.SUCCESS, basis, "", 1)
        now = verdict.recall(before)
        if word == "success":
            assert now == before
        else:
            assert (now.status, now.basis, now.attempt) == (ProfileStatus.UNKNOWN, Basis.REPORTED, 1)
            assert "about a follow-up without it" in now.reason
    others = (
        ProfileResult("y", ProfileStatus.SUCCESS, basis),
        ProfileResult("x", ProfileStatus.UNKNOWN, Basis.COUNTS, "As before."),
    )
    assert [verdict.recall(each) for each in others] == list(others)


@pytest.mark.parametrize(
    ("successful", "reason"),
    [
        (2, ""),
        (3, " Target counted 3 results, it was not done with 1 profile, and 3 rows were sent."),
        (1, " Target counted 2 of the 3 rows sent, and did not name the other."),
    ],
)
def test_profile_that_is_pending_is_no_counted_update(successful: int, reason: str) -> None:
    answer = status(head(), counts(successful, 0, 0, 3), profile("b", "pending"))
    assert results(answer, *IDS) == ["unknown batch", "pending reported", "unknown batch"]
    verdict = settle(answer, IDS, rows=3, overdue=True)
    assert verdict is not None
    assert verdict.reason == f"Target called the batch complete, and 1 profile pending.{reason}"


@pytest.mark.fault(45, "stuck in an answer that is not understood: no error is claimed")
@pytest.mark.parametrize(
    ("children", "reason"),
    [
        ([head("stuck"), "<error/>"], "a part that is not known: error."),
        ([head("stuck").replace("demo-1", "other-7")], "Target's answer names another batch."),
        ([head("stuck", size=9)], "Target counted 9 rows in the batch, and 3 were sent."),
        ([head("stuck"), counts(1, 0, 0)], "Target counted 1 update, and did not name as many."),
    ],
)
def test_stuck_in_an_answer_that_is_not_understood_is_unknown(children: list[str], reason: str) -> None:
    verdict = settle(status(*children).about("demo-1"), IDS, rows=3, overdue=False)
    assert verdict is not None
    assert (verdict.state, verdict.status) == (BatchState.STUCK, ProfileStatus.UNKNOWN)
    assert reason in verdict.reason


@pytest.mark.parametrize("successful", [None, 1])
def test_stuck_with_no_more_updates_than_it_names_is_an_error(successful: int | None) -> None:
    counted = [] if successful is None else [counts(successful, 0, 0)]
    answer = status(head("stuck"), profile("a", "success"), *counted)
    assert results(answer, *IDS) == ["success reported", "error batch", "error batch"]


@pytest.mark.fault(44, "failures that were counted are told at the deadline")
@pytest.mark.parametrize("word", [head("incomplete"), head("odd"), ""])
def test_failures_that_were_counted_are_told_at_the_deadline(word: str) -> None:
    verdict = settle(status(word, element("failedUpdates", 3)), IDS, rows=3, overdue=True)
    assert verdict is not None
    assert verdict.status is ProfileStatus.PENDING
    assert "Target counted 3 failed, and named none of them." in verdict.reason


@pytest.mark.parametrize("consumed", [0, 2])
def test_fewer_consumed_rows_than_successes_by_name_deny_them(consumed: int) -> None:
    names = [profile(name, "success") for name in IDS]
    answer = status(head(), element("consumedCount", consumed), *names)
    assert results(answer, *IDS) == ["unknown reported"] * 3
    verdict = settle(answer, IDS, rows=3, overdue=False)
    assert verdict is not None
    assert f"Target counted {consumed} consumed rows, and named 3 as a success." in verdict.note
    assert "success reported" in results(status(head(), element("consumedCount", 3), *names), *IDS)


def test_settle_reason_for_one_row_that_was_not_named() -> None:
    verdict = settle(status(element("batchId", "demo-1")), ("a",), rows=1, overdue=True)
    assert verdict is not None
    assert verdict.reason == "Target had not named the profile when it was last asked."


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("failed", "error"), "error reported"),
        (("Error", "failed"), "error reported"),
        (("failed", "success"), "unknown reported"),
        (("failed", "odd"), "unknown reported"),
        (("odd", "odder"), "unknown reported"),
    ],
)
def test_profile_with_two_words_is_an_error_if_both_say_so(words: tuple[str, str], expected: str) -> None:
    both = "".join(element("status", word) for word in words)
    answer = status(head(), element("profile", element("id", "a") + both))
    assert results(answer, *IDS)[0] == expected


def test_settle_answer_that_fits_no_id_keeps_what_was_counted_and_not_understood() -> None:
    answer = StatusAnswer(
        None, failed=2, flattened=True, profiles={"a b": ProfileStatus.ERROR}, unclear=("Odd.",)
    )
    verdict = settle(answer, ("complete 3", "b", "c"), rows=3, overdue=True)
    assert verdict is not None
    assert verdict.status is ProfileStatus.PENDING
    assert "Odd." in verdict.reason
    assert "Target counted 2 failed, and named none of them." in verdict.reason


def test_receipt_whose_names_cannot_be_matched_changes_no_verdict() -> None:
    verdict = whole_batch(BatchState.REFUSED, ProfileStatus.ERROR, "No.")
    receipt = read_status([b"demo-1 a b failed"])
    assert add_named(verdict, receipt, ["a", "c d"], 2) == verdict


def test_counted_failures_are_searched_for_only_where_no_profile_is_named() -> None:
    alone = settle(status(head(), counts(2, 0, 1)), IDS[:3], rows=3, overdue=True)
    beside = settle(status(head(), profile("b", "pending"), counts(2, 0, 1)), IDS[:3], rows=3, overdue=True)
    assert alone is not None
    assert beside is not None
    assert (alone.unnamed, beside.unnamed) == (1, 0)
