"""Follow an import to its end without ever hanging."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bulk_profiles.core.timestamps import timestamp
from local.errors import LocalRunError
from local.imports import Import, Json, Snapshot, follow, read_feed

WAITING = Snapshot("waiting", Counter(), 0, 0, "[]")
SENT = Snapshot("uploading", Counter(accepted=2), 0, 0, "a")
CHECKED = Snapshot("uploading", Counter(accepted=2), 0, 0, "b")
DONE = Snapshot("succeeded", Counter(complete=2), 2, 0, "c")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


class ScriptedImport:
    """An import with a snapshot from each given time on."""

    def __init__(
        self, clock: Clock, *snapshots: tuple[float, Snapshot], ended: float = 1e9, lost: float = 1e9
    ) -> None:
        self.clock, self.snapshots, self.ended, self.lost = clock, snapshots, ended, lost
        self.import_id = "customers-csv-0a1b2c3d4e5f"
        self.delivered_again: list[float] = []

    def deliver_again(self) -> None:
        self.delivered_again.append(self.clock.now)

    def snapshot(self) -> Snapshot:
        return [snapshot for at, snapshot in self.snapshots if at <= self.clock.now][-1]

    def summary(self) -> Json | None:
        return {"status": "succeeded"} if self.snapshot() is DONE else None

    def execution_ended(self) -> bool:
        return self.clock.now >= self.ended

    def undelivered(self) -> int:
        return int(self.clock.now >= self.lost)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _follow(clock: Clock, import_: ScriptedImport) -> tuple[Json, list[str]]:
    shown: list[str] = []
    summary = follow(
        cast("Import", import_),
        lambda snapshot: shown.append(snapshot.line()),
        patience_seconds=60,
        clock=clock,
        wait=clock.wait,
    )
    return summary, shown


def test_follow_shows_each_change_and_returns_the_summary(clock: Clock) -> None:
    import_ = ScriptedImport(clock, (0, WAITING), (2, SENT), (50, CHECKED), (105, DONE))
    summary, shown = _follow(clock, import_)
    assert summary == {"status": "succeeded"}
    assert shown == [
        "waiting",
        "uploading: 0 of 2 settled (2 accepted)",
        "uploading: 0 of 2 settled (2 accepted)",
        "succeeded: 2 of 2 settled (2 complete)",
    ]


@pytest.mark.parametrize(
    ("snapshot", "line"),
    [
        (dataclasses.replace(DONE, rejected=3), "succeeded, 3 rows rejected: 2 of 2 settled (2 complete)"),
        (Snapshot("rejected", Counter(), 0, 0, "d", rejected=3), "rejected"),
        (
            Snapshot("uploading", Counter(planned=2), 0, 0, "d", token="Renew the secret."),
            "uploading: 0 of 2 settled (2 planned). Renew the secret.",
        ),
    ],
)
def test_line_of_an_import_has_its_rejected_rows_and_what_it_waits_for(snapshot: Snapshot, line: str) -> None:
    assert snapshot.line() == line


def test_snapshot_of_batches_that_wait_late_says_what_for_and_until_when() -> None:
    now = datetime.now(UTC)
    opens, later = (now + timedelta(hours=hours) for hours in (5, 6))
    batches = [
        _batch(1, "upload_window", later),
        _batch(2, "upload_window", opens),
        _batch(3, "upload_window", opens, settledAt=now),
        _batch(4, "calls_a_minute", now + timedelta(seconds=20)),  # too soon for a word
        _batch(5, "token", later),  # has a sentence of its own
    ]
    snapshot = _read(batches[:4])
    until = f"{opens:%Y-%m-%d %H:%M} UTC"
    assert snapshot.line().endswith(f"(4 planned); waits: 2 batches for the upload window until {until}")
    assert 6 * 3600 - 60 < snapshot.waits_seconds <= 6 * 3600
    assert _read(batches[4:]).waits == ""


def _batch(number: int, why: str, until: datetime, **times: datetime) -> Json:
    """Return the ledger's item of a batch, as DynamoDB gives it."""
    moments = {"resumesAt": until, **times}
    texts = {"sk": f"BATCH#{number}", "state": "planned", "why": why, "reason": "Mend it."}
    texts |= {name: timestamp(moment) for name, moment in moments.items()}
    return {name: {"S": text} for name, text in texts.items()} | {"number": {"N": str(number)}}


