"""Faults 38 and 57: imports that share ids, of which the earlier one died before its end."""

from __future__ import annotations

from datetime import timedelta

import pytest

import simulator
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.models import ImportStatus, ProfileCounts
from bulk_profiles.steps.messages import Word
from tests.worlds.deployment import IMPORTS_TABLE, START, Deployment
from tests.worlds.in_memory import InMemoryDeployment

OLD = b"thirdPartyId,name\nu1,OLD\nu2,OLD\n"
NEW = b"thirdPartyId,name\nu2,NEW\nu3,NEW\n"
DEADLINE = timedelta(hours=24)


def _received(target: simulator.Simulator) -> list[bytes]:
    """Return the value of the last cell of each body that Target has taken, in their order."""
    bodies = [target.body(request.number) for request in target.submissions if request.batch_id]
    return [body.rpartition(b",")[2].strip() for body in bodies]


def _stopped(deployment: Deployment, target: simulator.Simulator, fault: str = "unavailable") -> str:
    """Import OLD, whose submission meets a fault, and stop after it."""
    target.script(simulator.fault(fault))
    import_id = deployment.split(deployment.drop(OLD, "drop/a/a.csv")).import_id
    assert deployment.submit(import_id, 1).word is Word.DEFERRED
    assert deployment.finish(import_id).status is ImportStatus.FAILED
    return import_id


def _begun(deployment: Deployment) -> str:
    return deployment.split(deployment.drop(NEW, "drop/b/b.csv")).import_id


@pytest.mark.fault(38, "an earlier import with the same ids was stopped and reported: it still goes first")
@pytest.mark.fault(
    57, "stopped and reported, then started again after a later import with the same ids was dropped"
)
@pytest.mark.parametrize("fault", ["unavailable", "reset_before_body", "server_error"])
def test_import_reported_too_early_keeps_its_place(
    deployment: Deployment, target: simulator.Simulator, fault: str
) -> None:
    older = _stopped(deployment, target, fault)
    newer = _begun(deployment)
    deployment.clock.advance(hours=23)

    assert deployment.submit(newer, 1).word is Word.DEFERRED
    assert deployment.resume(older).status is ImportStatus.SUCCEEDED
    assert deployment.resume(newer).status is ImportStatus.SUCCEEDED

    assert _received(target) == [b"OLD", b"NEW"]


