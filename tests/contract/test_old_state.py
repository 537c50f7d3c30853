"""An update meets imports that run for days: every later version goes on with what an earlier one has left.

tests/contract/state/ has a record for each released version, which is never made anew. `RECORD=1` before the
test command makes that of a version that has none yet.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.json_object import Json, JsonObject
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.core.names import MANIFEST
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.splitting import job
from bulk_profiles.splitting.checkpoint import OutOfTimeError
from bulk_profiles.splitting.split import split
from tests.worlds.deployable import ROOT
from tests.worlds.deployment import Deployment
from tests.worlds.old_state import FEED, LARGE_FILE, LIMITS, body_of, continue_split, record, restore, text_of
from tests.worlds.splitting import MemoryFile, MemoryFolder, run

STATES = Path(__file__).parent / "state"
EACH_VERSION = pytest.mark.parametrize("path", sorted(STATES.glob("*.json")), ids=lambda path: path.stem)


@pytest.fixture
def deployment(moto_deployment: Deployment) -> Deployment:
    return moto_deployment


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def test_state_of_this_version_is_recorded(deployment: Deployment) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    path = STATES / f"{version}.json"
    if os.environ.get("RECORD") and not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record(deployment), indent=1) + "\n")
    assert path.exists(), "run this test with RECORD=1 in its environment, and commit the record"


@EACH_VERSION
def test_import_of_an_earlier_version_goes_on_to_its_end(path: Path, deployment: Deployment) -> None:
    """Its first batch is settled, and its second one has not been sent."""
    import_id = restore(load(path), deployment)
    deployment.machine.started[import_id] = [1, 2]
    summary = deployment.resume(import_id)
    assert (summary.status, summary.unaccounted) == (ImportStatus.SUCCEEDED, 0)
    assert (summary.profiles.success, summary.rows.sent, summary.rows.rejected) == (4, 4, 1)
    assert deployment.finish(import_id).to_json() | {"finishedAt": ""} == summary.to_json() | {
        "finishedAt": ""
    }


@EACH_VERSION
def test_fields_of_a_later_version_are_passed_over(path: Path, deployment: Deployment) -> None:
    """So an update can be rolled back while imports run."""
    state = load(path)
    for item in state["items"]:
        item["addedLater"] = {"anything": [1]}
    manifest = next(key for key in state["objects"] if key.endswith(MANIFEST))
    later = json.loads(body_of(state["objects"][manifest])) | {"addedLater": 1}
    state["objects"][manifest] = text_of(json.dumps(later).encode())
    import_id = restore(state, deployment)
    deployment.machine.started[import_id] = [1, 2]
    summary = deployment.resume(import_id)
    assert (summary.status, summary.profiles.success) == (ImportStatus.SUCCEEDED, 4)


@EACH_VERSION
def test_optional_fields_may_be_missing(path: Path, deployment: Deployment) -> None:
    """An entry that was written before a field was added has not got it."""
    state, optional = load(path), optional_keys(ImportEntry) | optional_keys(BatchEntry)
    for item in state["items"]:
        if item["pk"].startswith("IMPORT#"):
            for key in optional & item.keys():
                del item[key]
    import_id = restore(state, deployment)
    deployment.machine.started[import_id] = [1, 2]
    assert deployment.resume(import_id).status is ImportStatus.SUCCEEDED


def optional_keys(kind: type[JsonObject]) -> set[str]:
    fields = dataclasses.fields(kind)
    names = (field.name for field in fields if field.metadata.get("optional"))
    return {
        first + "".join(map(str.capitalize, rest)) for first, *rest in (name.split("_") for name in names)
    }


@EACH_VERSION
def test_split_of_an_earlier_version_goes_on_to_the_same_batches(path: Path) -> None:
    expected = run(LARGE_FILE, limits=LIMITS).objects
    assert {
        name: body for name, body in continue_split(load(path)).objects.items() if name in expected
    } == expected


def _split(
    output: MemoryFolder,
    scratch: MemoryFolder,
    checkpoint: Json | None,
    out_of_time: Callable[[], bool] | None = None,
) -> None:
    file = MemoryFile(LARGE_FILE)
    split(file, Feed(), LIMITS, output, scratch=scratch, checkpoint=checkpoint, out_of_time=out_of_time)


@pytest.mark.parametrize("read", [False, True])
def test_merge_of_an_earlier_version_begins_anew(read: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its runs were sorted by id."""
    monkeypatch.setattr(job, "LONG_MERGE", 0)
    output, scratch, checkpoint = MemoryFolder(), MemoryFolder(), None
    go_on = partial(_split, output, scratch)
    while not checkpoint or not checkpoint["merge_runs"]:
        with pytest.raises(OutOfTimeError) as stop:
            go_on(checkpoint, lambda: not read)
        checkpoint = stop.value.checkpoint
    assert (checkpoint["phase"], checkpoint["read"]) == ("gather", read)
    del checkpoint["by_hash"]
    del scratch.objects["by-hash-00000"]
    go_on(checkpoint)
    expected = run(LARGE_FILE, limits=LIMITS).objects
    assert {name: output.objects[name] for name in expected} == expected


def test_hashes_of_an_earlier_version_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their runs had fewer parts, of which the checkpoint said nothing."""
    output, scratch, checkpoint = MemoryFolder(), MemoryFolder(), None
    go_on = partial(_split, output, scratch)
    with monkeypatch.context() as earlier:
        earlier.setattr(job, "PARTS", 64)
        while not checkpoint or not checkpoint["hash_runs"]:
            with pytest.raises(OutOfTimeError) as stop:
                go_on(checkpoint, lambda: True)
            checkpoint = stop.value.checkpoint
    assert (checkpoint["phase"], checkpoint["hash_parts"]) == ("draft", 64)
    del checkpoint["hash_parts"]
    expected = run(LARGE_FILE, limits=LIMITS)
    go_on(checkpoint)
    assert {name: output.objects[name] for name in expected.objects} == expected.objects


def test_other_phases_of_an_earlier_version_go_on() -> None:
    output, scratch, checkpoint = MemoryFolder(), MemoryFolder(), None
    go_on = partial(_split, output, scratch)
    for _ in range(99):
        try:
            go_on(checkpoint, lambda: True)
            break
        except OutOfTimeError as stop:
            checkpoint = stop.checkpoint
            if checkpoint["phase"] != "gather":
                del checkpoint["by_hash"]
    expected = run(LARGE_FILE, limits=LIMITS).objects
    assert {name: output.objects[name] for name in expected} == expected


def test_feed_of_this_version_is_read() -> None:
    assert Feed.from_json(FEED).client_code == "demo"