def _read(batches: list[Json]) -> Snapshot:
    items = [{"sk": {"S": "IMPORT"}, "status": {"S": "uploading"}}, *batches]
    table = SimpleNamespace(
        describe_table=lambda **_: {"Table": {"ItemCount": 0}},
        get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: [{"Items": items}]),
    )
    outputs = {"ProfilesTableName": "profiles", "ImportsTableName": "imports"}
    deployed = SimpleNamespace(engine=SimpleNamespace(dynamodb=table), outputs=outputs)
    return Import(cast("Any", deployed), "customers-csv-0a1b2c3d4e5f", cast("Any", None)).snapshot()


@pytest.mark.parametrize("name", ["crm", "crm.json"])
def test_feed_is_a_name_or_the_file_of_its_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("crm.json").write_bytes(b"{}")
    assert read_feed(name) == ("crm", b"{}" if name == "crm.json" else None)
    with pytest.raises(LocalRunError, match=r"configuration web.json cannot be read"):
        read_feed("web.json")


def test_follow_without_any_change_raises(clock: Clock) -> None:
    with pytest.raises(LocalRunError, match=r"Nothing moved for 60 s \(uploading: 0 of 2"):
        _follow(clock, ScriptedImport(clock, (0, WAITING), (2, SENT)))
    assert 60 < clock.now < 65


def test_follow_ends_where_all_that_is_left_waits_for_another_token(clock: Clock) -> None:
    """Each trial of the token changes the ledger, so that something seems to move."""
    parked = [
        dataclasses.replace(
            SENT, trace=str(at), waits_seconds=600, token="Renew the secret.", parked=2, settled=0
        )
        for at in range(9)
    ]
    trials = [(2.0 + 50 * at, each) for at, each in enumerate(parked)]
    with pytest.raises(LocalRunError, match=r"^Nothing can go on without another token: Renew the secret$"):
        _follow(clock, ScriptedImport(clock, (0, WAITING), *trials))
    assert 90 < clock.now < 95


def test_follow_goes_on_while_anything_left_does_not_wait_for_a_token(clock: Clock) -> None:
    one = dataclasses.replace(SENT, waits_seconds=600, token="Renew the secret.", parked=1)
    two, settled = dataclasses.replace(one, parked=2), dataclasses.replace(one, settled=1)
    assert (one.stands, two.stands, settled.stands, DONE.stands) == (False, True, True, False)
    import_ = ScriptedImport(clock, (0, WAITING), (2, two), (70, one), (71, two), (150, DONE))
    assert _follow(clock, import_)[0] == {"status": "succeeded"}


def test_follow_delivers_the_event_of_a_dead_split_again(clock: Clock) -> None:
    import_ = ScriptedImport(clock, (0, WAITING), (45, SENT), (100, DONE))
    _follow(clock, import_)
    assert len(import_.delivered_again) == 1
    assert 40 < import_.delivered_again[0] < 42


def test_follow_raises_if_there_is_no_summary_at_the_end(clock: Clock) -> None:
    with pytest.raises(LocalRunError, match="ended without a summary"):
        _follow(clock, ScriptedImport(clock, (0, SENT), ended=10))
    assert clock.now < 20


def test_follow_raises_for_an_event_in_the_dead_letter_queue(clock: Clock) -> None:
    with pytest.raises(LocalRunError, match="dead-letter queue"):
        _follow(clock, ScriptedImport(clock, (0, WAITING), lost=10))
    assert clock.now < 11


def test_follow_waits_for_a_planned_status_check(clock: Clock) -> None:
    patient = dataclasses.replace(SENT, waits_seconds=600)
    import_ = ScriptedImport(clock, (0, WAITING), (2, patient), (655, DONE))
    assert _follow(clock, import_)[0] == {"status": "succeeded"}