@pytest.mark.fault(38, "an earlier import with the same ids is abandoned: overtaken at the deadline")
@pytest.mark.fault(57, "started again after a later import with the same ids has gone first")
def test_import_abandoned_is_overtaken_and_sends_nothing(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    older = _stopped(deployment, target)
    newer = _begun(deployment)

    steps = list(deployment.walk(newer, 1))
    assert deployment.finish(newer).status is ImportStatus.SUCCEEDED
    assert DEADLINE <= deployment.clock() - START <= DEADLINE + timedelta(hours=3)
    assert len(steps) < 200  # of one execution's 25,000 events each takes nine

    summary = deployment.resume(older)

    assert _received(target) == [b"NEW"]
    assert target.profile("u2") == {"name": "NEW"}
    assert summary.status is ImportStatus.FAILED
    assert summary.profiles == ProfileCounts(not_sent=2)
    assert f"A newer import, {newer}, with some of the same ids has gone first." in summary.reason
    assert all(batch.settled for batch in summary.batches)


@pytest.mark.parametrize(("max_check_seconds", "waits"), [(1, [60] * 4), (900, [60, 112, 900, 900])])
def test_upload_looks_at_an_earlier_import_once_a_minute_at_most(
    deployment: Deployment, target: simulator.Simulator, max_check_seconds: int, waits: list[int]
) -> None:
    """Each look takes nine of the 25,000 events of an execution."""
    deployment.configure(max_check_seconds=max_check_seconds)
    _stopped(deployment, target)
    newer = _begun(deployment)
    seen = []
    for minutes in (0, 30, 240, 600):
        deployment.clock.now = START + timedelta(minutes=minutes)
        outcome = deployment.submit(newer, 1)
        assert outcome.resume_at is not None
        seen.append(round((outcome.resume_at - deployment.clock()).total_seconds()))

    assert seen == waits


@pytest.mark.fault(38, "an overtaken import whose batch may have arrived: unknown, not sent again")
def test_import_overtaken_after_a_submission_is_unknown(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    older = _stopped(deployment, target, "server_error")
    newer = _begun(deployment)
    deployment.resume(newer)

    summary = deployment.resume(older)

    assert _received(target) == [b"NEW"]
    assert summary.profiles == ProfileCounts(unknown=2)


@pytest.mark.fault(38, "an earlier import with the same ids waits for its upload window: it still goes first")
def test_import_waiting_for_its_window_is_not_overtaken(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    deployment.configure(upload_window="Mon 08:00-20:00")  # it is Tuesday
    older = deployment.split(deployment.drop(OLD, "drop/a/a.csv")).import_id
    outcome = deployment.submit(older, 1)
    assert outcome.resume_at is not None
    newer = _begun(deployment)

    for days in range(5):
        deployment.clock.now = START + timedelta(days=days)
        assert deployment.submit(newer, 1).word is Word.DEFERRED
    deployment.clock.now = outcome.resume_at
    assert deployment.submit(newer, 1).word is Word.DEFERRED
    deployment.resume(older)
    deployment.resume(newer)

    assert _received(target) == [b"OLD", b"NEW"]


@pytest.mark.fault(38, "an import is overtaken just before its batch is sent: it is not sent")
def test_upload_overtaken_during_its_step_does_not_send(
    deployment: Deployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = _stopped(deployment, target)
    newer = _begun(deployment)
    deployment.clock.advance(hours=26)
    open_body = Storage.open

    def overtaken_meanwhile(storage: Storage, key: str) -> object:
        if key.endswith(".batch"):
            monkeypatch.setattr(Storage, "open", open_body)
            assert deployment.submit(newer, 1).word is Word.ACCEPTED
        return open_body(storage, key)

    monkeypatch.setattr(Storage, "open", overtaken_meanwhile)

    assert deployment.submit(older, 1).word is Word.REFUSED
    assert _received(target) == [b"NEW"]


@pytest.mark.fault(38, "an earlier import sends as its deadline passes: not overtaken")
def test_upload_that_is_sending_is_not_overtaken(deployment: Deployment, target: simulator.Simulator) -> None:
    older = _stopped(deployment, target)
    newer = _begun(deployment)
    deployment.clock.advance(hours=26)

    assert deployment.submit(older, 1).word is Word.ACCEPTED
    assert deployment.submit(newer, 1).word is Word.DEFERRED


@pytest.mark.fault(38, "an earlier import whose ledger entry has expired delays no other")
def test_import_expired_in_the_ledger_delays_no_other(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    forgotten = _stopped(deployment, target)
    del deployment.tables._tables[IMPORTS_TABLE][f"IMPORT#{forgotten}", "IMPORT"]

    newer = _begun(deployment)

    assert deployment.submit(newer, 1).word is Word.ACCEPTED
    assert not deployment.ledger.is_queued("demo", forgotten)


@pytest.mark.fault(58, "imports in the ledger of an earlier version go on")
def test_import_of_an_earlier_ledger_version_goes_on(
    deployment: InMemoryDeployment, target: simulator.Simulator
) -> None:
    older = _stopped(deployment, target)
    added = {"unsettled", "activeUntil", "overtakenBy", "putOff", "rejected"}
    for stored in deployment.tables._tables[IMPORTS_TABLE].values():
        stored.item = {name: value for name, value in stored.item.items() if name not in added}

    assert deployment.resume(older).status is ImportStatus.SUCCEEDED
