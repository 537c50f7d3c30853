"""One step of split_file: its limits, its lease, and the manifest that is written once."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import ConflictError
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.core.names import import_id
from bulk_profiles.steps.messages import DroppedObject
from bulk_profiles.steps.split_file import SplitResult
from tests.worlds.deployment import START, Deployment

FILE = b"thirdPartyId,name\n" + b"".join(b"u%d,Ada\n" % number for number in range(10))


def name_of(dropped: DroppedObject) -> str:
    return import_id(dropped.bucket, dropped.key, dropped.version_id)


@pytest.mark.parametrize(
    ("rows_per_day", "max_batch_rows", "rows"),
    [(0, 4, [4, 4, 2]), (3, 4, [3, 3, 3, 1]), (100, 4, [4, 4, 2]), (3, 2, [2] * 5)],
)
def test_batch_has_no_more_rows_than_a_day(
    deployment: Deployment, rows_per_day: int, max_batch_rows: int, rows: list[int]
) -> None:
    """A larger one could go on a day without any other alone."""
    deployment.configure(rows_per_day=rows_per_day, max_batch_rows=max_batch_rows)
    manifest = deployment.split(deployment.drop(FILE)).manifest
    assert manifest is not None
    assert [batch.rows for batch in manifest.batches] == rows


def test_split_in_parts_lets_any_invocation_go_on_at_once(deployment: Deployment) -> None:
    """Lambda invokes the function anew, under another request id, at the same time."""
    dropped = deployment.drop(FILE)
    assert deployment.split(dropped, out_of_time=lambda: True).unfinished
    again = DroppedObject("another event", dropped.bucket, dropped.key, dropped.version_id)
    assert deployment.split(again).manifest is not None


def test_split_in_parts_keeps_its_lease_while_it_works(deployment: Deployment) -> None:
    """However long it works: nobody else begins the same split at the same time."""
    dropped = deployment.drop(FILE)
    rival = DroppedObject("another event", dropped.bucket, dropped.key, dropped.version_id)
    rivals = []

    def a_minute_later() -> bool:
        deployment.clock.advance(minutes=1)
        rivals.append(deployment.split(rival))
        return False

    assert deployment.split(dropped, out_of_time=a_minute_later).manifest is not None
    assert len(rivals) > 3
    assert {(result.manifest, result.unfinished) for result in rivals} == {(None, False)}


def test_split_that_was_taken_over_stops(deployment: Deployment) -> None:
    """It was frozen for longer than its lease: the other one goes on, from the same bytes."""
    dropped = deployment.drop(FILE)
    rival = DroppedObject("another event", dropped.bucket, dropped.key, dropped.version_id)
    results: list[SplitResult] = []

    def frozen() -> bool:
        if not results:
            deployment.clock.advance(minutes=3)
            results.append(deployment.split(rival, out_of_time=lambda: True))
            deployment.clock.advance(minutes=1)
        return False

    with pytest.raises(ConflictError, match="has taken over the split"):
        deployment.split(dropped, out_of_time=frozen)
    assert results[0].unfinished


def test_import_that_ends_before_its_start_is_written_stays_ended(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state machine is fast, and the one who started it may be slow."""
    start = deployment.machine.start_execution

    def ends_at_once(**parameters: Any) -> None:
        start(**parameters)
        assert deployment.resume(parameters["name"]).status is ImportStatus.SUCCEEDED

    monkeypatch.setattr(deployment.machine, "start_execution", ends_at_once)
    result = deployment.split(deployment.drop(FILE))
    entry = deployment.ledger.get_import(result.import_id)
    assert entry is not None
    assert entry.status is ImportStatus.SUCCEEDED


def test_manifest_that_is_there_stays_as_it_is(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches may be on their way by the manifest of the one who was first."""
    dropped = deployment.drop(FILE)
    key = f"imports/{name_of(dropped)}/manifest.json"
    look, looks = Storage.read_json, itertools.count()

    def look_before_it_is_there(storage: Storage, name: str) -> Any:
        return None if name == key and next(looks) == 0 else look(storage, name)

    first = deployment.split(dropped).manifest
    before = deployment.s3.list_object_versions(Bucket="data-bucket", Prefix=key)["Versions"]
    assert first is not None
    deployment.ledger.change_import(
        name_of(dropped), START, lambda entry: dataclasses.replace(entry, status=ImportStatus.SPLITTING)
    )
    monkeypatch.setattr(Storage, "read_json", look_before_it_is_there)
    assert deployment.split(dropped).manifest == first
    assert deployment.s3.list_object_versions(Bucket="data-bucket", Prefix=key)["Versions"] == before
