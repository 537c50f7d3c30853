"""The whole stack on the local engine, with a Target in this process."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bulk_profiles.core.names import import_prefix
from local.deployment import Deployment, deployment
from local.imports import Import, drop, follow
from simulator import Settings, Simulator, running

PATIENCE_SECONDS = 90
PARAMETERS = {
    "ClientCode": "demo",
    "MaxBatchRows": "500",
    "CallsPerMinute": "3000",
    "FirstCheckSeconds": "1",
    "MaxCheckSeconds": "2",
}
_USUAL = Settings(completion_seconds=0.5, calls_per_minute=0)


def wait_until(done: Callable[[], bool]) -> None:
    """Look until something is so, within patience."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline


@dataclass(frozen=True, slots=True)
class Ended:
    """An import at its end: its summary, its objects in the Data bucket by name, what Target received."""

    import_id: str
    summary: dict[str, Any]
    objects: dict[str, bytes]
    received: dict[str, bytes]  # bodies that Target took in, by their SHA-256
    arrivals: list[str]  # SHA-256 of each of them, in order

    def profiles(self) -> list[dict[str, str]]:
        """Give all profile results, in the order of the batches."""
        names = sorted(name for name in self.objects if name.startswith("profiles/"))
        texts = (gzip.decompress(self.objects[name]).decode() for name in names)
        return [row for text in texts for row in csv.DictReader(io.StringIO(text))]

    def assert_accounted(self) -> None:
        """Hold the summary against itself, the manifest, the results and what Target received."""
        rows, profiles = self.summary["rows"], self.summary["profiles"]
        assert rows["read"] == rows["rejected"] + rows["merged"] + rows["skipped"] + rows["sent"]
        assert rows["rejected"] == sum(self.summary["rejects"].values())
        assert rows["sent"] == sum(profiles.values()) == sum(b["rows"] for b in self.summary["batches"])
        assert self.summary["unaccounted"] == 0
        manifest = json.loads(self.objects["manifest.json"])
        planned = {batch["number"]: batch["sha256"] for batch in manifest["batches"]}
        assert {batch["number"]: batch["sha256"] for batch in self.summary["batches"]} == planned
        assert set(planned.values()) <= self.received.keys()
        results = self.profiles()
        assert len({row["profile_id"] for row in results}) == len(results) == rows["sent"]
        counted = {status: sum(row["status"] == status for row in results) for status in profiles}
        assert counted == profiles


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack and its Target."""

    deployment: Deployment
    target: Simulator
    folder: Path

    def bring(
        self, name: str, content: bytes, feed: str = "default", configuration: dict[str, Any] | None = None
    ) -> Ended:
        """Drop a file and wait for the end of its import."""
        file = self.folder / name
        file.write_bytes(content)
        before = len(self.target.requests)
        written = None if configuration is None else json.dumps(configuration).encode()
        dropped = drop(self.deployment, file, feed, written)
        summary = follow(dropped, lambda _: None, patience_seconds=PATIENCE_SECONDS)
        taken = [r for r in self.target.requests[before:] if r.method == "POST" and r.batch_id]
        return Ended(
            dropped.import_id,
            summary,
            self.objects(dropped),
            {request.sha256: self.target.body(request.number) for request in taken},
            [request.sha256 for request in taken],
        )

    def objects(self, dropped: Import) -> dict[str, bytes]:
        """Give all objects of an import by name."""
        s3, bucket = self.deployment.engine.s3, self.deployment.outputs["DataBucketName"]
        prefix = import_prefix(dropped.import_id)
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return {
            item["Key"].removeprefix(prefix): s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            for item in listed
        }


@pytest.fixture(scope="session")
def _deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("engine")
    with (
        running(_USUAL) as target,
        deployment(folder, PARAMETERS, target=target.url) as deployed,
    ):
        yield Stack(deployed, target, folder)


@pytest.fixture
def stack(_deployed: Stack) -> Stack:
    """The stack, its Target with the usual settings and no faults."""
    _deployed.target.clear_script()
    _deployed.target.configure(**{name: getattr(_USUAL, name) for name in _USUAL.__slots__})
    return _deployed
