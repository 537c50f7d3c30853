"""Parts of an import that has ended are sent again: who is chosen, in which order, and what stays true."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

import simulator
from bulk_profiles.core.errors import BulkProfilesError, ResendError
from bulk_profiles.core.models import (
    Basis,
    BatchState,
    ImportStatus,
    ProfileCounts,
    ProfileResultsPolicy,
    ProfileStatus,
    Resendable,
    Why,
)
from bulk_profiles.core.names import MANIFEST, batch_name, object_key
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import GivenUp, ImportEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps import resend_import
from bulk_profiles.steps.messages import Word
from bulk_profiles.steps.resend_plan import Chosen, ResendPlan, plan_resend
from tests.worlds.accidents import KilledError
from tests.worlds.aws.service import Service
from tests.worlds.deployment import DATA_BUCKET, IMPORTS_TABLE, PROFILES_TABLE, START, Deployment
from tests.worlds.in_memory import InMemoryDeployment

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\nu3,Zoe\nu4,Hedy\n"  # two batches of two
RETENTION = timedelta(days=30)


def import_of(deployment: Deployment, body: bytes = FILE, key: str = "drop/default/customers.csv") -> str:
    """Import a file to its end, whatever that is."""
    import_id = deployment.split(deployment.drop(body, key)).import_id
    deployment.resume(import_id)
    return import_id


def refused(deployment: Deployment, target: simulator.Simulator, batches: int = 1) -> str:
    """Import a file of which Target refuses the first batches."""
    target.script(simulator.fault("refused", times=batches))
    return import_of(deployment)


def statuses(deployment: Deployment, import_id: str, batches: int = 2) -> dict[str, str]:
    return {
        result.profile_id: result.status.value
        for number in range(1, batches + 1)
        for result in deployment.profiles(import_id, number)
    }


def table(deployment: InMemoryDeployment) -> dict[str, str]:
    """Return the status of each profile in the Profiles table."""
    items = deployment.tables.items(PROFILES_TABLE)
    return {item["profile"]["S"].rpartition("#")[2]: item["status"]["S"] for item in items}


def test_nothing_is_sent_again_beside_another_execution_of_the_import(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    """Whoever starts it in the console has no command line that would look."""
    import_id = refused(deployment, target)
    deployment.machine.statuses |= {"by-hand": "RUNNING", "other-1": "RUNNING", import_id: "RUNNING"}
    with pytest.raises(ResendError, match=f"^Execution {import_id} of import .* is running: nothing is"):
        deployment.resend(import_id, "refused", execution="by-hand", machine="arn")
    entry = deployment.ledger.get_import(import_id)
    assert entry is not None
    assert entry.status.final
    deployment.machine.statuses[import_id] = "FAILED"
    for _ in range(2):  # a task that is repeated is not held back by its own execution
        assert deployment.resend(import_id, "refused", execution="by-hand", machine="arn").batches == [1]


def plan(deployment: Deployment, import_id: str, *words: str) -> ResendPlan:
    return plan_resend(
        import_id,
        frozenset(map(Resendable, words)),
        deployment.storage,
        deployment.ledger,
        retention=RETENTION,
        now=deployment.clock(),
    )


# --- what is sent again ---


def test_batch_that_target_refused_is_sent_again_with_its_own_body(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    import_id = refused(deployment, target)
    assert deployment.finish(import_id).status is ImportStatus.PARTIAL

    summary = deployment.send_again(import_id, "refused")

    assert (summary.status, summary.profiles) == (ImportStatus.SUCCEEDED, ProfileCounts(success=4))
    first = summary.batches[0]
    assert (first.state, first.submissions, first.possibly_duplicate) == (BatchState.COMPLETE, 2, False)
    assert first.follow_ups == ()
    assert summary.reason == ""
    [resend] = first.resends
    assert (resend.execution, resend.state, resend.submissions) == ("resend-1", BatchState.REFUSED, 1)
    assert ProfileCounts.of(resend.sends) == ProfileCounts(error=2)
    assert resend.reason.startswith("Target refused the batch")
    assert table(deployment) == dict.fromkeys(["u1", "u2", "u3", "u4"], "success")
    assert [target.body(request.number) for request in target.submissions][0::2] == [
        target.body(target.submissions[0].number)
    ] * 2


def test_failed_profiles_alone_are_sent_again_of_a_batch_that_is_complete(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    target.configure(failed_ids=["u1", "u4"])
    import_id = import_of(deployment)
    before = len(target.submissions)
    target.configure(failed_ids=[])

    summary = deployment.send_again(import_id, "error")

    assert (summary.status, summary.profiles) == (ImportStatus.SUCCEEDED, ProfileCounts(success=4))
    bodies = [target.body(request.number) for request in target.submissions[before:]]
    assert bodies == [b"batch=thirdPartyId,name\nu1,Ada", b"batch=thirdPartyId,name\nu4,Hedy"]
    for batch in summary.batches:
        assert batch.follow_ups[-1].attempt == 4
        assert batch.submissions == 4
    results = {r.profile_id: (r.status, r.attempt) for r in deployment.profiles(import_id, 1)}
    assert results == {"u1": (ProfileStatus.SUCCESS, 4), "u2": (ProfileStatus.SUCCESS, 1)}
    assert table(deployment) == dict.fromkeys(["u1", "u2", "u3", "u4"], "success")


def test_success_keeps_its_basis_and_is_not_counted_twice(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    target.configure(failed_ids=["u1"])
    import_id = import_of(deployment)
    before = {r.profile_id: r for r in deployment.profiles(import_id, 1)}["u2"]

    summary = deployment.send_again(import_id, "error")

    assert summary.profiles == ProfileCounts(success=3, error=1)
    assert {r.profile_id: r for r in deployment.profiles(import_id, 1)}["u2"] == before
    assert summary.to_json()["rows"]["sent"] == 4


def test_words_that_are_not_named_stay_as_they_are(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    """Errors stay errors where the unknown ones are sent again, and the other way round."""
    target.configure(failed_ids=["u1"], generation=1)
    import_id = _with_an_error_and_an_unknown(deployment, target)
    assert statuses(deployment, import_id, 1) == {"u1": "error", "u2": "unknown"}
    target.configure(failed_ids=[])
    target.clear_script()

    summary = deployment.send_again(import_id, "unknown")

    assert statuses(deployment, import_id, 1) == {"u1": "error", "u2": "success"}
    assert summary.profiles == ProfileCounts(success=1, error=1)
    assert summary.batches[0].possibly_duplicate


def _with_an_error_and_an_unknown(deployment: Deployment, target: simulator.Simulator) -> str:
    """Import two profiles. Target names one as failed, in a receipt whose address cannot be called."""
    named = "<profile><id>u1</id><status>failed</status></profile>"
    unsafe = "<batchStatus>http://elsewhere.example/status</batchStatus>"
    body = f"<response><success>true</success>{unsafe}{named}</response>"
    target.script(simulator.fault(code=200, body=body))
    return import_of(deployment, b"thirdPartyId,name\nu1,Ada\nu2,Grace\n")


def test_errors_that_fail_again_are_followed_up_without_those_that_were_not_chosen(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    target.configure(failed_ids=["u1"])
    import_id = _with_an_error_and_an_unknown(deployment, target)
    target.clear_script()
    target.configure(failed_ids=["u1", "u2"])
    before = len(target.submissions)

    summary = deployment.send_again(import_id, "unknown")

    assert statuses(deployment, import_id, 1) == {"u1": "error", "u2": "error"}
    assert summary.profiles == ProfileCounts(error=2)
    bodies = [target.body(request.number) for request in target.submissions[before:]]
    assert bodies == [b"batch=thirdPartyId,name\nu2,Grace"] * 3


def test_accounting_holds_while_what_failed_again_is_followed_up(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    """The error that was not chosen is not in the follow-up."""
    target.configure(failed_ids=["u1"])
    import_id = _with_an_error_and_an_unknown(deployment, target)
    target.clear_script()
    target.configure(failed_ids=["u1", "u2"])
    deployment.resend(import_id, "unknown")
    for step in deployment.walk(import_id, 1):
        if step == f"Check status: {Word.RESUBMIT}":
            break
    summary = deployment.finish(import_id)
    assert (summary.unaccounted, summary.profiles) == (0, ProfileCounts(error=1, unknown=1))


def test_follow_up_that_was_held_is_sent_again_as_the_next_attempt(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    """Although it has all rows of the batch: the attempts before it stay in the history."""
    target.configure(failed_ids=["u1"])
    import_id = deployment.split(deployment.drop(b"thirdPartyId,name\nu1,Ada\n")).import_id
    for step in deployment.walk(import_id, 1):
        if step == f"Check status: {Word.RESUBMIT}":
            target.script(simulator.fault("refused"))
    assert deployment.finish(import_id).batches[0].state is BatchState.UNKNOWN
    target.configure(failed_ids=[])

    summary = deployment.send_again(import_id, "unknown")

    assert summary.profiles == ProfileCounts(success=1)
    assert [follow_up.attempt for follow_up in summary.batches[0].follow_ups] == [2, 3]


@pytest.mark.parametrize(
    ("state", "status", "basis", "marked"),
    [
        (BatchState.REFUSED, ProfileStatus.ERROR, Basis.BATCH, False),
        (BatchState.REFUSED, ProfileStatus.NOT_SENT, Basis.BATCH, False),
        (BatchState.COMPLETE, ProfileStatus.ERROR, Basis.REPORTED, False),
        (BatchState.STUCK, ProfileStatus.ERROR, Basis.BATCH, True),
        (BatchState.UNKNOWN, ProfileStatus.UNKNOWN, Basis.BATCH, True),
        (BatchState.EXPIRED, ProfileStatus.PENDING, Basis.DEADLINE, True),
    ],
)
def test_rows_that_target_may_have_are_marked(
    state: BatchState, status: ProfileStatus, basis: Basis, *, marked: bool
) -> None:
    batch = BatchEntry("crm-1", 1, 2, 20, "aa", state=state)
    chosen = Chosen(batch, frozenset(Resendable), {status: Counter({basis: 1})})
    assert chosen.may_have_arrived is marked


def test_lost_batch_is_sent_again_and_marked(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("server_error", times=3))
    import_id = deployment.split(deployment.drop(b"thirdPartyId,name\nu1,Ada\n")).import_id
    assert deployment.resume(import_id).profiles == ProfileCounts(unknown=1)

    summary = deployment.send_again(import_id, "unknown")

    assert summary.profiles == ProfileCounts(success=1)
    assert (summary.batches[0].submissions, summary.batches[0].possibly_duplicate) == (4, True)


def test_lost_batch_that_target_then_refuses_stays_unknown(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("server_error", times=3), simulator.fault("refused"))
    import_id = import_of(deployment, b"thirdPartyId,name\nu1,Ada\n")
    assert deployment.send_again(import_id, "unknown").profiles == ProfileCounts(unknown=1)


def test_resend_has_submissions_of_its_own(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    """`MaxSubmissions` counts those since a person wanted it sent again."""
    target.script(simulator.fault("server_error", times=5))
    import_id = import_of(deployment, b"thirdPartyId,name\nu1,Ada\n")

    summary = deployment.send_again(import_id, "unknown")

    assert (summary.profiles, summary.batches[0].submissions) == (ProfileCounts(success=1), 6)


def test_pending_profiles_are_sent_again_and_marked(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("incomplete_forever", on="status", times=-1))
    import_id = import_of(deployment, b"thirdPartyId,name\nu1,Ada\n")
    assert deployment.finish(import_id).profiles == ProfileCounts(pending=1)
    target.clear_script()

    summary = deployment.send_again(import_id, "pending")

    assert summary.profiles == ProfileCounts(success=1)
    assert summary.batches[0].possibly_duplicate


def test_batch_that_was_not_sent_is_sent(deployment: InMemoryDeployment, target: simulator.Simulator) -> None:
    """An import that was given up, by mistake."""
    import_id = deployment.split(deployment.drop(FILE)).import_id
    deployment.ledger.give_up(import_id, GivenUp("ana", START), START)
    assert deployment.resume(import_id).profiles == ProfileCounts(not_sent=4)

    summary = deployment.send_again(import_id, "notSent")

    assert summary.profiles == ProfileCounts(success=4)
    assert len(target.submissions) == 2


def test_batches_that_waited_for_a_token_until_the_deadline_are_sent_once_it_is_mended(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    """Starting with the import's own input sends nothing: its batches are settled."""
    target.script(simulator.fault("unauthorized", times=-1))
    import_id = import_of(deployment)
    assert deployment.finish(import_id).profiles == ProfileCounts(not_sent=4)
    target.clear_script()
    deployment.clock.advance(hours=2)
    sent = len(target.submissions)
    assert deployment.resume(import_id).profiles == ProfileCounts(not_sent=4)
    assert len(target.submissions) == sent

    assert deployment.send_again(import_id, "notSent").profiles == ProfileCounts(success=4)


