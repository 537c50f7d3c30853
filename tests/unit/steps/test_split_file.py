"""A dropped file becomes an import, whatever happens on the way."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from bulk_profiles.aws.events import Events
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.sns import Notices
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.errors import StorageError
from bulk_profiles.core.models import ApiVersion, ImportStatus, RowCounts
from bulk_profiles.core.names import import_id
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.splitting.checkpoint import OutOfTimeError
from bulk_profiles.steps import split_file
from bulk_profiles.steps.messages import DroppedObject
from bulk_profiles.steps.settings import SplitFileSettings, UnknownFeeds
from bulk_profiles.steps.split_file import SplitFile, SplitResult
from tests.worlds.aws.events import Bus
from tests.worlds.aws.sns import Topic
from tests.worlds.aws.step_functions import Machine
from tests.worlds.deployment import DATA_BUCKET, DROP_BUCKET, IMPORTS_TABLE, Deployment
from tests.worlds.in_memory import InMemoryDeployment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
FILE = b"name,thirdPartyId,city\nAda,u1,London\nGrace,u2,New York\nNobody,,Nowhere\nAda L,u1,\n"


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
def drop(s3: S3Client) -> Callable[..., DroppedObject]:
    def put(body: bytes, key: str = "drop/default/customers.csv", event: str = "event-1") -> DroppedObject:
        version = s3.put_object(Bucket=DROP_BUCKET, Key=key, Body=body)["VersionId"]
        return DroppedObject(event, DROP_BUCKET, key, version)

    return put


@pytest.fixture
def run(storage: Storage, ledger: Ledger, machine: Machine, topic: Topic) -> Callable[..., SplitResult]:
    settings = SplitFileSettings(
        data_bucket=DATA_BUCKET,
        imports_table="imports",
        state_machine_arn="arn",
        topic_arn="arn",
        client_code="demo",
        api_version=ApiVersion.V2,
        max_batch_rows=1,
        max_batch_bytes=49_999_999,
        rows_per_day=0,
        separator_in_value="encode",
        verify_sample=0,
        counts_only="isolate",
        max_rejected_percent=10,
        deadline_hours=24,
        time_zone="UTC",
        retention_days=30,
    )

    def start(dropped: DroppedObject, now: datetime = NOW) -> SplitResult:
        step = SplitFile(
            settings,
            storage,
            ledger,
            Executions(machine, "arn"),  # type: ignore[arg-type]  # stands at the boundary
            Notices(topic, "arn"),  # type: ignore[arg-type]  # stands at the boundary
            Events(Bus()),  # type: ignore[arg-type]  # stands at the boundary
            lambda: now,
        )
        return step.run(dropped)

    return start


def test_a_file_is_split_entered_and_started(
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    storage: Storage,
    ledger: Ledger,
    machine: Machine,
) -> None:
    imported = run(drop(FILE))

    assert imported.manifest is not None
    assert imported.manifest.rows.to_json() == {
        "read": 4,
        "rejected": 1,
        "merged": 1,
        "skipped": 0,
        "sent": 2,
    }
    assert machine.started == {imported.import_id: [1, 2]}
    assert [batch.rows for batch in ledger.batches(imported.import_id)] == [1, 1]
    entry = ledger.get_import(imported.import_id)
    assert entry is not None
    assert entry.status is ImportStatus.UPLOADING
    with storage.open(f"imports/{imported.import_id}/batches/00001.batch") as body:
        assert body.read().startswith(b"batch=thirdPartyId,name,city\nu1,Ada%20L,London")


@pytest.mark.fault(1, "the same event again")
def test_the_same_event_again_changes_nothing(
    drop: Callable[..., DroppedObject], run: Callable[..., SplitResult], machine: Machine
) -> None:
    dropped = drop(FILE)
    run(dropped)
    machine.started.clear()

    again = run(dropped)

    assert again.manifest is None
    assert again.summary is None
    assert machine.started == {}


@pytest.mark.fault(4, "new content under the same key")
def test_new_content_under_the_same_key_is_a_new_import(
    drop: Callable[..., DroppedObject], run: Callable[..., SplitResult]
) -> None:
    first, second = run(drop(FILE)), run(drop(FILE + b"Linus,u3,Oslo\n"))

    assert first.import_id != second.import_id
    assert second.manifest is not None


@pytest.mark.fault(2, "a second event while the split runs, and after it died")
def test_a_second_event_leaves_a_live_split_alone_and_takes_over_a_dead_one(
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dropped = drop(FILE)
    rival = DroppedObject("event-2", dropped.bucket, dropped.key, dropped.version_id)
    with monkeypatch.context() as patch:
        patch.setattr(machine, "start_execution", lambda **_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(dropped)

    assert run(rival).manifest is None
    assert run(rival, NOW + timedelta(minutes=3)).manifest is not None
    assert len(machine.started) == 1


def test_a_killed_split_is_finished_by_the_platforms_second_try(
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dropped = drop(FILE)
    with monkeypatch.context() as patch:
        patch.setattr(machine, "start_execution", lambda **_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(dropped)

    assert run(dropped).manifest is not None
    assert len(machine.started) == 1


@pytest.mark.fault(51, "a split that dies when its batches are on their way")
@pytest.mark.parametrize("gone", [False, True])
def test_what_is_split_is_never_split_again(
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    s3: S3Client,
    monkeypatch: pytest.MonkeyPatch,
    *,
    gone: bool,
) -> None:
    dropped = drop(FILE)
    with monkeypatch.context() as patch:
        patch.setattr(split_file, "_started", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(dropped)
    before = s3.list_object_versions(Bucket=DATA_BUCKET)["Versions"]
    if gone:
        s3.delete_object(Bucket=dropped.bucket, Key=dropped.key, VersionId=dropped.version_id)

    again = run(dropped)

    assert again.manifest is not None
    assert again.summary is None
    assert s3.list_object_versions(Bucket=DATA_BUCKET)["Versions"] == before


@pytest.mark.fault(11, "zero bytes")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"name,city\nAda,London\n", "thirdPartyId"),
        (b"thirdPartyId,a,a\n1,2,3\n", "a"),
    ],
)
def test_a_file_that_cannot_be_read_is_rejected_with_a_sentence(
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    storage: Storage,
    machine: Machine,
    topic: Topic,
    body: bytes,
    words: str,
) -> None:
    imported = run(drop(body))

    assert imported.summary is not None
    summary = storage.read_json(f"imports/{imported.import_id}/summary.json")
    assert summary is not None
    assert summary["status"] == "rejected"
    assert words in summary["reason"]
    assert summary["unaccounted"] == 0
    assert machine.started == {}
    assert "rejected" in topic.messages[0]


@pytest.mark.fault(6, "the object is gone before it is read")
def test_a_file_that_is_gone_is_rejected(
    drop: Callable[..., DroppedObject], run: Callable[..., SplitResult], s3: S3Client
) -> None:
    dropped = drop(FILE)
    s3.delete_object(Bucket=DROP_BUCKET, Key=dropped.key, VersionId=dropped.version_id)

    imported = run(dropped)

    assert imported.summary is not None
    assert "deleted before it could be read" in imported.summary.reason


def test_a_feed_without_sense_rejects_the_file(
    drop: Callable[..., DroppedObject], run: Callable[..., SplitResult], storage: Storage
) -> None:
    storage.write_json("feeds/crm.json", {"apiVersion": "v3"})

    imported = run(drop(FILE, key="drop/crm/customers.csv"))

    assert imported.summary is not None
    assert "apiVersion" in imported.summary.reason


NOTHING_TO_SEND = [
    (b"thirdPartyId,name\n", RowCounts(), "the file has a header and no rows"),
    (b"thirdPartyId\nu1\nu2\n", RowCounts(read=2, skipped=2), "no row of the 2 read has a value"),
    (b"thirdPartyId,name\nu1,\nu1,\n", RowCounts(read=2, merged=1, skipped=1), "no row of the 2 read"),
    (b"thirdPartyId,name\n,x\n,y\n,z\n", RowCounts(read=3, rejected=3), "3 rows rejected of 3 read"),
    (b"thirdPartyId,name\n,x\nu1,\n", RowCounts(read=2, rejected=1, skipped=1), "1 row rejected of 2 read"),
]


@pytest.mark.fault(12, "a header and no rows")
@pytest.mark.parametrize(("body", "rows", "words"), NOTHING_TO_SEND)
def test_a_file_of_which_nothing_can_be_sent_is_rejected_before_anything_else(
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    storage: Storage,
    ledger: Ledger,
    machine: Machine,
    topic: Topic,
    body: bytes,
    rows: RowCounts,
    words: str,
) -> None:
    dropped = drop(body)
    imported = run(dropped)

    summary = storage.read_json(f"imports/{imported.import_id}/summary.json")
    assert summary is not None
    assert summary["status"] == "rejected"
    assert summary["reason"].startswith("Nothing can be sent: ")
    assert words in summary["reason"]
    assert summary["rows"] == rows.to_json()
    assert sum(summary["rejects"].values()) == rows.rejected
    assert summary["keyColumn"] == "thirdPartyId"
    assert summary["source"]["sha256"] == hashlib.sha256(body).hexdigest()
    assert summary["unaccounted"] == 0
    assert machine.started == {}
    assert list(ledger.batches(imported.import_id)) == []
    assert not ledger.is_queued("demo", imported.import_id)
    entry = ledger.get_import(imported.import_id)
    assert entry is not None
    assert (entry.status, entry.rejected) == (ImportStatus.REJECTED, rows.rejected)
    assert topic.messages[0].startswith(f"Import {imported.import_id}: rejected\n")
    names = {name for name in storage.names(imported.import_id, "") if not name.startswith("scratch/")}
    kept = {"rejected-rows.csv"} if rows.rejected else set[str]()
    assert names == {"manifest.json", "summary.json", "report.html"} | kept
    assert run(dropped).summary is None  # the same event again


def test_a_file_of_rejects_keeps_their_rows_with_notes(
    drop: Callable[..., DroppedObject], run: Callable[..., SplitResult], storage: Storage
) -> None:
    imported = run(drop(b"thirdPartyId,name\n,x\n,y\n"))

    folder = f"imports/{imported.import_id}"
    with storage.open(f"{folder}/rejected-rows.csv") as rejected:
        rows = rejected.read().decode("utf-8-sig").splitlines()
    assert [row.split(",")[:4] for row in rows[1:]] == [
        ["", "x", "2", "empty_id: thirdPartyId"],
        ["", "y", "3", "empty_id: thirdPartyId"],
    ]
    manifest = storage.read_json(f"{folder}/manifest.json")
    assert manifest is not None
    assert manifest["rejectedRows"] == "rejected-rows.csv"
    for name in ("manifest.json", "summary.json"):
        data = storage.read_json(f"{folder}/{name}")
        assert data is not None
        assert data["examples"] == {"rejects": {"empty_id": [2, 3]}, "warnings": {}, "columns": {}}
    with storage.open(f"{folder}/report.html") as report:
        assert b"lines 2, 3" in report.read()


def test_a_rejected_file_whose_end_was_interrupted_is_ended_by_the_next_try(
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    machine: Machine,
    topic: Topic,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dropped = drop(b"thirdPartyId,name\n,x\n")
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "change_import", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(dropped)

    imported = run(dropped)

    assert imported.summary is not None
    assert imported.summary.status is ImportStatus.REJECTED
    assert imported.summary.rows.rejected == 1
    assert machine.started == {}
    assert len(topic.messages) == 1


@pytest.mark.parametrize(
    ("feed", "percent"),
    [(None, 10), ({}, 10), ({"maxRejectedPercent": None}, 10), ({"maxRejectedPercent": 0}, 0)],
)
def test_the_limit_of_rejected_rows_is_pinned_when_the_import_begins(
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    storage: Storage,
    ledger: Ledger,
    feed: dict[str, int] | None,
    percent: int,
) -> None:
    if feed is not None:
        storage.write_json("feeds/crm.json", feed)
    imported = run(drop(FILE, key="drop/crm/customers.csv"))
    storage.write_json("feeds/crm.json", {"maxRejectedPercent": 77})

    entry = ledger.get_import(imported.import_id)

    assert entry is not None
    assert entry.settings["feed"]["maxRejectedPercent"] == percent


def test_import_knows_the_stack_that_the_commands_in_its_report_name(deployment: InMemoryDeployment) -> None:
    deployment.configure(stack_name="crm")
    imported = deployment.split(deployment.drop(FILE))
    entry = deployment.ledger.get_import(imported.import_id)
    assert entry is not None
    assert entry.stack == "crm"


def test_an_unknown_feed_is_rejected_with_the_known_ones_where_the_operator_wants_it(
    deployment: InMemoryDeployment,
) -> None:
    for feed in ("crm", "web"):
        deployment.storage.write_json(f"feeds/{feed}.json", {})
    assert deployment.split(deployment.drop(FILE, "drop/crn/a.csv")).manifest is not None
    deployment.configure(unknown_feeds=UnknownFeeds.REJECT)
    assert deployment.split(deployment.drop(FILE, "drop/crm/a.csv")).manifest is not None
    assert deployment.split(deployment.drop(FILE, "drop/default/a.csv")).manifest is not None
    summary = deployment.split(deployment.drop(FILE, "drop/crn/b.csv")).summary
    assert summary is not None
    assert summary.status is ImportStatus.REJECTED
    assert summary.reason == (
        "There is no feed crn: drop the file into the folder of one of crm, default, web, or write "
        "feeds/crn.json into the Data bucket. Did you mean crm?"
    )


def test_the_known_feeds_are_not_all_listed_where_there_are_many(deployment: InMemoryDeployment) -> None:
    for number in range(30):
        deployment.storage.write_json(f"feeds/feed-{number:02}.json", {})
    deployment.configure(unknown_feeds=UnknownFeeds.REJECT)
    summary = deployment.split(deployment.drop(FILE, "drop/x/b.csv")).summary
    assert summary is not None
    assert "feed-18, ..., or write" in summary.reason


def test_a_feed_that_is_no_object_rejects_the_file(
    drop: Callable[..., DroppedObject], run: Callable[..., SplitResult], s3: S3Client
) -> None:
    s3.put_object(Bucket=DATA_BUCKET, Key="feeds/crm.json", Body=b'["shortRows"]')

    imported = run(drop(FILE, key="drop/crm/customers.csv"))

    assert imported.summary is not None
    assert "the feed must be an object" in imported.summary.reason


@pytest.mark.parametrize("configured", [b'{"delimiter": ";",}', b"", b"[]", b'"x"', b"0"])
def test_a_feed_that_is_not_a_json_object_rejects_the_file_and_is_named(
    storage: Storage,
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    configured: bytes,
) -> None:
    storage.write("feeds/default.json", configured, "application/json")
    summary = run(drop(FILE)).summary
    assert summary is not None
    assert summary.status is ImportStatus.REJECTED
    assert re.search(r"feeds/default\.json is not JSON|must be an object", summary.reason)


@pytest.mark.parametrize(
    ("operation", "code"),
    [("head_object", "403"), ("get_object", "AccessDenied"), ("get_object", "InvalidObjectState")],
)
def test_a_file_that_s3_refuses_for_good_is_rejected_with_its_code(
    s3: S3Client,
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    topic: Topic,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    code: str,
) -> None:
    dropped, call = drop(FILE), getattr(s3, operation)

    def refuse(**request: Any) -> Any:
        if request["Bucket"] == DROP_BUCKET:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
        return call(**request)

    monkeypatch.setattr(s3, operation, refuse)
    summary = run(dropped).summary
    assert summary is not None
    assert (summary.status, len(topic.messages)) == (ImportStatus.REJECTED, 1)
    assert f": {code}. " in summary.reason
    assert summary.reason.endswith("drop the file again.")


@pytest.mark.parametrize("operation", ["get_object", "put_object"])
def test_a_data_bucket_that_s3_refuses_does_not_reject_the_file(
    s3: S3Client,
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    topic: Topic,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
) -> None:
    """The file is not to blame: the operator mends the permission, and the split is tried again."""
    dropped, call = drop(FILE), getattr(s3, operation)

    def refuse(**request: Any) -> Any:
        if request["Bucket"] == DATA_BUCKET:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)
        return call(**request)

    with monkeypatch.context() as patch:
        patch.setattr(s3, operation, refuse)
        with pytest.raises(StorageError, match="AccessDenied"):
            run(dropped)
    assert topic.messages == []
    assert run(dropped).manifest is not None


def test_a_file_with_which_every_split_fails_is_rejected_in_the_end(
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dropped = drop(FILE)

    def fail(*_: object, **__: object) -> None:
        raise StorageError("S3 did not write 'a': SlowDown.")

    monkeypatch.setattr(split_file, "split", fail)
    for _ in range(24):
        with pytest.raises(StorageError):
            run(dropped)
    result = run(dropped)
    assert result.summary is not None
    assert result.summary.status is ImportStatus.REJECTED
    assert "24 times" in result.summary.reason
    assert "S3 did not write 'a': SlowDown." in result.summary.reason


def test_an_error_from_elsewhere_leaves_its_type_alone_in_the_ledger(
    ledger: Ledger,
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its message could quote a row."""

    def fail(*_: object, **__: object) -> None:
        raise ValueError("Ada, 12 Main Street")

    monkeypatch.setattr(split_file, "split", fail)
    dropped = drop(FILE)
    with pytest.raises(ValueError, match="Ada"):
        run(dropped)
    entry = ledger.get_import(import_id(dropped.bucket, dropped.key, dropped.version_id))
    assert entry is not None
    assert (entry.tries, entry.last_error) == (1, "The step failed: ValueError.")


