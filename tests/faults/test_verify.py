"""Whole imports of which profiles are read back: what is found of each way in which Target keeps values."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

import simulator
from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.core.errors import ConflictError, VerifyError
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.core.names import DIFFERENCES, VERIFICATION, object_key, sample_name
from bulk_profiles.target import calls
from tests.worlds.deployment import DATA_BUCKET, Clock, Deployment
from tests.worlds.in_memory import InMemoryDeployment

ROWS = 20
EXECUTION = "verify-1"
FILE = b"thirdPartyId,name,city\n" + b"".join(
    b'u%d,"Lovelace, Ada %d",New York\n' % (number, number) for number in range(ROWS)
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def target(clock: Clock) -> Iterator[simulator.Simulator]:
    """A Target on the deployment's clock, as it says when it has changed a value."""
    settings = simulator.Settings(completion_seconds=0)
    with simulator.running(settings, clock=lambda: clock().timestamp()) as running:
        yield running


@pytest.fixture
def deployment(deployment: InMemoryDeployment, clock: Clock) -> InMemoryDeployment:
    deployment.clock = clock
    deployment.configure(max_batch_rows=8, verify_sample=ROWS)
    return deployment


def imported(deployment: Deployment, body: bytes = FILE) -> str:
    """The name of an import of which all batches have settled, and that is not finished."""
    import_id = deployment.split(deployment.drop(body)).import_id
    for number in deployment.machine.started[import_id]:
        for _ in deployment.walk(import_id, number):
            pass
    return import_id


def kept(deployment: Deployment, import_id: str, name: str) -> Any:
    return deployment.storage.read_json(object_key(import_id, name))


@pytest.mark.fault(46, "profiles of a sample are read back: all as sent, with the confidence that gives")
def test_profiles_that_are_as_sent_are_said_to_be(deployment: Deployment) -> None:
    import_id = imported(deployment)
    assert json.loads(deployment.machine.inputs[import_id])["verifySample"] == ROWS

    summary = deployment.verified(import_id)

    assert summary.status is ImportStatus.SUCCEEDED
    assert summary.reason == ""
    says = "20 of 20 profiles that were read back are as sent: with 95 % confidence at least 86 % are."
    assert says in summary.conclusion
    shown = kept(deployment, import_id, "summary.json")["verification"]
    assert (shown["asSent"], shown["different"], shown["notRead"]) == (20, 0, 0)
    assert shown["atLeast"] == pytest.approx(0.05 ** (1 / 20), abs=1e-6)
    report = deployment.objects(import_id)["report.html"].decode()
    assert says.removesuffix(".") in report
    assert says in " ".join(deployment.topic.messages[-1].split())
    entry = deployment.ledger.get_import(import_id)
    assert entry is not None
    assert entry.verified == says


KINDS = {
    "cut": ("name is cut at a separator (20)", "Set SeparatorInValue to replace or reject"),
    "plus": ("name has + for a space (20), city has + for a space (20)", "Report it"),
    "shifted": ("name is cut at a separator (20), city has another value (20)", "Set SeparatorInValue"),
    "encoded": ("name is encoded twice (20), city is encoded twice (20)", "encoded values"),
}


@pytest.mark.fault(46, "values that Target keeps in another way are found, and the import is partial")
@pytest.mark.parametrize("way", KINDS)
def test_values_that_are_kept_in_another_way_make_an_import_partial(
    deployment: Deployment, target: simulator.Simulator, way: str
) -> None:
    target.configure(kept=way)
    import_id = imported(deployment)

    summary = deployment.verified(import_id)

    assert summary.status is ImportStatus.PARTIAL
    found, remedy = KINDS[way]
    assert f"20 of 20 profiles that were read back are not as sent: {found}" in summary.reason
    assert remedy in summary.reason
    table = deployment.objects(import_id)[DIFFERENCES].decode().splitlines()
    assert table[0] == "profile_id,attribute,difference"
    assert f"u0,name,{'cut' if way == 'shifted' else way}" in table


