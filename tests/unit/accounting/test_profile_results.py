"""The results file of a batch."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, datetime

from bulk_profiles.accounting.profile_results import read_results, write_results
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.models import Basis, ProfileResult, ProfileStatus

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
KEY = "imports/crm-1/profiles/00003.csv.gz"
RESULTS = [
    ProfileResult("u1", ProfileStatus.SUCCESS, Basis.IMPLIED),
    ProfileResult("=1+2", ProfileStatus.ERROR, Basis.REPORTED, 'Said "no", twice.', 2),
    ProfileResult("ü,3", ProfileStatus.PENDING, Basis.DEADLINE),
    ProfileResult("u4", ProfileStatus.UNKNOWN, Basis.BATCH, "Lost."),
    ProfileResult("u5", ProfileStatus.SUCCESS, Basis.IMPLIED),
]


def _bytes(storage: Storage) -> bytes:
    with storage.open(KEY) as stream:
        return stream.read()


def test_write_results_counts_and_writes_every_result(storage: Storage) -> None:
    bases = write_results(storage, KEY, 3, RESULTS, now=NOW)

    assert bases == {
        ProfileStatus.SUCCESS: Counter({Basis.IMPLIED: 2}),
        ProfileStatus.ERROR: Counter({Basis.REPORTED: 1}),
        ProfileStatus.PENDING: Counter({Basis.DEADLINE: 1}),
        ProfileStatus.UNKNOWN: Counter({Basis.BATCH: 1}),
    }
    assert gzip.decompress(_bytes(storage)).decode().splitlines() == [
        "profile_id,status,basis,reason,batch,attempt,checked_at",
        "u1,success,implied,,3,1,2026-11-24T09:00:00.000Z",
        '=1+2,error,reported,"Said ""no"", twice.",3,2,2026-11-24T09:00:00.000Z',
        '"ü,3",pending,deadline,,3,1,2026-11-24T09:00:00.000Z',
        "u4,unknown,batch,Lost.,3,1,2026-11-24T09:00:00.000Z",
        "u5,success,implied,,3,1,2026-11-24T09:00:00.000Z",
    ]


def test_write_results_twice_writes_the_same_bytes(storage: Storage) -> None:
    write_results(storage, KEY, 3, RESULTS, now=NOW)
    first = _bytes(storage)
    write_results(storage, KEY, 3, RESULTS, now=NOW)
    assert _bytes(storage) == first


def test_read_results_returns_what_was_written(storage: Storage) -> None:
    write_results(storage, KEY, 3, RESULTS, now=NOW)
    assert list(read_results(storage, KEY)) == RESULTS
