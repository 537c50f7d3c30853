"""What nobody else would notice is begun, started again, and counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bulk_profiles.accounting.report import render_text
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.sns import Notices
from bulk_profiles.core.errors import LedgerError, NoticeError
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.core.names import MANIFEST, import_id, object_key
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.sweep_imports import SweepResult
from tests.worlds.deployment import DATA_BUCKET, IMPORTS_TABLE, START, Clock, Deployment
from tests.worlds.in_memory import InMemoryDeployment

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\nu3,Zoe\n"


@pytest.fixture(autouse=True)
def half_an_hour_later(deployment: InMemoryDeployment) -> None:
    deployment.bucket_store.clock = Clock()  # what is dropped was dropped half an hour ago
    deployment.clock.advance(minutes=30)


@pytest.mark.fault(7, "the event is lost")
def test_a_file_whose_event_was_lost_is_imported(deployment: Deployment) -> None:
    dropped = deployment.drop(FILE)

    swept = deployment.sweep()

    assert (swept.looked_at, swept.split) == (1, 1)
    [import_id] = deployment.machine.started
    assert deployment.resume(import_id).status is ImportStatus.SUCCEEDED
    assert deployment.sweep().split == 0
    assert dropped.key


def test_a_file_that_was_just_dropped_is_left_to_its_own_event(deployment: Deployment) -> None:
    deployment.drop(FILE)
    deployment.clock.now = START

    assert deployment.sweep().looked_at == 0


@pytest.mark.parametrize("key", ["drop/crm/_SUCCESS", "drop/crm/", "drop/crm/customers.csv.part"])
def test_what_is_passed_over_is_not_begun(deployment: Deployment, key: str) -> None:
    deployment.drop(FILE, key)

    assert deployment.sweep() == SweepResult()
    assert deployment.topic.messages == []


def test_a_file_of_a_folder_that_cannot_be_a_feed_is_told_once(deployment: Deployment) -> None:
    deployment.drop(FILE, "drop/c r m/customers.csv")

    assert deployment.sweep().split == 1
    assert deployment.sweep().split == 0
    assert len(deployment.topic.messages) == 1


@pytest.mark.fault(7, "a split that died for good")
def test_a_split_that_died_for_good_is_done_again_after_its_lease(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = deployment.drop(FILE)
    with monkeypatch.context() as patch:
        patch.setattr(deployment.machine, "start_execution", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deployment.split(dropped)

    assert deployment.sweep().split == 0
    deployment.clock.advance(minutes=17)
    assert deployment.sweep().split == 1
    assert len(deployment.machine.started) == 1


@pytest.mark.fault(57, "an execution died, or was stopped on purpose")
@pytest.mark.parametrize(
    ("status", "restarted"),
    [("RUNNING", 0), ("ABORTED", 0), ("SUCCEEDED", 0), ("FAILED", 1), ("TIMED_OUT", 1)],
)
def test_an_import_whose_execution_died_is_started_again(
    deployment: Deployment, status: str, restarted: int
) -> None:
    imported = deployment.split(deployment.drop(FILE))
    deployment.machine.statuses[imported.import_id] = status

    assert deployment.sweep().restarted == restarted
    again = [name for name in deployment.machine.started if name != imported.import_id]
    assert len(again) == restarted
    assert all(deployment.machine.started[name] == [1, 2] for name in again)


@pytest.mark.fault(57, "children gave up, and their import was reported")
def test_an_import_with_batches_that_gave_up_is_started_again(deployment: Deployment) -> None:
    imported = deployment.split(deployment.drop(FILE))
    assert deployment.finish(imported.import_id).status is ImportStatus.FAILED
    deployment.machine.statuses[imported.import_id] = "FAILED"

    assert deployment.sweep().restarted == 1
    assert deployment.resume(imported.import_id).status is ImportStatus.SUCCEEDED
    assert deployment.sweep().restarted == 0


def test_overtaken_import_is_looked_after_until_its_batches_have_settled(deployment: Deployment) -> None:
    name = deployment.split(deployment.drop(FILE)).import_id
    deployment.ledger.change_import(
        name, deployment.clock(), lambda entry: replace(entry, overtaken_by="newer")
    )

    assert deployment.sweep().restarted == 0
    deployment.machine.statuses[name] = "FAILED"
    assert deployment.sweep().restarted == 1
    deployment.resume(name)
    assert deployment.sweep().restarted == 0
    entry = deployment.ledger.get_import(name)
    assert entry
    assert entry.reconciled


@pytest.mark.parametrize("days", [2, 5, 8, 30])
def test_sweep_looks_back_less_far_than_the_ledger_remembers(deployment: Deployment, days: int) -> None:
    """Otherwise a file whose import has expired would be imported again."""
    deployment.configure(retention_days=days)
    deployment.drop(FILE)
    deployment.clock.advance(days=min(7, days - 1))
    assert deployment.sweep() == SweepResult()
    deployment.clock.advance(hours=-1)
    assert deployment.sweep().split == 1


def test_import_under_way_is_looked_after_however_old_it_is(deployment: Deployment) -> None:
    imported = deployment.split(deployment.drop(FILE))
    deployment.machine.statuses[imported.import_id] = "FAILED"
    deployment.clock.advance(days=40)

    assert deployment.sweep().restarted == 1
    assert deployment.resume(imported.import_id).status is ImportStatus.SUCCEEDED
    assert deployment.sweep().looked_at == 0


@pytest.mark.parametrize("damage", ["status", "manifest", "not json"])
def test_one_import_that_cannot_be_read_does_not_stop_the_others(
    deployment: InMemoryDeployment, damage: str
) -> None:
    broken = deployment.split(deployment.drop(FILE)).import_id
    sound = deployment.split(deployment.drop(FILE, "drop/default/later.csv")).import_id
    deployment.machine.statuses |= {broken: "FAILED", sound: "FAILED"}
    if damage == "status":
        key = {"pk": f"IMPORT#{broken}", "sk": "IMPORT"}
        deployment.tables.table(IMPORTS_TABLE).put_item(Item={**key, "status": "nonsense"})
    else:
        body = b"{}" if damage == "manifest" else b"{"
        deployment.storage.write(object_key(broken, MANIFEST), body, "application/json")

    result = deployment.sweep()

    assert (list(result.failures), result.restarted, result.looked_at) == ([broken], 1, 2)
    assert result.metrics()["SweepFailures"] == 1
    assert [name for name in deployment.machine.started if name.startswith(f"{sound}-")]


def test_import_that_is_over_is_reconciled_once(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.run(FILE)
    assert deployment.sweep().looked_at == 1
    monkeypatch.setattr(Storage, "read_json", None)
    assert deployment.sweep() == SweepResult(looked_at=1)


@pytest.mark.parametrize("file", [FILE, b"no key column\n"])
def test_notice_that_sns_refused_is_sent_by_the_sweep_once(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, file: bytes
) -> None:
    def refuse(*_: object) -> None:
        raise NoticeError("SNS did not take the message: Throttling.")

    with monkeypatch.context() as patch:
        patch.setattr(Notices, "publish", refuse)
        split = deployment.split(deployment.drop(file))
        summary = split.summary or deployment.resume(split.import_id)
        assert not summary.told
        assert summary.metrics()["NoticesFailed"] == 1
        assert deployment.sweep().told == 0
    deployment.clock.advance(minutes=16)

    assert (deployment.sweep().told, deployment.sweep().told) == (1, 0)
    [message] = deployment.topic.messages
    assert message.startswith(f"Import {split.import_id}: {summary.status_line}\n{render_text(summary)}\n")


def test_list_of_refused_notices_that_cannot_be_written_decides_no_outcome(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An item of DynamoDB has 400 KB at most."""
    with monkeypatch.context() as patch:
        patch.setattr(Notices, "publish", lambda *_: (_ for _ in ()).throw(NoticeError("Throttling.")))
        patch.setattr(
            Ledger, "note_notice", lambda *_, **__: (_ for _ in ()).throw(LedgerError("ValidationException."))
        )
        summary = deployment.run(FILE)
    assert (summary.status, summary.told) == (ImportStatus.SUCCEEDED, False)
    deployment.clock.advance(minutes=16)
    assert deployment.sweep().told == 1


