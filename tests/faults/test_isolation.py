"""Whole imports where Target counts failures and names no profile: parts are sent again to find them."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

import simulator
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.errors import ConflictError
from bulk_profiles.core.models import Basis, BatchState, ImportStatus, ProfileCounts, ProfileStatus
from bulk_profiles.ledger.import_entry import GivenUp
from bulk_profiles.ledger.isolation import search_cost
from bulk_profiles.steps.messages import Outcome, Word
from bulk_profiles.steps.stopping import give_up
from bulk_profiles.target import calls
from bulk_profiles.target.outcomes import Answered, CheckOutcome
from tests.worlds.deployment import Deployment
from tests.worlds.in_memory import InMemoryDeployment

ROWS = 90


@pytest.fixture
def deployment(deployment: InMemoryDeployment) -> InMemoryDeployment:
    deployment.configure(max_batch_rows=1_000)
    return deployment


def rows(count: int = ROWS, value: str = "v") -> bytes:
    return b"thirdPartyId,name\n" + b"".join(b"u%d,%s%d\n" % (n, value.encode(), n) for n in range(count))


def ids(deployment: Deployment, import_id: str, status: ProfileStatus) -> dict[str, Basis]:
    """The profiles of batch 1 with a status, and on what evidence."""
    return {one.profile_id: one.basis for one in deployment.profiles(import_id, 1) if one.status is status}


@pytest.mark.fault(46, "counts of failures without ids: the failing rows are found, all others are successes")
@pytest.mark.parametrize("failing", [{"u0"}, {"u89"}, {"u7", "u41", "u42"}, {f"u{n}" for n in range(20, 30)}])
def test_failing_rows_that_target_only_counts_are_found(
    deployment: Deployment, target: simulator.Simulator, failing: set[str]
) -> None:
    target.configure(generation=4, failed_ids=frozenset(failing))

    summary = deployment.run(rows())

    assert summary.profiles == ProfileCounts(success=ROWS - len(failing), error=len(failing))
    import_id = summary.entry.import_id
    assert ids(deployment, import_id, ProfileStatus.ERROR) == dict.fromkeys(failing, Basis.ISOLATED)
    assert set(ids(deployment, import_id, ProfileStatus.SUCCESS).values()) == {Basis.ISOLATED}
    assert +summary.evidence == {Basis.ISOLATED: ROWS - len(failing)}
    assert summary.status is ImportStatus.PARTIAL
    batch = summary.batches[0]
    assert (batch.state, batch.possibly_duplicate) == (BatchState.COMPLETE, True)
    found = "1 failing row" if len(failing) == 1 else f"{len(failing)} failing rows"
    assert f"{batch.submissions - 1} submissions of parts of the rows found {found}." in batch.reason


@pytest.mark.fault(46, "one failing row of 900: found with as many submissions as planned")
@pytest.mark.parametrize("failing", [0, 450, 899])
def test_one_failing_row_costs_what_plan_says_at_most(
    deployment: Deployment, target: simulator.Simulator, failing: int
) -> None:
    target.configure(generation=4, failed_ids=frozenset({f"u{failing}"}))

    summary = deployment.run(rows(900))

    assert summary.profiles == ProfileCounts(success=899, error=1)
    cost = search_cost(900, 60)
    assert len(target.submissions) - 1 <= cost.submissions
    assert sum(request.rows for request in target.submissions) - 900 <= cost.rows


def test_same_values_are_sent_again_and_no_row_that_is_done(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(generation=4, failed_ids=frozenset({"u3"}))
    deployment.run(rows())
    for number in set(range(ROWS)) - {3}:
        assert target.profile(f"u{number}") == {"name": f"v{number}"}
    bodies = [target.body(request.number) for request in target.submissions]
    sent = Counter(line.split(b",")[0] for body in bodies for line in body.split(b"\n")[1:])
    assert {sent[b"u%d" % number] for number in range(ROWS // 2, ROWS)} == {2}, "in the batch and in the rest"


@pytest.mark.fault(46, "a counted failure that does not come again is a success, and it is said")
def test_failure_that_does_not_come_again_is_a_success(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(generation=4, failed_once_ids=frozenset({"u5", "u60"}), failed_ids=frozenset({"u61"}))

    summary = deployment.run(rows())

    assert summary.profiles == ProfileCounts(success=ROWS - 1, error=1)
    assert "2 failures did not come again" in summary.batches[0].reason


def test_profiles_that_v1_did_not_find_are_found_by_us(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(generation=4, not_found_ids=frozenset({"u11", "u12"}))
    summary = deployment.run(rows())
    assert ids(deployment, summary.entry.import_id, ProfileStatus.ERROR).keys() == {"u11", "u12"}


def test_rows_that_fail_all_are_errors_without_another_submission(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(generation=4, failed_ids=frozenset({"u0", "u1"}))
    summary = deployment.run(rows(2))
    assert summary.profiles == ProfileCounts(error=2)
    assert len(target.submissions) == 1
    assert "Target counted 2 failures and named none: every row failed." in summary.reason


@pytest.mark.parametrize("count", [1, ROWS])
@pytest.mark.parametrize("setting", ["deployment", "feed"])
def test_counts_are_only_reported_where_that_is_wanted(
    deployment: Deployment, target: simulator.Simulator, setting: str, count: int
) -> None:
    if setting == "deployment":
        deployment.configure(counts_only="report")
    else:
        deployment.s3.put_object(
            Bucket="data-bucket", Key="feeds/default.json", Body=b'{"countsOnly": "report"}'
        )
    target.configure(generation=4, failed_ids=frozenset({"u0"}))

    summary = deployment.run(rows(count))

    assert summary.profiles == ProfileCounts(unknown=count)
    assert len(target.submissions) == 1


@pytest.mark.fault(
    46, "the budget of a search is spent: what was in no part of its own is unknown, and counted"
)
@pytest.mark.parametrize("budget", [1, 2, 5])
def test_search_ends_with_its_budget_and_the_rest_is_unknown(
    deployment: Deployment, target: simulator.Simulator, budget: int
) -> None:
    deployment.configure(isolate_submissions=budget)
    target.configure(generation=4, failed_ids=frozenset({"u0"}))

    summary = deployment.run(rows())

    assert len(target.submissions) == 1 + budget
    unknown = ids(deployment, summary.entry.import_id, ProfileStatus.UNKNOWN)
    assert set(unknown.values()) == {Basis.COUNTS}
    assert "u0" in unknown
    assert len(unknown) == {1: ROWS, 2: ROWS, 5: 6}[budget] or budget < 5
    assert f"Which others of {len(unknown)} rows failed is not known." in summary.batches[0].reason


def test_more_failures_than_the_budget_are_not_searched_for(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    deployment.configure(isolate_submissions=3)
    target.configure(generation=4, failed_ids=frozenset({"u0", "u20", "u40", "u60"}))
    summary = deployment.run(rows())
    assert summary.profiles == ProfileCounts(unknown=ROWS)
    assert len(target.submissions) == 1


UNCLEAR = {
    "an element that is not known": "status 2\nextra <weather>fine</weather>",
    "a size that is not ours": "status 2\ncount batchSize 3",
    "no counts of failures": "status 2\ncount failedUpdates many",
    "stuck": "status 2\nword stuck",
    "a foreign id": "status 2\nextra <profile><id>zz</id><status>failed</status></profile>",
    "refused": "submit 2\nmessage no thanks",
    "lost": "submit 2\ncode 200\nbody hello",
}


@pytest.mark.fault(
    46, "an answer about a part that is not understood ends the search; no success is claimed of it"
)
@pytest.mark.parametrize("name", UNCLEAR)
def test_unclear_answer_about_a_part_ends_the_search(
    deployment: Deployment, target: simulator.Simulator, name: str
) -> None:
    """The first part is the first half, in which no row fails: nothing is claimed of either half."""
    target.configure(generation=4, failed_ids=frozenset({"u80"}))
    deployment.configure(unknown_policy="hold")
    target.speak(UNCLEAR[name])

    summary = deployment.run(rows())

    assert summary.profiles.success == 0
    assert summary.profiles.total == ROWS
    assert len(target.submissions) == 2


STATUS = "<response><batchId>{batchId}</batchId><status>complete</status><batchSize>{size}</batchSize>"


@pytest.mark.fault(46, "more failures counted than rows sent: the counts are not believed")
@pytest.mark.parametrize(("failed", "not_found"), [(5, 0), (2, 2), (0, 3)])
def test_more_failures_than_rows_are_no_error_of_every_row(
    deployment: Deployment, target: simulator.Simulator, failed: int, not_found: int
) -> None:
    counts = f"<failedUpdates>{failed}</failedUpdates><profilesNotFound>{not_found}</profilesNotFound>"
    target.script(simulator.fault(on="status", code=200, body=f"{STATUS}{counts}</response>", times=0))

    summary = deployment.run(rows(2))

    assert summary.profiles == ProfileCounts(unknown=2)
    assert "2 rows were sent" in summary.batches[0].reason
    assert len(target.submissions) == 1


def test_word_for_a_profile_of_a_part_that_is_not_known_ends_the_search(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    """No failure of which nothing is known is said not to have come again."""
    target.configure(generation=4, failed_ids=frozenset({"u0"}))
    target.speak("status 2\nprofile 1 rejected")

    summary = deployment.run(rows(2))

    assert summary.profiles == ProfileCounts(unknown=2)
    assert len(target.submissions) == 2
    assert "again when" not in summary.batches[0].reason


@pytest.mark.fault(57, "two executions with two answers about one batch: only the first writes anything")
@pytest.mark.parametrize("look", [1, 3])
def test_execution_that_comes_late_overwrites_no_part(
    deployment: Deployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    target.configure(generation=4, failed_ids=frozenset({"u3", "u9"}))
    import_id = deployment.split(deployment.drop(rows())).import_id
    check, looks = calls.check, itertools.count()

    def overtaken(*arguments: Any, **options: Any) -> CheckOutcome:
        reply = check(*arguments, **options)
        if next(looks) == look and isinstance(reply, Answered):
            deployment.clock.advance(seconds=1)
            assert deployment.check(import_id, 1).word is Word.RESUBMIT
            return Answered(dataclasses.replace(reply.answer, successful=None, failed=5, not_found=0))
        return reply

    monkeypatch.setattr(calls, "check", overtaken)
    with pytest.raises(ConflictError):
        list(deployment.walk(import_id, 1))

    summary = deployment.resume(import_id)

    assert summary.profiles == ProfileCounts(success=ROWS - 2, error=2)


def test_why_a_search_ended_early_is_said(deployment: Deployment, target: simulator.Simulator) -> None:
    target.configure(generation=4, failed_ids=frozenset({"u80"}))
    target.speak("status 2\ncount failedUpdates many")
    summary = deployment.run(rows())
    assert "a count that is no number: failedUpdates" in summary.batches[0].reason


def test_failures_that_target_names_in_a_part_are_reported_and_the_search_goes_on(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(generation=4, failed_ids=frozenset({"u3", "u80"}))
    target.speak("status 2\nprofile 4 failed")

    summary = deployment.run(rows())

    assert summary.profiles == ProfileCounts(success=ROWS - 2, error=2)
    assert ids(deployment, summary.entry.import_id, ProfileStatus.ERROR) == {
        "u3": Basis.REPORTED,
        "u80": Basis.ISOLATED,
    }


def test_part_that_is_lost_is_sent_again_and_the_search_goes_on(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(generation=4, failed_ids=frozenset({"u80"}))
    target.script(simulator.fault("reset_after_body", skip=1))

    summary = deployment.run(rows())

    assert summary.profiles == ProfileCounts(success=ROWS - 1, error=1)


def test_part_that_is_lost_is_not_sent_again_beyond_the_budget(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    deployment.configure(isolate_submissions=1)
    target.configure(generation=4, failed_ids=frozenset({"u80"}))
    target.script(simulator.fault("reset_after_body", skip=1, times=5))

    summary = deployment.run(rows())

    assert summary.profiles == ProfileCounts(unknown=ROWS)
    assert summary.batches[0].submissions == 2


def test_rows_of_parts_count_against_the_day(deployment: Deployment, target: simulator.Simulator) -> None:
    """100 rows a day: the parts that do not fit wait for the days after."""
    deployment.configure(rows_per_day=100)
    target.configure(generation=4, failed_ids=frozenset({"u0"}))

    import_id = deployment.split(deployment.drop(rows())).import_id
    by_day: Counter[date] = Counter()
    seen = 0

    def submit(import_id: str, number: int) -> Outcome:
        nonlocal seen
        outcome = deployment.submit(import_id, number)
        by_day[deployment.clock().date()] += sum(request.rows for request in target.submissions[seen:])
        seen = len(target.submissions)
        return outcome

    for _ in deployment.walk(import_id, 1, submit):
        pass

    assert deployment.finish(import_id).profiles == ProfileCounts(success=ROWS - 1, error=1)
    assert sum(by_day.values()) == sum(request.rows for request in target.submissions)
    assert len(by_day) > 1
    assert max(by_day.values()) <= 100


def test_later_import_with_the_same_ids_waits_for_the_search(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(generation=4, failed_ids=frozenset({"u0"}))
    first = deployment.split(deployment.drop(rows(value="old"))).import_id
    later = deployment.split(deployment.drop(rows(value="new"), "drop/default/later.csv")).import_id

    for _ in itertools.takewhile(lambda step: "resubmit" not in step, deployment.walk(first, 1)):
        pass
    outcome = deployment.submit(later, 1)

    assert outcome.word is Word.DEFERRED
    assert outcome.why is not None
    assert outcome.why.value == "earlier_import"
    deployment.resume(first)
    target.configure(failed_ids=frozenset())
    deployment.resume(later)
    assert target.profile("u5") == {"name": "new5"}


def test_search_of_an_import_that_is_given_up_sends_no_more(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(generation=4, failed_ids=frozenset({"u0"}))
    import_id = deployment.split(deployment.drop(rows())).import_id
    for _ in itertools.takewhile(lambda step: "resubmit" not in step, deployment.walk(import_id, 1)):
        pass
    executions = Executions(deployment.machine, "arn")  # type: ignore[arg-type]  # stands at the boundary
    given_up = GivenUp("ana", deployment.clock(), "the wrong file")
    give_up(import_id, given_up, deployment.ledger, executions, deployment.clock())

    summary = deployment.resume(import_id)

    assert len(target.submissions) == 1
    assert summary.profiles == ProfileCounts(unknown=ROWS)
    assert "given up" in summary.reason


def test_unknown_rows_of_a_search_can_be_searched_again_by_a_resend(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    deployment.configure(isolate_submissions=5)
    target.configure(generation=4, failed_ids=frozenset({"u0"}))
    summary = deployment.run(rows())
    assert summary.profiles.unknown > 1

    summary = deployment.send_again(summary.entry.import_id, "unknown")

    assert summary.profiles == ProfileCounts(success=ROWS - 1, error=1)


def test_rows_of_a_follow_up_are_searched(deployment: Deployment, target: simulator.Simulator) -> None:
    """Target names failures of the batch, and only counts those of the follow-up."""
    target.configure(generation=2, failed_ids=frozenset({"u1", "u4", "u5", "u6"}))
    import_id = deployment.split(deployment.drop(rows())).import_id
    for _ in itertools.takewhile(lambda step: "resubmit" not in step, deployment.walk(import_id, 1)):
        pass
    target.configure(generation=4, failed_ids=frozenset({"u5"}))

    summary = deployment.resume(import_id)

    assert summary.profiles == ProfileCounts(success=ROWS - 1, error=1)
    assert ids(deployment, import_id, ProfileStatus.ERROR) == {"u5": Basis.ISOLATED}


def test_search_expires_with_its_part(deployment: Deployment, target: simulator.Simulator) -> None:
    target.configure(generation=4, failed_ids=frozenset({"u80"}))
    target.speak("status 2\nword incomplete")
    start = deployment.clock()

    summary = deployment.run(rows())

    assert summary.profiles.success == 0
    assert summary.profiles.pending == ROWS // 2
    assert len(target.submissions) == 2
    assert deployment.clock() - start < timedelta(hours=26)
