"""Faults 25 and 53: a split that outlasts one invocation, stopped wherever it may stop."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import DamagedScratchError
from bulk_profiles.core.names import SCRATCH, object_key
from bulk_profiles.splitting.reading import delimited
from tests.worlds.deployment import Deployment

ROWS = [b"u%d,name %d\n" % (number % 8, number) for number in range(12)]
FILE = b"thirdPartyId,name\n" + b"".join(ROWS) + b"v1,a\nv2,b\nv3,c\nv4,d\nv5,e\nv6,f\n"


@pytest.fixture
def deployment(moto_deployment: Deployment) -> Deployment:
    return moto_deployment


def _after(times: int) -> Callable[[], bool]:
    asked = itertools.count()
    return lambda: next(asked) >= times


@pytest.mark.fault(25, "a split that outlasts one invocation, also after the last of the merged rows")
@pytest.mark.parametrize("asked", [2, 3])
def test_split_in_parts_goes_on_after_the_last_merged_row(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, asked: int
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 32)
    whole = deployment.split(deployment.drop(FILE, "drop/whole/a.csv"))
    assert whole.manifest is not None
    dropped = deployment.drop(FILE, "drop/parts/a.csv")

    for _ in range(200):
        part = deployment.split(dropped, out_of_time=_after(asked))
        if not part.unfinished:
            break

    assert part.manifest is not None
    assert part.manifest.batches == whole.manifest.batches


@pytest.mark.fault(25, "what an earlier invocation has kept is lost: the file is split from its start")
@pytest.mark.parametrize(
    ("kept", "damage"),
    [
        ("hashes-00000", Storage.delete),
        ("checkpoint.json", lambda storage, key: storage.write(key, b"{", "")),
    ],
)
def test_split_whose_scratch_is_lost_begins_anew(
    deployment: Deployment,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    kept: str,
    damage: Callable[[Storage, str], None],
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 32)
    whole = deployment.split(deployment.drop(FILE, "drop/whole/a.csv"))
    dropped = deployment.drop(FILE, "drop/parts/a.csv")
    stopped = deployment.split(dropped, out_of_time=_after(3))
    assert stopped.unfinished
    (lost,) = storage.names(stopped.import_id, f"{SCRATCH}{kept}")
    damage(storage, object_key(stopped.import_id, lost))

    with pytest.raises(DamagedScratchError, match=kept):
        deployment.split(dropped)
    again = deployment.split(dropped)

    assert again.manifest is not None
    assert whole.manifest is not None
    assert again.manifest.batches == whole.manifest.batches