def test_a_long_split_that_makes_progress_is_never_given_up(
    ledger: Ledger,
    drop: Callable[..., DroppedObject],
    run: Callable[..., SplitResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise OutOfTimeError({})

    dropped = drop(FILE)
    with monkeypatch.context() as patch:
        patch.setattr(split_file, "split", stop)
        for _ in range(30):
            assert run(dropped).unfinished
    entry = ledger.get_import(import_id(dropped.bucket, dropped.key, dropped.version_id))
    assert entry is not None
    assert entry.tries == 0


def test_an_earlier_import_that_cannot_be_read_does_not_stop_a_later_one(
    drop: Callable[..., DroppedObject], run: Callable[..., SplitResult]
) -> None:
    """Nobody can send the batches of the earlier one."""
    earlier = run(drop(FILE)).import_id
    boto3.resource("dynamodb").Table(IMPORTS_TABLE).put_item(
        Item={"pk": f"IMPORT#{earlier}", "sk": "IMPORT", "status": "nonsense"}
    )
    assert run(drop(FILE, "drop/default/later.csv")).manifest is not None


def test_a_file_that_would_take_longer_than_its_batches_are_kept_is_rejected(deployment: Deployment) -> None:
    """Nothing live ever expires: what cannot be sent in time is not begun."""
    rows = b"".join(b"u%d,Ada\n" % number for number in range(30))
    deployment.configure(rows_per_day=1)
    summary = deployment.split(deployment.drop(b"thirdPartyId,name\n,Nobody\n" + rows)).summary
    assert summary is not None
    assert summary.status is ImportStatus.REJECTED
    assert "would take 31 days, and its batches are kept for 30" in summary.reason
    assert summary.rejects == {"empty_id": 1, "too_long_to_send": 30}
    assert (summary.rows.read, summary.rows.rejected, summary.unaccounted) == (31, 31, 0)
    assert deployment.machine.started == {}

    deployment.configure(rows_per_day=2)
    assert deployment.split(deployment.drop(b"thirdPartyId,name\n" + rows)).manifest is not None


@pytest.mark.parametrize(
    ("feed", "reason"),
    [
        ({"nullValues": [f"v{number}" for number in range(60_000)]}, "is larger than 100,000 bytes"),
        ({f"f{number}": 1 for number in range(8_000)}, "f1"),
    ],
)
def test_feed_that_no_entry_could_hold_rejects_its_file(
    deployment: Deployment, feed: dict[str, Any], reason: str
) -> None:
    """An item of DynamoDB has 400 KB at most, with the feed, or with the reason and the notice."""
    deployment.storage.write_json("feeds/crm.json", feed)
    import_id = deployment.split(deployment.drop(b"thirdPartyId,name\nu1,Ada\n", "drop/crm/a.csv")).import_id
    entry = deployment.ledger.get_import(import_id)
    assert entry is not None
    assert entry.status is ImportStatus.REJECTED
    assert reason in entry.reason
    assert len(deployment.topic.messages) == 1
