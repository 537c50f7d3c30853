"""The results file of a batch."""

from __future__ import annotations

import dataclasses
import gzip
from collections import Counter
from datetime import UTC, datetime

import pytest

from bulk_profiles.accounting import profile_results
from bulk_profiles.accounting.profile_results import read_results, without_profile, write_results
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


def test_write_results_later_writes_the_same_bytes(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """gzip would write the time and a name into its header."""
    write_results(storage, KEY, 3, RESULTS, now=NOW)
    first = _bytes(storage)
    monkeypatch.setattr(gzip.time, "time", lambda: 2_000_000_000)  # type: ignore[attr-defined]
    write_results(storage, KEY, 3, RESULTS, now=NOW)
    assert _bytes(storage) == first
    assert first[3:8] == bytes(5)  # no flags, no time


def test_write_results_of_many_profiles_writes_all_of_them(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_results, "_SPOOL", 100)
    results = [
        ProfileResult(f"u{number * number:x}", ProfileStatus.SUCCESS, Basis.IMPLIED) for number in range(500)
    ]
    write_results(storage, KEY, 3, results, now=NOW)
    assert list(read_results(storage, KEY)) == results


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_results_keep_the_line_ends_in_a_reason(storage: Storage, end: str) -> None:
    results = [ProfileResult("u1", ProfileStatus.ERROR, Basis.REPORTED, f"One{end}two.")]
    write_results(storage, KEY, 3, results, now=NOW)
    assert list(read_results(storage, KEY)) == results


def test_read_results_returns_what_was_written(storage: Storage) -> None:
    write_results(storage, KEY, 3, RESULTS, now=NOW)
    assert list(read_results(storage, KEY)) == RESULTS


@pytest.mark.parametrize("forgotten", [result.profile_id for result in RESULTS])
def test_results_without_a_profile_are_else_the_same_bytes(storage: Storage, forgotten: str) -> None:
    """Line ends in a text from outside stay as they are, too."""
    results = [*RESULTS, ProfileResult("u\r\n6", ProfileStatus.ERROR, Basis.REPORTED, "a\rb\nü")]
    renamed = [
        dataclasses.replace(one, profile_id="(forgotten)") if one.profile_id == forgotten else one
        for one in results
    ]
    write_results(storage, KEY, 3, renamed, now=NOW)
    expected = _bytes(storage)
    write_results(storage, KEY, 3, results, now=NOW)

    without_profile(storage, KEY, forgotten)

    assert _bytes(storage) == expected
    assert list(read_results(storage, KEY)) == renamed