def test_resend_that_target_refuses_again_is_refused(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    import_id = refused(deployment, target)
    target.script(simulator.fault("bad_request"))
    summary = deployment.send_again(import_id, "refused")
    assert summary.profiles == ProfileCounts(success=2, error=2)
    assert len(summary.batches[0].resends) == 1
    assert deployment.send_again(import_id, "refused", execution="resend-2").profiles.success == 4


def test_profiles_table_of_failures_replaces_a_failure_that_has_become_a_success(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    deployment.configure(profile_results=ProfileResultsPolicy.FAILURES)
    target.configure(failed_ids=["u1"])
    import_id = import_of(deployment)
    assert table(deployment) == {"u1": "error"}
    target.configure(failed_ids=[])
    deployment.send_again(import_id, "error")
    assert table(deployment) == {"u1": "success"}


@pytest.mark.parametrize("state", [BatchState.PLANNED, BatchState.SENDING, BatchState.ACCEPTED])
def test_accounting_holds_while_a_resend_is_under_way(
    deployment: InMemoryDeployment, target: simulator.Simulator, state: BatchState
) -> None:
    target.configure(failed_ids=["u1"])
    import_id = _with_an_error_and_an_unknown(deployment, target)
    deployment.resend(import_id, "unknown")
    batch = deployment.ledger.get_batch(import_id, 1)
    deployment.ledger.save_batch(batch.change(state=state), START)

    summary = deployment.finish(import_id)

    assert (summary.unaccounted, summary.profiles.error) == (0, 1)
    assert summary.profiles.total == 2


# --- done twice, or interrupted ---


def test_resend_delivered_twice_sends_once(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    import_id = refused(deployment, target)
    before = len(target.submissions)
    first = deployment.resend(import_id, "refused")
    assert deployment.resend(import_id, "refused") == first or first.batches == [1]
    for _ in deployment.walk(import_id, 1):
        pass
    assert deployment.resend(import_id, "refused").batches == [1]
    deployment.finish(import_id)
    assert deployment.resend(import_id, "refused").batches == [1]  # redriven after its end
    assert deployment.ledger.queued("demo") == []
    assert len(target.submissions) == before + 1


@pytest.mark.parametrize("fault", ["error", "refused"])
@pytest.mark.parametrize("operation", ["PutItem", "PutObject", "GetObject"])
@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8])
def test_resend_that_is_interrupted_anywhere_is_completed_by_doing_it_again(
    deployment: InMemoryDeployment, target: simulator.Simulator, fault: str, operation: str, after: int
) -> None:
    if fault == "error":
        target.configure(failed_ids=["u1", "u3"])
        import_id = import_of(deployment)
        target.configure(failed_ids=[])
    else:
        import_id = refused(deployment, target, batches=2)
    with interrupted(operation, after), contextlib.suppress(KilledError, BulkProfilesError):
        deployment.resend(import_id, fault)
    deployment.clock.advance(seconds=2)

    summary = deployment.send_again(import_id, fault)

    assert summary.profiles == ProfileCounts(success=4)
    assert all(len(batch.resends) == 1 for batch in summary.batches)


@contextlib.contextmanager
def interrupted(operation: str, after: int) -> Iterator[None]:
    """Kill the function at a call of an operation, after so many of them."""
    call, seen = Service.call, Counter[str]()

    def counted(service: Service, name: str, action: Callable[[], object]) -> object:
        seen[name] += 1
        if name == operation and seen[name] > after:
            raise KilledError
        return call(service, name, action)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Service, "call", counted)
        yield


