"""The deployed stack on the local engine, with a simulated Target in this process."""

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
    "VerifyDelayMinutes": "0",
    "ClientCode": "demo",
    "MaxBatchRows": "500",
    "CallsPerMinute": "3000",
    "FirstCheckSeconds": "1",
    "MaxCheckSeconds": "2",
}
_USUAL = Settings(completion_seconds=0.5, calls_per_minute=0)


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until a condition holds; fail after PATIENCE_SECONDS."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline


@dataclass(frozen=True, slots=True)
class ImportResult:
    """An import that has ended."""

    import_id: str
    summary: dict[str, Any]
    objects: dict[str, bytes]  # in the Data bucket, by their names below the import's folder
    received: dict[str, bytes]  # the bodies that Target has accepted, by their SHA-256
    arrivals: list[str]  # the SHA-256 of each of them, in order

    def profiles(self) -> list[dict[str, str]]:
        """Return all profile results, in the order of the batches."""
        names = sorted(name for name in self.objects if name.startswith("profiles/"))
        texts = (gzip.decompress(self.objects[name]).decode() for name in names)
        return [row for text in texts for row in csv.DictReader(io.StringIO(text))]

    def assert_accounted(self) -> None:
        """Assert that summary, manifest, profile results and Target's bodies agree."""
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

    def run_import(
        self, name: str, content: bytes, feed: str = "default", configuration: dict[str, Any] | None = None
    ) -> ImportResult:
        """Drop a file, wait until its import ends, and return the result."""
        file = self.folder / name
        file.write_bytes(content)
        before = len(self.target.requests)
        feed_json = None if configuration is None else json.dumps(configuration).encode()
        import_ = drop(self.deployment, file, feed, feed_json)
        summary = follow(import_, lambda _: None, patience_seconds=PATIENCE_SECONDS)
        accepted = [r for r in self.target.requests[before:] if r.method == "POST" and r.batch_id]
        return ImportResult(
            import_.import_id,
            summary,
            self.objects(import_),
            {request.sha256: self.target.body(request.number) for request in accepted},
            [request.sha256 for request in accepted],
        )

    def objects(self, import_: Import) -> dict[str, bytes]:
        """Return all objects of an import by their names below its folder."""
        s3, bucket = self.deployment.engine.s3, self.deployment.outputs["DataBucketName"]
        prefix = import_prefix(import_.import_id)
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
    """The stack; its Target has the usual settings and no faults."""
    _deployed.target.clear_script()
    _deployed.target.configure(**{name: getattr(_USUAL, name) for name in _USUAL.__slots__})
    return _deployed