def test_notice_of_an_import_older_than_a_week_is_sent_all_the_same(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then neither its version nor the queue leads to it."""
    imported = deployment.split(deployment.drop(FILE)).import_id
    deployment.clock.advance(days=20)
    with monkeypatch.context() as patch:
        patch.setattr(Notices, "publish", lambda *_: (_ for _ in ()).throw(NoticeError("Throttling.")))
        deployment.resume(imported)
    deployment.clock.advance(minutes=16)

    assert (deployment.sweep().told, deployment.sweep().told) == (1, 0)
    assert deployment.ledger.untold() == []


def test_sums_that_are_off_are_counted(deployment: InMemoryDeployment) -> None:
    summary = deployment.run(FILE)
    del deployment.tables._tables[IMPORTS_TABLE][f"IMPORT#{summary.entry.import_id}", "BATCH#00002"]

    assert deployment.sweep().unaccounted == 1


def test_largest_difference_of_all_imports_is_counted(deployment: InMemoryDeployment) -> None:
    """Whatever the order in which they are looked at."""
    names = [deployment.run(FILE, f"drop/{name}/customers.csv").entry.import_id for name in "abc"]
    table = deployment.tables._tables[IMPORTS_TABLE]
    for name, batch in ((names[0], 2), (names[1], 1), (names[2], 2)):  # of one row, of two, of one
        del table[f"IMPORT#{name}", f"BATCH#0000{batch}"]

    assert deployment.sweep().unaccounted == 2


@pytest.mark.parametrize(
    ("age", "looked_at"),
    [
        (timedelta(minutes=14), 0),
        (timedelta(minutes=16), 1),
        (timedelta(days=6, hours=23), 1),
        (timedelta(days=7, hours=1), 0),
    ],
)
def test_sweep_looks_at_what_was_dropped_within_a_week(
    deployment: Deployment, age: timedelta, looked_at: int
) -> None:
    """An event that was just sent may still come; a week later, all retries of all parts are over."""
    deployment.drop(FILE)
    deployment.clock.now = START + age

    assert deployment.sweep().looked_at == looked_at


def test_sweep_starts_an_execution_again_once_an_hour_at_most(deployment: Deployment) -> None:
    """Two sweeps at once choose the same name, and Step Functions takes a name once."""
    imported = deployment.split(deployment.drop(FILE))
    deployment.machine.statuses[imported.import_id] = "FAILED"
    now = deployment.clock()

    deployment.sweep()

    assert list(deployment.machine.started) == [imported.import_id, f"{imported.import_id}-{now:%Y%m%d%H}"]


def test_rejected_file_is_left_alone(deployment: Deployment) -> None:
    """It has no execution, and nothing to account for."""
    deployment.split(deployment.drop(b"thirdPartyId,name\n,Nobody\n"))

    assert deployment.sweep() == SweepResult(looked_at=1)


def test_split_that_is_under_way_is_left_alone(deployment: Deployment) -> None:
    dropped = deployment.drop(FILE)
    deployment.split(dropped, out_of_time=lambda: True)
    entry = deployment.ledger.get_import(import_id(dropped.bucket, dropped.key, dropped.version_id))
    assert entry is not None
    now = deployment.clock()
    deployment.ledger.change_import(
        entry.import_id, now, lambda entry: replace(entry, lease_until=now + timedelta(seconds=1))
    )
    assert deployment.sweep() == SweepResult(looked_at=1)

    deployment.clock.advance(seconds=1)
    assert deployment.sweep() == SweepResult(looked_at=1, split=1)


def test_import_whose_entry_is_gone_is_left_alone_and_one_without_a_manifest_is_counted(
    deployment: InMemoryDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An expired entry may still be in a queue. What is under way cannot end without its manifest."""
    imported = deployment.split(deployment.drop(FILE)).import_id
    deployment.machine.statuses[imported] = "FAILED"
    deployment.bucket_store.delete_object(Bucket=DATA_BUCKET, Key=object_key(imported, MANIFEST))
    monkeypatch.setattr(Ledger, "under_way", lambda _: ["gone", imported])

    swept = deployment.sweep()

    assert (swept.looked_at, swept.split, swept.restarted) == (2, 0, 0)
    assert swept.failures == {imported: "MissingObjectError"}


def test_import_that_is_over_and_has_no_manifest_any_more_is_left_alone(
    deployment: InMemoryDeployment,
) -> None:
    imported = deployment.run(FILE).entry.import_id
    deployment.bucket_store.delete_object(Bucket=DATA_BUCKET, Key=object_key(imported, MANIFEST))

    assert deployment.sweep() == SweepResult(looked_at=1)


@pytest.mark.parametrize("refused", ["ListObjectVersions", "queue", "notices"])
def test_list_that_cannot_be_read_does_not_stop_the_others(
    deployment: InMemoryDeployment, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    lost = deployment.drop(FILE, "drop/default/lost.csv")
    dead = deployment.split(deployment.drop(FILE)).import_id
    deployment.machine.statuses[dead] = "FAILED"
    table = deployment.tables.table(IMPORTS_TABLE)
    if refused == "queue":
        other = {"pk": "CLIENT#abc", "sk": "QUEUE"}
        table.put_item(Item={"pk": "CLIENTS", "sk": "CLIENTS", "clients": ["abc", "demo"], "version": 9})
        table.put_item(Item={**other, "imports": 5})
    elif refused == "notices":
        table.put_item(Item={"pk": "NOTICES", "sk": "NOTICES", "version": 1})
    else:
        deployment.bucket_store.refuse(refused, "SlowDown")
    name = {"ListObjectVersions": "dropped files", "queue": "queues", "notices": "notices"}[refused]

    result = deployment.sweep_only()

    assert list(result.failures) == [name]
    assert (result.restarted, result.split) == (1, int(refused != "ListObjectVersions"))
    assert lost.key
    if refused == "queue":  # that of the other client was read all the same
        monkeypatch.setattr(Storage, "dropped", lambda *_: iter(()))
        assert deployment.sweep_only().looked_at == 1


def test_refused_notice_is_forgotten_once_nothing_is_left_to_tell(
    deployment: InMemoryDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another execution has told it, or the import has expired: the list must not grow for ever."""
    with monkeypatch.context() as patch:
        patch.setattr(Notices, "publish", lambda *_: (_ for _ in ()).throw(NoticeError("Throttling.")))
        told = deployment.run(FILE).entry.import_id
    deployment.ledger.note_notice("expired", deployment.clock(), told=False)
    deployment.finish(told)
    assert deployment.ledger.untold() == [told, "expired"]

    deployment.sweep()

    assert deployment.ledger.untold() == []
    assert len(deployment.topic.messages) == 1


def test_import_under_way_keeps_what_it_needs_from_the_lifecycle(deployment: InMemoryDeployment) -> None:
    deployment.configure(retention_days=8)
    store, storage, clock = deployment.bucket_store, deployment.storage, deployment.clock
    store.clock = clock
    imported = deployment.split(deployment.drop(FILE)).import_id
    storage.write(object_key(imported, "follow-ups/00001-2.batch"), b"follow-up", "text/csv")
    over = deployment.run(b"thirdPartyId,name\nu4,Hedy\n").entry.import_id
    before = deployment.objects(imported)
    for _ in range(12):
        clock.advance(days=1)
        deployment.sweep()
        store.expire(DATA_BUCKET, "imports/", clock() - timedelta(days=8))

    assert deployment.objects(imported) == {
        name: body for name, body in before.items() if not name.startswith("reject")
    }
    assert deployment.objects(over) == {}
    assert deployment.resume(imported).status is ImportStatus.SUCCEEDED


def test_what_an_import_needs_is_not_written_again_while_it_is_young(deployment: InMemoryDeployment) -> None:
    deployment.split(deployment.drop(FILE))
    deployment.bucket_store.refuse("CopyObject", "SlowDown")
    deployment.clock.advance(days=14)

    assert deployment.sweep().failures == {}


def test_event_that_is_replayed_after_its_import_was_forgotten_is_rejected(
    deployment: InMemoryDeployment,
) -> None:
    """Its execution's name is taken for 90 days: it would be under way for ever, and nobody would notice."""
    deployment.configure(retention_days=2)
    dropped = deployment.drop(FILE)
    imported = deployment.resume(deployment.split(dropped).import_id).entry.import_id
    deployment.clock.advance(days=2, hours=1)
    deployment.tables.expire(IMPORTS_TABLE, "expiresAt", deployment.clock().timestamp())
    assert deployment.ledger.get_import(imported) is None

    replayed = deployment.split(dropped)

    assert replayed.summary is not None
    assert replayed.summary.status is ImportStatus.REJECTED
    assert "dropped more than 2 days ago" in replayed.summary.reason
    assert list(deployment.machine.started) == [imported]