@pytest.mark.fault(46, "profiles that Target lost without a word are found by reading back")
def test_lost_profiles_are_found_at_the_second_look(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(lost_ids=frozenset({"u3", "u4"}))
    import_id = imported(deployment)

    summary = deployment.verified(import_id)

    assert summary.status is ImportStatus.PARTIAL
    assert (
        "2 of 20 profiles that were read back are not as sent: the profile is not there (2)."
        in summary.reason
    )
    reads = [request.path for request in target.requests if "/rest/v1/profiles/" in request.path]
    assert len(reads) == ROWS + 2


def test_update_that_shows_late_is_no_difference(deployment: Deployment, target: simulator.Simulator) -> None:
    target.configure(lost_ids=frozenset({"u3"}))
    import_id = imported(deployment)
    again = deployment.verify(import_id)
    while again is not None and again - deployment.clock() < timedelta(minutes=30):
        deployment.clock.reach(again)
        again = deployment.verify(import_id)
    assert again is not None
    deployment.clock.reach(again)
    deployment.clock.reach(deployment.verify(import_id) or again)
    target.seed("u3", {"name": "Lovelace, Ada 3", "city": "New York"})

    summary = deployment.verified(import_id)

    assert summary.verification is not None
    assert (summary.verification.as_sent, summary.verification.different) == (20, 0)


def test_first_reading_waits_for_the_delay(deployment: Deployment, target: simulator.Simulator) -> None:
    import_id = imported(deployment)
    settled = max(batch.settled_at for batch in deployment.ledger.batches(import_id) if batch.settled_at)
    requests = len(target.requests)
    assert deployment.verify(import_id) == settled + timedelta(minutes=60)
    assert len(target.requests) == requests


def test_sample_is_chosen_at_random_and_is_the_same_again(deployment: Deployment) -> None:
    import_id = imported(deployment)
    deployment.finish(import_id)
    samples = []
    for execution in ("one", "two", "one"):
        name = sample_name(execution)
        deployment.s3.delete_object(Bucket=DATA_BUCKET, Key=object_key(import_id, name))
        deployment.verify(import_id, 5, execution)
        samples.append([one["profileId"] for one in kept(deployment, import_id, name)["profiles"]])
    assert samples[0] == samples[2] != samples[1]


def test_sample_goes_on_where_time_ran_out(deployment: Deployment) -> None:
    """Each invocation takes one batch, then reads nothing before it may."""
    import_id = imported(deployment)
    chosen = []
    for _ in range(4):
        deployment.verify(import_id, out_of_time=lambda: True)
        chosen.append(len(kept(deployment, import_id, sample_name(EXECUTION))["profiles"]))
    assert chosen == [8, 16, 20, 20]
    assert deployment.verified(import_id).verification is not None


@pytest.mark.parametrize(("failing", "kind"), [(frozenset(), "older"), (frozenset({"u1"}), "other")])
def test_value_from_before_is_older_only_where_its_row_was_sent_once(
    deployment: Deployment, target: simulator.Simulator, failing: frozenset[str], kind: str
) -> None:
    """The last part of a batch is accepted long after the rows that succeeded at once."""
    target.configure(lost_ids=frozenset({"u2"}), failed_ids=failing)
    target.seed("u2", {"name": "Before", "city": "Oslo"})
    deployment.clock.advance(hours=3)
    import_id = imported(deployment)
    deployment.verified(import_id)
    assert f"u2,name,{kind}" in deployment.objects(import_id)[DIFFERENCES].decode()


def test_only_successes_are_read_back(deployment: Deployment, target: simulator.Simulator) -> None:
    target.configure(failed_ids=frozenset({"u1"}))
    summary = deployment.verified(imported(deployment))
    assert summary.verification is not None
    assert (summary.verification.successes, summary.verification.as_sent) == (19, 19)


def test_readings_are_calls_of_the_budget(deployment: Deployment) -> None:
    """With 6 calls a minute, 20 readings take more than three minutes."""
    deployment.configure(calls_per_minute=6)
    import_id = imported(deployment)
    deployment.clock.advance(hours=2)
    deployment.verify(import_id)
    begun = deployment.clock()
    deployment.verified(import_id)
    assert deployment.clock() - begun >= timedelta(minutes=3)


def test_value_that_a_later_import_has_changed_says_nothing(deployment: Deployment) -> None:
    import_id = imported(deployment)
    deployment.finish(import_id)
    deployment.clock.advance(minutes=5)
    deployment.run(FILE.replace(b"New York", b"Oslo"), "drop/default/later.csv")

    summary = deployment.verified(import_id, 20, "by-hand")

    assert summary.verification is not None
    assert summary.verification.different == 0
    assert "20 profiles had been changed since and say nothing." in " ".join(summary.verification.says)


def test_attribute_that_a_later_import_has_removed_says_nothing(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(overrides=True)
    import_id = imported(deployment)
    deployment.finish(import_id)
    deployment.clock.advance(minutes=10)
    other = b"thirdPartyId,age\n" + b"".join(b"u%d,41\n" % number for number in range(ROWS))
    deployment.run(other, "drop/default/later.csv")

    summary = deployment.verified(import_id, 20, "by-hand")

    assert summary.verification is not None
    assert (summary.verification.different, summary.verification.newer) == (0, 20)


@pytest.mark.parametrize(("days", "different", "not_read"), [(12, 20, 0), (15, 0, 20)])
def test_profile_that_may_have_expired_says_nothing(
    deployment: Deployment, target: simulator.Simulator, days: int, different: int, not_read: int
) -> None:
    import_id = imported(deployment)
    deployment.finish(import_id)
    deployment.clock.advance(days=days)
    target.configure(hides_profiles=True)

    verification = deployment.verified(import_id, 20, "by-hand").verification

    assert verification is not None
    assert (verification.different, verification.not_read) == (different, not_read)
    assert ("may have expired" in verification.reason) is bool(not_read)


@pytest.mark.fault(46, "a profile that differed, and could not be read a second time, is not called wrong")
@pytest.mark.parametrize("code", [401, 500])
def test_profile_without_its_second_look_is_not_read(
    deployment: Deployment, target: simulator.Simulator, code: int
) -> None:
    target.configure(lost_ids=frozenset({"u3"}))
    import_id = imported(deployment)
    target.script(simulator.fault(on="profile", code=code, skip=20, times=0))

    summary = deployment.verified(import_id)

    assert summary.status is ImportStatus.SUCCEEDED
    assert summary.verification is not None
    assert (summary.verification.as_sent, summary.verification.not_read) == (19, 1)
    assert DIFFERENCES not in deployment.objects(import_id)


def test_value_of_a_batch_that_was_sent_twice_is_not_called_older(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    """The first submission is taken, and its answer lost; the second one is taken hours later."""
    target.configure(lost_ids=frozenset({"u2"}))
    target.seed("u2", {"name": "Before", "city": "Oslo"})
    deployment.clock.advance(hours=3)
    target.script(simulator.fault("reset_after_body"))
    import_id = imported(deployment)
    deployment.verified(import_id)
    assert "u2,name,other" in deployment.objects(import_id)[DIFFERENCES].decode()


def test_person_verifies_an_ended_import(deployment: Deployment, target: simulator.Simulator) -> None:
    deployment.configure(verify_sample=0)
    summary = deployment.run(FILE)
    assert summary.verification is None
    assert summary.to_json()["verification"] is None
    target.configure(kept="plus")

    summary = deployment.verified(summary.entry.import_id, 5, "by-hand")

    assert summary.status is ImportStatus.PARTIAL
    assert summary.verification is not None
    assert summary.verification.read == 5


@pytest.mark.parametrize("name", ["no-import-0a1b2c3d4e5f", ""])
def test_import_that_has_not_ended_or_is_not_there_is_not_verified(deployment: Deployment, name: str) -> None:
    import_id = name or imported(deployment)
    with pytest.raises(VerifyError, match="no import" if name else "has not ended"):
        deployment.verify(import_id, 5, "by-hand")


@pytest.mark.fault(51, "the readings of a sample are killed at any of them: the end is the same")
@pytest.mark.parametrize("at", [1, 7, 20])
def test_readings_that_were_killed_are_made_again(
    deployment: Deployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    target.configure(kept="cut")
    import_id = imported(deployment)
    read_back, calls_made = calls.read_back, itertools.count(1)

    def killed(*arguments: Any, **options: Any) -> Any:
        if next(calls_made) == at:
            raise MemoryError
        return read_back(*arguments, **options)

    monkeypatch.setattr(calls, "read_back", killed)
    with pytest.raises(MemoryError):
        deployment.verified(import_id)

    summary = deployment.verified(import_id)

    assert summary.verification is not None
    assert (summary.verification.different, summary.verification.not_read) == (20, 0)


@pytest.mark.fault(51, "a verification is killed at any write, before or after it: the end is the same")
@pytest.mark.parametrize("after", [False, True])
def test_verification_that_was_killed_at_a_write_goes_on(
    deployment: Deployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    target.configure(kept="cut")
    import_id = imported(deployment)
    put = type(deployment.s3).put_object
    at, ends = 0, []
    while True:
        at += 1
        writes = itertools.count(1)

        def killed(*arguments: Any, **options: Any) -> Any:
            if next(writes) != at:  # noqa: B023 of this round
                return put(*arguments, **options)
            if after:
                put(*arguments, **options)
            raise MemoryError

        execution = f"verify-{at}"
        with monkeypatch.context() as patch, contextlib.suppress(MemoryError):
            patch.setattr(type(deployment.s3), "put_object", killed)
            deployment.verified(import_id, None, execution)
            break
        ends.append(deployment.verified(import_id, None, execution).verification)
    assert at > 3
    assert all(end is not None and (end.different, end.not_read) == (20, 0) for end in ends)


def test_sample_that_was_forgotten_meanwhile_is_not_written_again(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = imported(deployment)
    deployment.clock.reach(deployment.verify(import_id) or deployment.clock())
    key = object_key(import_id, sample_name(EXECUTION))
    read_back = calls.read_back

    def forgotten(*arguments: Any, **options: Any) -> Any:
        deployment.s3.delete_object(Bucket=DATA_BUCKET, Key=key)
        return read_back(*arguments, **options)

    monkeypatch.setattr(calls, "read_back", forgotten)
    with pytest.raises(VerifyError, match="has been deleted"):
        deployment.verify(import_id)
    assert kept(deployment, import_id, sample_name(EXECUTION)) is None


def test_nothing_is_read_where_no_sample_is_wanted(deployment: Deployment) -> None:
    deployment.configure(verify_sample=0)
    import_id = imported(deployment)
    assert "verifySample" not in deployment.machine.inputs[import_id]
    assert deployment.verify(import_id) is None
    assert kept(deployment, import_id, sample_name(EXECUTION)) is None


def test_ids_and_values_are_kept_only_while_profiles_are_read(deployment: Deployment) -> None:
    import_id = imported(deployment)
    deployment.verified(import_id)
    assert kept(deployment, import_id, sample_name(EXECUTION))["profiles"] == []
    assert "u1" not in json.dumps(kept(deployment, import_id, VERIFICATION))
    assert DIFFERENCES not in deployment.objects(import_id)


def test_finished_verification_is_not_made_again(deployment: Deployment, target: simulator.Simulator) -> None:
    import_id = imported(deployment)
    deployment.verified(import_id)
    requests = len(target.requests)
    assert deployment.verify(import_id) is None
    assert len(target.requests) == requests


ANSWERS = {
    "no JSON": {"code": 200, "body": "<html>"},
    "no attributes": {"code": 200, "body": '{"client": "demo"}'},
    "another client": {"code": 200, "body": '{"client": "other", "profileAttributes": {}}'},
    "a name twice": {"code": 200, "body": '{"client": "demo", "profileAttributes": {"a": {}, "a": {}}}'},
    "no text": {"code": 200, "body": '{"profileAttributes": {"name": {"value": 5}}}'},
    "a server's own 404": {"code": 404, "body": "<html>Not found</html>"},
    "another JSON with 404": {"code": 404, "body": '{"error": "no route"}'},
    "a server error": {"code": 500, "body": ""},
}


@pytest.mark.fault(46, "an answer about a profile that is not understood is no evidence, neither way")
@pytest.mark.parametrize("name", ANSWERS)
def test_answer_that_is_not_understood_says_nothing_of_a_profile(
    deployment: Deployment, target: simulator.Simulator, name: str
) -> None:
    import_id = imported(deployment)
    target.script(simulator.fault(on="profile", times=0, **ANSWERS[name]))  # type: ignore[arg-type]  # any key

    summary = deployment.verified(import_id)

    assert summary.status is ImportStatus.SUCCEEDED
    assert summary.verification is not None
    assert (summary.verification.read, summary.verification.not_read) == (0, 20)
    assert "No profile could be read back." in summary.conclusion


def test_reading_that_fails_once_is_made_again(deployment: Deployment, target: simulator.Simulator) -> None:
    import_id = imported(deployment)
    target.script(simulator.fault("reset_before_body", on="profile", times=2))
    summary = deployment.verified(import_id)
    assert summary.verification is not None
    assert summary.verification.as_sent == 20


def test_reading_that_target_postpones_is_made_later(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    import_id = imported(deployment)
    target.script(simulator.fault("unavailable", on="profile", headers={"Retry-After": "900"}))
    deployment.clock.advance(hours=2)
    deployment.verify(import_id, out_of_time=lambda: False)
    summary = deployment.verified(import_id)
    assert summary.verification is not None
    assert summary.verification.as_sent == 20


@pytest.mark.parametrize("code", [401, 403])
def test_token_that_may_not_read_ends_the_verification_with_a_remedy(
    deployment: Deployment, target: simulator.Simulator, code: int
) -> None:
    import_id = imported(deployment)
    target.script(simulator.fault(on="profile", code=code, times=0))
    summary = deployment.verified(import_id)
    assert f"20 profiles could not be read. Target answered HTTP {code}." in summary.conclusion or (
        f"No profile could be read back. Target answered HTTP {code}." in summary.conclusion
    )


def test_readings_end_after_a_day(deployment: Deployment, target: simulator.Simulator) -> None:
    import_id = imported(deployment)
    target.script(simulator.fault("unavailable", on="profile", times=0))
    begun = deployment.clock()
    summary = deployment.verified(import_id)
    assert summary.verification is not None
    assert summary.verification.not_read == 20
    assert timedelta(hours=23) < deployment.clock() - begun <= timedelta(hours=24)


def test_verification_that_never_came_to_its_end_is_said(deployment: Deployment) -> None:
    import_id = imported(deployment)
    summary = deployment.finish(import_id)
    assert "The verification has not come to its end." in summary.conclusion


def test_deleted_batches_are_not_verified(deployment: Deployment) -> None:
    summary = deployment.run(FILE)
    import_id = summary.entry.import_id
    deployment.s3.delete_object(Bucket=DATA_BUCKET, Key=object_key(import_id, "batches/00001.batch"))
    with pytest.raises(VerifyError, match="have been deleted"):
        deployment.verify(import_id, 20, "by-hand")


def test_two_verifications_at_once_do_not_disturb_one_another(deployment: Deployment) -> None:
    import_id = imported(deployment)
    deployment.finish(import_id)
    due: list[tuple[datetime, str, int]] = [(deployment.clock(), "one", 20), (deployment.clock(), "two", 5)]
    steps = 0
    while due:
        due.sort()
        at, execution, wanted = due.pop(0)
        deployment.clock.reach(at)
        if again := deployment.verify(import_id, wanted, execution):
            due.append((again, execution, wanted))
        steps += 1
        assert steps < 20
    for execution in ("one", "two"):
        assert kept(deployment, import_id, sample_name(execution))["done"]


def test_token_that_was_renewed_meanwhile_is_used_for_the_next_reading(
    deployment: Deployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = imported(deployment)
    held = {"get": "old", "renew": "new"}
    monkeypatch.setattr(Tokens, "get", lambda *_: held["get"])

    def renew(*_: Any) -> str:
        held["get"] = held["renew"]
        return held["renew"]

    monkeypatch.setattr(Tokens, "renew", renew)
    target.configure(token="new")
    summary = deployment.verified(import_id)
    assert summary.verification is not None
    assert summary.verification.as_sent == 20


@pytest.mark.parametrize("trouble", ["rivals", "late"])
def test_slot_that_is_not_to_be_had_is_asked_for_later(
    deployment: Deployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    import_id = imported(deployment)
    deployment.clock.advance(hours=2)
    deployment.verify(import_id)
    change = deployment.ledger.change_budget
    requests = len(target.requests)

    def troubled(*arguments: Any) -> Any:
        if trouble == "rivals":
            raise ConflictError("Others were faster.")
        slot = change(*arguments)
        deployment.clock.advance(seconds=4)  # by then it is somebody else's
        return slot

    monkeypatch.setattr(type(deployment.ledger), "change_budget", lambda _, *arguments: troubled(*arguments))
    execution = "later"
    again = deployment.verify(import_id, None, execution)
    while again is not None and again <= deployment.clock():
        again = deployment.verify(import_id, None, execution)
    assert again is not None
    assert again > deployment.clock()
    assert len(target.requests) == requests
    monkeypatch.undo()
