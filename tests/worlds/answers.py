"""Answers of Target, put together from their elements, and what becomes of a batch that gets them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from bulk_profiles.core.models import ProfileStatus
from bulk_profiles.target.answers import StatusAnswer, read_status
from bulk_profiles.target.response import UnusableAnswerError
from bulk_profiles.target.verdict import settle

IDS = ("a", "b", "c")  # of a batch for which `head` gives the right size


def xml(*children: str) -> bytes:
    return f"<response>{''.join(children)}</response>".encode()


def element(name: str, text: object) -> str:
    return f"<{name}>{text}</{name}>"


def profile(profile_id: str, word: str) -> str:
    return f"<profile><id>{profile_id}</id><status>{word}</status></profile>"


def head(word: str = "complete", size: object = 3) -> str:
    """Return the elements of a batch; without a `size` there is no `batchSize`."""
    known = element("batchId", "demo-1") + element("status", word)
    return known + (element("batchSize", size) if size != "" else "")


def counts(successful: object, not_found: object, failed: object, consumed: object = "") -> str:
    return (
        (element("consumedCount", consumed) if consumed != "" else "")
        + element("successfulUpdates", successful)
        + element("profilesNotFound", not_found)
        + element("failedUpdates", failed)
    )


def status(*children: str) -> StatusAnswer:
    return read_status([xml(*children)])


def reason(reader: Callable[[Iterable[bytes]], object], *pieces: bytes) -> str:
    """Return why an answer is unusable to a reader."""
    with pytest.raises(UnusableAnswerError) as raised:
        reader(pieces)
    return str(raised.value)


def results(answer: StatusAnswer, *ids: str) -> list[str]:
    """Return `status basis` for each id of a batch at its deadline, whatever the order of the ids in it."""
    by_order = []
    for order in (ids, ids[::-1]):
        verdict = settle(answer, order, rows=len(ids), overdue=True)
        assert verdict is not None
        profiles = [verdict.result_of(profile_id) for profile_id in ids]
        by_order.append([f"{result.status} {result.basis}" for result in profiles])
        assert [result.profile_id for result in profiles] == list(ids)
        statuses = (verdict.named.status_of(profile_id) for profile_id in set(ids) - verdict.named.doubtful)
        doubtful = {ProfileStatus.UNKNOWN: len(verdict.named.doubtful)}
        assert verdict.named.by_status == Counter(statuses) + Counter(doubtful)
    assert by_order[0] == by_order[1]
    return by_order[0]
