"""An update meets imports that run for days: every later version goes on with what an earlier one has left.

tests/contract/state/ has a record for each released version, which is never made anew. `RECORD=1` before the
test command makes that of a version that has none yet.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.models import ImportStatus
from tests.worlds.deployable import ROOT
from tests.worlds.deployment import Deployment
from tests.worlds.old_state import FEED, LARGE_FILE, LIMITS, continue_split, record, restore
from tests.worlds.splitting import run

STATES = Path(__file__).parent / "state"
EACH_VERSION = pytest.mark.parametrize("path", sorted(STATES.glob("*.json")), ids=lambda path: path.stem)


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
def test_split_of_an_earlier_version_goes_on_to_the_same_batches(path: Path) -> None:
    expected = run(LARGE_FILE, limits=LIMITS).objects
    assert {
        name: body for name, body in continue_split(load(path)).objects.items() if name in expected
    } == expected


def test_feed_of_this_version_is_read() -> None:
    assert Feed.from_json(FEED).client_code == "demo"