def test_two_resends_of_one_import_do_not_run_at_once(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    import_id = refused(deployment, target)
    deployment.resend(import_id, "refused")
    with pytest.raises(ResendError, match=r"has not ended\. Execution resend-1 is sending parts of it again"):
        deployment.resend(import_id, "refused", execution="resend-2")


def test_of_two_resends_that_begin_at_once_one_goes_on(
    deployment: InMemoryDeployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have found that the import has ended."""
    import_id = refused(deployment, target)
    change = Ledger.change_import

    def another_first(ledger: Ledger, *arguments: Any) -> ImportEntry:
        monkeypatch.setattr(Ledger, "change_import", change)
        deployment.resend(import_id, "refused", execution="resend-2")
        return change(ledger, *arguments)

    monkeypatch.setattr(Ledger, "change_import", another_first)
    with pytest.raises(ResendError, match="Execution resend-2 is sending parts of it again"):
        deployment.resend(import_id, "refused")


def test_resend_whose_execution_died_is_started_again_by_the_sweep(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    import_id = refused(deployment, target)
    deployment.machine.statuses[import_id] = "FAILED"
    deployment.clock.advance(minutes=30)
    assert deployment.sweep_only().restarted == 0
    entry = deployment.ledger.get_import(import_id)
    assert entry is not None
    assert entry.reconciled
    deployment.machine.start_execution(
        stateMachineArn="arn", name="by-hand", input=json.dumps({"importId": import_id, "batches": []})
    )
    deployment.resend(import_id, "refused", execution="by-hand")
    assert deployment.sweep_only().restarted == 0, "it runs, under a name of its own"
    deployment.machine.statuses["by-hand"] = "FAILED"
    assert deployment.sweep_only().restarted == 1
    assert deployment.resume(import_id).profiles == ProfileCounts(success=4)


# --- the order of imports ---


def test_batch_of_which_a_later_import_has_an_id_is_not_sent_again(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    import_id = refused(deployment, target, batches=2)
    later = import_of(deployment, b"thirdPartyId,name\nu3,Newer\n", "drop/default/later.csv")

    resent = deployment.resend(import_id, "refused")

    entry = deployment.ledger.get_import(import_id)
    assert entry is not None
    assert (entry.status, entry.reason, entry.finished_at) == (ImportStatus.UPLOADING, "", None)
    assert resent.batches == [1]
    assert f"Batch 2 is not sent again: the later import {later} has, or may have" in resent.says
    assert resent.says.startswith("2 profiles of 1 batch: 2 error.")
    assert target.profile("u3") == {"name": "Newer"}


def test_resend_of_which_a_later_import_has_every_batch_changes_nothing(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    import_id = refused(deployment, target, batches=2)
    later = import_of(deployment, b"thirdPartyId,name\nu1,N\nu3,N\n", "drop/default/later.csv")
    before = deployment.ledger.get_import(import_id)

    with pytest.raises(ResendError, match=rf"Batches 1, 2 are not sent again: the later import {later}"):
        deployment.resend(import_id, "refused")

    assert deployment.ledger.get_import(import_id) == before
    assert deployment.ledger.queued("demo") == []


def test_ids_of_a_later_import_that_are_not_sent_again_hold_nothing_back(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    """It has u2, of the same batch, which is a success."""
    target.configure(failed_ids=["u1"])
    import_id = import_of(deployment)
    import_of(deployment, b"thirdPartyId,name\nu2,Newer\n", "drop/default/later.csv")
    target.configure(failed_ids=[])
    assert deployment.send_again(import_id, "error").profiles == ProfileCounts(success=4)
    assert target.profile("u2") == {"name": "Newer"}


def test_resend_long_after_the_end_is_not_overtaken_at_once(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    import_id = refused(deployment, target)
    deployment.clock.advance(days=5)
    deployment.resend(import_id, "refused")
    later = deployment.split(deployment.drop(FILE, "drop/b/b.csv")).import_id
    assert deployment.submit(later, 1).why is Why.EARLIER_IMPORT
    assert deployment.submit(import_id, 1).word is Word.ACCEPTED


def test_overtaken_import_sends_again_what_no_later_one_has(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    import_id = deployment.split(deployment.drop(FILE)).import_id
    later = deployment.split(deployment.drop(b"thirdPartyId,name\nu3,N\n", "drop/b/b.csv")).import_id
    deployment.clock.advance(days=2)
    deployment.resume(later)
    assert deployment.resume(import_id).profiles == ProfileCounts(not_sent=4)

    summary = deployment.send_again(import_id, "notSent")

    assert summary.profiles == ProfileCounts(success=2, not_sent=2)
    assert target.profile("u3") == {"name": "N"}


@pytest.mark.parametrize("status", [ImportStatus.REJECTED, ImportStatus.SPLITTING])
def test_import_that_sends_nothing_or_later_holds_nothing_back(
    deployment: InMemoryDeployment, target: simulator.Simulator, status: ImportStatus
) -> None:
    import_id = refused(deployment, target)
    later = import_of(deployment, FILE, "drop/default/later.csv")
    _change(deployment, later, status=status)
    assert deployment.resend(import_id, "refused").batches == [1]


def _change(deployment: Deployment, name: str, **changes: object) -> None:
    deployment.ledger.change_import(
        name,
        deployment.clock(),
        lambda entry: dataclasses.replace(entry, **changes),  # type: ignore[arg-type]  # as they are given
    )


def test_earlier_import_holds_nothing_back(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    import_of(deployment, FILE, "drop/default/earlier.csv")
    import_id = refused(deployment, target)
    assert deployment.send_again(import_id, "refused").profiles == ProfileCounts(success=4)


def test_import_that_began_earlier_and_sent_later_holds_back(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    """Its split took longer: the order in which they entered the queue counts."""
    import_id = refused(deployment, target)
    later = import_of(deployment, FILE, "drop/default/later.csv")
    _change(deployment, later, started_at=START - timedelta(hours=1))
    with pytest.raises(ResendError, match=later):
        deployment.resend(import_id, "refused")


def test_later_import_waits_for_a_resend_under_way(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    import_id = refused(deployment, target)
    deployment.resend(import_id, "refused")
    later = deployment.split(deployment.drop(b"thirdPartyId,name\nu1,Newer\n", "drop/b/b.csv")).import_id

    assert deployment.submit(later, 1).why is Why.EARLIER_IMPORT
    deployment.resume(import_id)
    assert deployment.ledger.queued("demo") == [later]
    deployment.resume(later)

    assert target.profile("u1") == {"name": "Newer"}


def test_import_that_meets_a_resend_at_its_beginning_is_found(
    deployment: InMemoryDeployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has entered the queue after the plan was made, and before the import did again."""
    import_id = refused(deployment, target)
    enter = Ledger.queue_import

    def another_first(ledger: Ledger, client_code: str, name: str, *arguments: object) -> list[str]:
        monkeypatch.setattr(Ledger, "queue_import", enter)
        deployment.split(deployment.drop(b"thirdPartyId,name\nu1,Newer\n", "drop/b/b.csv"))
        return enter(ledger, client_code, name, *arguments)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(Ledger, "queue_import", another_first)
    resent = deployment.resend(import_id, "refused")
    assert resent.batches == []
    assert "Batch 1 is not sent again" in resent.says


def test_resend_waits_for_an_earlier_import_that_is_still_under_way(deployment: InMemoryDeployment) -> None:
    """Both were stopped, and the later one was given up while it waited."""
    earlier = deployment.split(deployment.drop(FILE, "drop/a/a.csv")).import_id
    import_id = deployment.split(deployment.drop(FILE)).import_id
    deployment.ledger.give_up(import_id, GivenUp("ana", START), START)
    deployment.resume(import_id)

    deployment.resend(import_id, "notSent")

    assert deployment.submit(import_id, 1).why is Why.EARLIER_IMPORT
    deployment.resume(earlier)
    assert deployment.submit(import_id, 1).word is Word.ACCEPTED


def test_import_of_an_earlier_version_is_ordered_by_its_start(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    """The ledger does not know its place in the queue."""
    import_id = refused(deployment, target)
    _change(deployment, import_id, place=0)
    deployment.clock.advance(minutes=5)
    later = import_of(deployment, FILE, "drop/default/later.csv")
    with pytest.raises(ResendError, match=later):
        deployment.resend(import_id, "refused")
    _change(deployment, later, started_at=START - timedelta(hours=1))
    assert plan(deployment, import_id, "refused").held_back == {}
    _change(deployment, later, after=(import_id,))
    with pytest.raises(ResendError, match=later):
        deployment.resend(import_id, "refused")


# --- what cannot be sent again ---


def test_plan_changes_nothing(deployment: InMemoryDeployment, target: simulator.Simulator) -> None:
    import_id = refused(deployment, target)
    before = deployment.tables.items(IMPORTS_TABLE)
    objects = deployment.objects(import_id)

    planned = plan(deployment, import_id, "refused", "unknown")

    assert planned.says == "2 profiles of 1 batch: 2 error."
    assert planned.to_json() == {
        "importId": import_id,
        "profiles": {"success": 0, "error": 2, "pending": 0, "unknown": 0, "notSent": 0},
        "batches": [
            {
                "batch": 1,
                "state": "refused",
                "profiles": {"success": 0, "error": 2, "pending": 0, "unknown": 0, "notSent": 0},
                "reason": planned.chosen[0].batch.reason,
                "possiblyDuplicate": False,
            }
        ],
        "heldBack": {},
    }
    after = deployment.tables.items(IMPORTS_TABLE)
    assert (after, deployment.objects(import_id)) == (before, objects)


def test_import_without_such_profiles_is_told(deployment: InMemoryDeployment) -> None:
    import_id = import_of(deployment)
    with pytest.raises(ResendError, match=r"has no profile that is refused or unknown: there is nothing"):
        deployment.resend(import_id, "unknown", "refused")


def test_word_that_is_none_is_told_with_those_there_are(deployment: InMemoryDeployment) -> None:
    with pytest.raises(ResendError, match="these words: refused, error, unknown, pending, notSent"):
        deployment.resend("crm-1", "failed")


def test_import_that_does_not_exist_is_told(deployment: InMemoryDeployment) -> None:
    with pytest.raises(ResendError, match="There is no import crm-1"):
        deployment.resend("crm-1", "error")


def test_resend_that_ran_twice_at_once_opens_each_batch_once(
    deployment: InMemoryDeployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = refused(deployment, target)
    deployment.finish(import_id)

    def overtaken(*arguments: Any, **options: Any) -> ResendPlan:
        monkeypatch.undo()
        made = plan_resend(*arguments, **options)
        deployment.resend(import_id, "refused", execution="resend-1")
        return made

    monkeypatch.setattr(resend_import, "plan_resend", overtaken)

    assert deployment.resend(import_id, "refused", execution="resend-1").batches == [1]
    assert len(deployment.ledger.get_batch(import_id, 1).resends) == 1


def test_import_that_was_rejected_is_told(deployment: InMemoryDeployment) -> None:
    import_id = deployment.split(deployment.drop(b"no key column\n")).import_id
    with pytest.raises(ResendError, match="it was rejected: mend the file"):
        deployment.resend(import_id, "error")


def test_import_that_has_not_ended_is_told(deployment: InMemoryDeployment) -> None:
    import_id = deployment.split(deployment.drop(FILE)).import_id
    with pytest.raises(ResendError, match=r"has not ended\. What failed"):
        deployment.resend(import_id, "error")
    deployment.finish(import_id)
    with pytest.raises(ResendError, match="has batches that are not settled"):
        deployment.resend(import_id, "error")


def test_import_whose_batches_are_deleted_is_told(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    import_id = refused(deployment, target)
    deployment.s3.delete_object(Bucket=DATA_BUCKET, Key=object_key(import_id, batch_name(1)))
    with pytest.raises(ResendError, match=r"have been deleted.*drop the file again"):
        deployment.resend(import_id, "refused")
    deployment.s3.delete_object(Bucket=DATA_BUCKET, Key=object_key(import_id, MANIFEST))
    with pytest.raises(ResendError, match=r"have been deleted.*drop the file again"):
        deployment.resend(import_id, "refused")


def test_import_whose_batches_are_about_to_be_deleted_is_told(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    import_id = refused(deployment, target)
    deployment.clock.now = START + timedelta(days=29)
    with pytest.raises(ResendError, match="will be within a day"):
        deployment.resend(import_id, "refused")
    _change(deployment, import_id, finished_at=START + timedelta(days=20))  # it took so long
    assert plan(deployment, import_id, "refused").chosen
    _change(deployment, import_id, finished_at=START + timedelta(days=15))
    with pytest.raises(ResendError, match="will be within a day"):
        deployment.resend(import_id, "refused")


def test_batch_of_an_earlier_version_is_sent_again_by_its_results(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    """It did not keep by which evidence its profiles have their status."""
    target.configure(failed_ids=frozenset({"u2"}))
    import_id = deployment.run(FILE).entry.import_id
    for batch in list(deployment.ledger.batches(import_id)):
        deployment.ledger.save_batch(batch.change(bases={}), deployment.clock())
    target.configure(failed_ids=frozenset())
    assert deployment.send_again(import_id, "error").profiles.error == 0
