"""Faults 2 and 53: a split that goes on in parts, while the same event is delivered a second time."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.splitting.reading import delimited
from tests.worlds.deployment import Deployment

ROWS = b"".join(b"u%d,name %d\n" % (number % 40, number) for number in range(60))
FILE = b"thirdPartyId,name\n" + ROWS


def _after(times: int) -> Callable[[], bool]:
    asked = itertools.count()
    return lambda: next(asked) >= times


@pytest.mark.fault(2, "the same event twice at once, in a split that goes on in parts")
@pytest.mark.parametrize(("ours", "rival"), [(9, 4), (12, 3), (20, 5)])
def test_split_in_parts_with_a_rival_writes_the_same_bytes(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, ours: int, rival: int
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 64)
    whole = deployment.split(deployment.drop(FILE, "drop/whole/a.csv"))
    assert whole.manifest is not None
    dropped = deployment.drop(FILE, "drop/parts/a.csv")
    write, met = Storage.write_json, False

    def write_after_the_rival(storage: Storage, key: str, *args: Any, **kwargs: Any) -> None:
        nonlocal met
        if not met and key.endswith("checkpoint.json"):
            met = True
            copy = dataclasses.replace(dropped, event_id="another invocation")
            assert deployment.split(copy, out_of_time=_after(rival)).manifest is None
        write(storage, key, *args, **kwargs)

    monkeypatch.setattr(Storage, "write_json", write_after_the_rival)
    for _ in range(200):
        part = deployment.split(dropped, out_of_time=_after(ours))
        if not part.unfinished:
            break

    assert met
    assert part.manifest is not None
    assert part.manifest.batches == whole.manifest.batches
    assert part.manifest.rows == whole.manifest.rows
    first, second = deployment.objects(whole.import_id), deployment.objects(part.import_id)
    assert all(first[name] == second[name] for name in first if name != "manifest.json")
