"""Faults 1 to 10: how a file may arrive."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend

import simulator
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.steps.messages import DroppedObject
from bulk_profiles.steps.split_file import SplitResult
from tests.faults.test_whole_import import freeze_s3_a_minute_later
from tests.worlds.application import Application, deployed
from tests.worlds.deployment import DROP_BUCKET, Deployment

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\nu3,Linus\n"


@pytest.fixture
def application(target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """The functions, deployed in this process."""
    with mock_aws():
        yield deployed(target, monkeypatch)


@pytest.fixture
def atomic_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make conditional writes atomic, as in DynamoDB: moto checks the condition first and writes after it."""
    lock = threading.RLock()

    def locked(write: Callable[..., Any]) -> Callable[..., Any]:
        def one_at_a_time(*arguments: Any, **named: Any) -> Any:
            with lock:
                return write(*arguments, **named)

        return one_at_a_time

    for name in ("put_item", "update_item", "transact_write_items"):
        monkeypatch.setattr(DynamoDBBackend, name, locked(getattr(DynamoDBBackend, name)))


@pytest.mark.fault(2, "four events for one file at once")
@pytest.mark.usefixtures("atomic_writes")
def test_split_four_events_at_once_start_one_import(deployment: Deployment) -> None:
    dropped = deployment.drop(FILE)
    together = threading.Barrier(4)

    def split(event: str) -> SplitResult:
        together.wait()
        return deployment.split(replace(dropped, event_id=event))

    with ThreadPoolExecutor(4) as pool:
        imports = list(pool.map(split, ["event-1", "event-2", "event-3", "event-4"]))

    assert [imported.manifest is not None for imported in imports].count(True) == 1
    assert deployment.machine.started == {imports[0].import_id: [1, 2]}
    assert deployment.resume(imports[0].import_id).status is ImportStatus.SUCCEEDED


@pytest.mark.fault(2, "the same event delivered to two invocations at once")
@pytest.mark.usefixtures("atomic_writes")
def test_split_one_event_twice_at_once_starts_one_import(deployment: Deployment) -> None:
    dropped = deployment.drop(FILE)
    together = threading.Barrier(2)

    def split(_: int) -> SplitResult:
        together.wait()
        return deployment.split(dropped)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(split, range(2))

    assert first.import_id == second.import_id
    assert deployment.machine.started == {first.import_id: [1, 2]}
    assert deployment.resume(first.import_id).status is ImportStatus.SUCCEEDED


