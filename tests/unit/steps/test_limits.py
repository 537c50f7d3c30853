"""The limits of each client code: its own over those of the deployment, at once, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

import simulator
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import DeniedObjectError, SettingsError, StorageError
from bulk_profiles.core.models import ImportStatus, Why
from bulk_profiles.steps.messages import Word
from bulk_profiles.steps.split_file import SplitResult
from tests.worlds.deployment import Deployment

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\n"
OTHER = b"thirdPartyId,name\nv1,Zoe\nv2,Amy\n"
DAMAGED = {"callsPerMinute": 0}


def configure(deployment: Deployment, client_code: str, limits: Any) -> None:
    deployment.storage.write_json(f"clients/{client_code}.json", limits)


def split(deployment: Deployment, rows: bytes = FILE, feed: str = "crm") -> SplitResult:
    """Split a file of a feed that is for the client code `acme`."""
    deployment.storage.write_json("feeds/crm.json", {"clientCode": "acme"})
    return deployment.split(deployment.drop(rows, f"drop/{feed}/{len(rows)}.csv"))


@pytest.mark.parametrize(
    ("limits", "why", "says"),
    [
        ({"callsPerMinute": 1}, Why.CALLS, "The 1 calls a minute are used up for the moment."),
        ({"maxInFlight": 1}, Why.PLACES, "As many batches as may be with Target at once, 1, are there."),
        ({"rowsPerDay": 3}, Why.ROWS, "The 3 rows of the day are used up."),
        (
            {"uploadWindow": "03:00-04:00", "timeZone": "Europe/Zurich"},
            Why.WINDOW,
            "The upload window 03:00-04:00 (Europe/Zurich) is closed.",
        ),
    ],
)
def test_upload_obeys_the_limits_of_its_client_code_at_once(
    deployment: Deployment, limits: dict[str, Any], why: Why, says: str
) -> None:
    """They are written while the imports are under way."""
    deployment.configure(rows_per_day=1000)
    first, second = (split(deployment, rows).import_id for rows in (FILE, OTHER + b",Nobody\n"))
    assert deployment.submit(first, 1).word is Word.ACCEPTED
    configure(deployment, "acme", limits)
    outcome = deployment.submit(second, 1)
    assert (outcome.word, outcome.why, outcome.says) == (Word.DEFERRED, why, says)
    configure(deployment, "acme", {})
    deployment.clock.reach(outcome.resume_at or deployment.clock())
    assert deployment.submit(second, 1).word is Word.ACCEPTED


def test_limits_of_one_client_code_do_not_hold_for_another(deployment: Deployment) -> None:
    configure(deployment, "acme", {"uploadWindow": "03:00-04:00"})
    other = split(deployment, OTHER, "default").import_id
    assert deployment.submit(other, 1).word is Word.ACCEPTED
    assert deployment.submit(split(deployment).import_id, 1).why is Why.WINDOW


def test_the_stack_s_own_client_code_may_have_limits_of_its_own(deployment: Deployment) -> None:
    deployment.configure(upload_window="03:00-04:00")
    configure(deployment, "demo", {"uploadWindow": ""})
    assert deployment.submit(split(deployment, feed="default").import_id, 1).word is Word.ACCEPTED


def test_check_obeys_the_limits_of_its_client_code(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    import_id = split(deployment).import_id
    deployment.submit(import_id, 1)
    configure(deployment, "acme", {"callsPerMinute": 1})
    deployment.clock.reach(deployment.ledger.get_batch(import_id, 1).next_check_at or deployment.clock())
    deployment.check(import_id, 1)
    seen = len(target.requests)
    assert deployment.check(import_id, 1).word is Word.PROCESSING
    assert len(target.requests) == seen


def test_a_withdrawn_submission_gives_back_the_day_of_its_client_code(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    """The day began at the hour of the client, in its time zone."""
    configure(deployment, "acme", {"rowsPerDay": 2, "timeZone": "Pacific/Kiritimati", "resetHour": 3})
    import_id = split(deployment).import_id
    target.script(simulator.fault("unavailable"))
    outcome = deployment.submit(import_id, 1)
    assert outcome.why is Why.TURNED_AWAY
    assert not any(deployment.ledger.budget("acme").rows.values())


@pytest.mark.parametrize("step", ["submit", "check"])
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'{"callsPerMinute": 0}', "makes no sense: callsPerMinute must be a whole number from 1 to 100000"),
        (b'{"callsPerMinute": 5', "is not JSON"),
        (b"", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "makes no sense: the file must be an object"),
    ],
)
def test_a_damaged_file_stops_the_step_until_it_is_mended(
    deployment: Deployment, target: simulator.Simulator, step: str, content: bytes, fault: str
) -> None:
    """No call is made with other limits than were meant, and the batch says which file to mend."""
    import_id = split(deployment).import_id
    if step == "check":
        deployment.submit(import_id, 1)
        deployment.clock.advance(hours=1)
    seen = len(target.requests)
    deployment.storage.write("clients/acme.json", content, "application/json")
    with pytest.raises(SettingsError, match=rf"^clients/acme\.json in the Data bucket {fault}\. Mend it"):
        getattr(deployment, step)(import_id, 1)
    assert len(target.requests) == seen
    assert "clients/acme.json" in deployment.ledger.get_batch(import_id, 1).failure
    assert "clients/acme.json" in deployment.finish(import_id).reason
    configure(deployment, "acme", {"callsPerMinute": 5})
    assert deployment.resume(import_id).status is ImportStatus.SUCCEEDED


def test_a_damaged_file_keeps_no_settled_batch_from_freeing_its_place(deployment: Deployment) -> None:
    import_id = split(deployment).import_id
    deployment.resume(import_id)
    configure(deployment, "acme", DAMAGED)
    assert deployment.check(import_id, 1).word is Word.SETTLED


# --- the split ---


@pytest.mark.parametrize(
    ("deployed", "own", "rows"), [(0, 1, [1, 1]), (1, 0, [2]), (1, None, [1, 1]), (1, 2, [2]), (2, 1, [1, 1])]
)
def test_batch_has_no_more_rows_than_a_day_of_its_client_code(
    deployment: Deployment, deployed: int, own: int | None, rows: list[int]
) -> None:
    deployment.configure(rows_per_day=deployed)
    configure(deployment, "acme", {"rowsPerDay": own})
    manifest = split(deployment).manifest
    assert manifest is not None
    assert [batch.rows for batch in manifest.batches] == rows


def test_file_too_long_for_the_rows_of_its_client_code_is_rejected(deployment: Deployment) -> None:
    rows = FILE + b"".join(b"w%d,Ada\n" % number for number in range(28))
    deployment.configure(rows_per_day=2)
    configure(deployment, "acme", {"rowsPerDay": 1})
    summary = split(deployment, rows).summary
    assert summary is not None
    assert summary.rejects == {"too_long_to_send": 30}
    assert "30 rows at 1 a day" in summary.reason
    assert "raise rowsPerDay in clients/acme.json or RetentionDays." in summary.reason


def test_file_that_its_client_code_may_send_in_time_is_not_too_long(deployment: Deployment) -> None:
    rows = FILE + b"".join(b"w%d,Ada\n" % number for number in range(28))
    deployment.configure(rows_per_day=1)
    assert split(deployment, rows, "default").summary is not None
    configure(deployment, "acme", {"rowsPerDay": 0})
    assert split(deployment, rows).manifest is not None


def test_damaged_limits_reject_a_file_with_every_fault_and_the_remedy(deployment: Deployment) -> None:
    configure(deployment, "acme", {"rowsPerDya": 1, "maxInFlight": 99})
    summary = split(deployment).summary
    assert summary is not None
    assert summary.status is ImportStatus.REJECTED
    assert summary.reason == (
        "clients/acme.json in the Data bucket makes no sense: maxInFlight must be a whole number from "
        "1 to 10; the file has unknown fields: rowsPerDya (did you mean rowsPerDay?). Mend it, or delete "
        "it: without it, the parameters of the stack hold. Then drop the file again."
    )
    assert deployment.machine.started == {}
    assert split(deployment, OTHER, "default").manifest is not None


def test_limits_that_s3_refuses_reject_no_file(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right may be a moment old: the split is tried again."""
    read = Storage.read_json

    def refuse(storage: Storage, key: str) -> Any:
        if key.startswith("clients/"):
            raise DeniedObjectError("S3 did not read the object: AccessDenied.")
        return read(storage, key)

    with monkeypatch.context() as patch:
        patch.setattr(Storage, "read_json", refuse)
        with pytest.raises(StorageError, match="AccessDenied"):
            split(deployment)
    [entry] = deployment.ledger.imports()
    assert entry.status is ImportStatus.SPLITTING