@pytest.mark.fault(4, "new content under the same key")
def test_import_each_version_of_a_key_sends_its_own_rows(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    first = deployment.split(deployment.drop(FILE))
    second = deployment.split(deployment.drop(b"thirdPartyId,name\nu9,Zoe\n"))

    assert first.import_id != second.import_id
    assert deployment.resume(first.import_id).rows.sent == 3
    assert deployment.resume(second.import_id).rows.sent == 1
    assert sorted(target.profile_ids()) == ["u1", "u2", "u3", "u9"]


@pytest.mark.fault(6, "the object is gone before it is read")
def test_split_deleted_file_is_rejected_with_a_reason(deployment: Deployment) -> None:
    dropped = deployment.drop(FILE)
    deployment.s3.delete_object(Bucket=DROP_BUCKET, Key=dropped.key, VersionId=dropped.version_id)

    imported = deployment.split(dropped)
    again = deployment.split(dropped)

    assert imported.summary is not None
    assert "deleted before it could be read" in imported.summary.reason
    assert again.summary is None  # the platform's second try finds it ended
    assert len(deployment.topic.messages) == 1


@pytest.mark.fault(6, "the object is deleted before its event arrives; its version is still there")
def test_split_file_below_a_delete_marker_is_rejected_and_told(deployment: Deployment) -> None:
    dropped = deployment.drop(FILE)
    deployment.s3.delete_object(Bucket=DROP_BUCKET, Key=dropped.key)

    imported = deployment.split(dropped)

    assert imported.summary is not None
    assert imported.summary.status is ImportStatus.REJECTED
    assert "deleted before it could be read" in imported.summary.reason
    assert deployment.machine.started == {}
    assert len(deployment.topic.messages) == 1


@pytest.mark.fault(6, "the version is gone, and a newer one is there")
def test_split_deleted_version_below_a_newer_one_is_rejected(deployment: Deployment) -> None:
    dropped = deployment.drop(FILE)
    deployment.drop(FILE + b"u4,Dennis\n")
    deployment.s3.delete_object(Bucket=DROP_BUCKET, Key=dropped.key, VersionId=dropped.version_id)

    imported = deployment.split(dropped)

    assert imported.summary is not None
    assert "deleted before it could be read" in imported.summary.reason


def test_split_that_has_begun_goes_on_when_its_file_is_deleted(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    dropped = deployment.drop(FILE)
    assert deployment.split(dropped, lambda: True).unfinished
    deployment.s3.delete_object(Bucket=DROP_BUCKET, Key=dropped.key)

    imported = deployment.split(dropped)

    assert deployment.resume(imported.import_id).status is ImportStatus.SUCCEEDED
    assert sorted(target.profile_ids()) == ["u1", "u2", "u3"]


KEYS = [
    "drop/default/with spaces and + and % and %2B.csv",
    "drop/default/Übersicht für Łódź.csv",
    "drop/default/😀.csv",
    "drop/default/a?versionId=b&c=d#e.csv",
    "drop/default/" + "k" * (1024 - len("drop/default/.csv")) + ".csv",
    "drop/default/../../up.csv",
    "drop/Crm_2.eu-west/kunden.csv",
    "drop/no-feed.csv",
]


@pytest.mark.fault(8, "keys with spaces, +, %, accents, emoji, 1,024 bytes")
@pytest.mark.parametrize("key", KEYS)
def test_import_any_object_key_succeeds(deployment: Deployment, key: str) -> None:
    summary = deployment.run(FILE, key)

    assert summary.status is ImportStatus.SUCCEEDED
    assert summary.entry.source.key == key


PASSED_OVER = {
    "drop/default/": "it is the marker of a folder",
    "drop/crm/_SUCCESS": "a name in its path begins with _",
    "drop/crm/_temporary/0/part-0000.csv": "a name in its path begins with _",
    "drop/crm/.customers.csv.crc": "a name in its path begins with .",
    "drop/crm/customers.csv.filepart": "its name ends in .filepart",
}


@pytest.mark.fault(9, "markers of folders, temporary and hidden names, checksums")
@pytest.mark.parametrize("key", PASSED_OVER)
def test_split_file_passes_over_what_is_beside_the_files(
    application: Application, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    answer = application.invoke("split_file", application.drop(FILE, key))

    assert answer == {"importId": None, "status": "ignored"}
    [line] = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert (line["message"], line["reason"]) == ("Not a dropped file: nothing to do", PASSED_OVER[key])
    assert key not in json.dumps(line)
    assert application.items() == []
    assert application.objects() == {}


@pytest.mark.fault(9, "a file beside drop/, or below a folder that cannot be a feed")
@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("customers.csv", "The file is not below drop/"),
        ("imports/a-0123/batches/00001.batch", "The file is not below drop/"),
        ("Drop/crm/customers.csv", "The file is not below drop/"),
        ("drop/c r m/customers.csv", "The folder below drop/ cannot be a feed"),
    ],
)
def test_split_misplaced_file_is_rejected_and_told(deployment: Deployment, key: str, words: str) -> None:
    dropped = deployment.drop(FILE, key)

    rejected = deployment.split(dropped)
    again = deployment.split(dropped)

    assert rejected.summary is not None
    assert rejected.summary.status is ImportStatus.REJECTED
    assert rejected.summary.reason.startswith(words)
    assert again.summary is None
    [message] = deployment.topic.messages
    assert words in message
    assert key in message
    assert set(deployment.objects(rejected.import_id)) == {"summary.json", "report.html"}
    assert deployment.machine.started == {}


@pytest.mark.fault(10, "a file that is overwritten while it is read")
def test_split_overwritten_file_reads_the_version_of_the_event(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    dropped = deployment.drop(FILE)
    deployment.drop(b"thirdPartyId,name\nother,Nobody\n", dropped.key)

    imported = deployment.split(dropped)

    assert deployment.resume(imported.import_id).rows.sent == 3
    assert sorted(target.profile_ids()) == ["u1", "u2", "u3"]


@pytest.mark.fault(10, "an event that names no version")
def test_split_event_without_version_reads_the_newest(deployment: Deployment) -> None:
    deployment.drop(FILE)
    newest = deployment.drop(FILE + b"u4,Dennis\n")

    imported = deployment.split(DroppedObject("event-9", newest.bucket, newest.key, ""))

    assert imported.manifest is not None
    assert imported.manifest.source.version_id == newest.version_id


@pytest.mark.fault(
    3, "a newer version arrives, and the split of an older one that was started is tried again"
)
def test_split_started_import_survives_a_newer_version(
    deployment: Deployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = deployment.drop(b"thirdPartyId,name\nu1,older\n")
    with freeze_s3_a_minute_later():
        newer = deployment.drop(b"thirdPartyId,name\nu1,newer\n")
    start = deployment.machine.start_execution

    def start_and_die(**state: Any) -> None:
        start(**state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(deployment.machine, "start_execution", start_and_die)
        with pytest.raises(KeyboardInterrupt):
            deployment.split(older)
    [import_id] = deployment.machine.started
    second = deployment.split(newer)

    again = deployment.split(older)

    assert again.summary is None  # its execution runs: whatever it sent must be accounted for
    deployment.resume(import_id)
    deployment.resume(second.import_id)
    assert target.profile("u1") == {"name": "newer"}


def test_rejected_file_is_among_the_executions_with_its_sentence(deployment: Deployment) -> None:
    rejected = deployment.split(deployment.drop(b"no key column\n"))
    assert rejected.summary is not None
    given = json.loads(deployment.machine.inputs[rejected.import_id])
    reason = rejected.summary.reason
    assert given == {"importId": rejected.import_id, "batches": [], "rejected": reason}


def test_rejected_file_whose_execution_cannot_be_started_is_rejected_all_the_same(
    deployment: Deployment,
) -> None:
    deployment.machine.refuse("StartExecution", "ThrottlingException", 1)
    rejected = deployment.split(deployment.drop(b"no key column\n"))
    assert rejected.summary is not None
    assert deployment.machine.inputs == {}


def test_sweep_does_not_start_the_execution_of_a_rejected_file_again(deployment: Deployment) -> None:
    rejected = deployment.split(deployment.drop(b"no key column\n"))
    deployment.machine.statuses[rejected.import_id] = "FAILED"
    deployment.clock.now = datetime.now(UTC) + timedelta(hours=1)  # moto tells its own time
    swept = deployment.sweep_only()
    assert (swept.looked_at, swept.split, swept.restarted, swept.failures) == (1, 0, 0, {})
    assert list(deployment.machine.inputs) == [rejected.import_id]
