"""One step of check_status: when Target is asked, how long a batch waits, and how its results are kept."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import boto3
import pytest

import simulator
from bulk_profiles.accounting.profile_results import write_results
from bulk_profiles.aws.profiles_table import ProfilesTable
from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.budget.reserve import renew
from bulk_profiles.core.errors import ConflictError, LedgerError
from bulk_profiles.core.models import (
    Basis,
    BatchState,
    ProfileCounts,
    ProfileResult,
    ProfileResultsPolicy,
    ProfileStatus,
)
from bulk_profiles.core.names import attempt_name, object_key
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.steps.check_status import next_check
from bulk_profiles.steps.messages import Outcome, Word
from bulk_profiles.steps.slots import Slots
from bulk_profiles.target import calls
from bulk_profiles.target.outcomes import CheckOutcome, Deferred, Gone, Unanswered, Unauthorized
from tests.worlds.deployment import PROFILES_TABLE, START, Deployment
from tests.worlds.in_memory import InMemoryDeployment

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\n"
CHECK_AT = START + timedelta(seconds=60)


@pytest.fixture
def import_id(deployment: Deployment) -> str:
    """An import whose one batch is accepted, at the time of its first check."""
    import_id = deployment.split(deployment.drop(FILE)).import_id
    assert deployment.submit(import_id, 1) == Outcome(Word.ACCEPTED, CHECK_AT)
    deployment.clock.now = CHECK_AT
    return import_id


def answered(monkeypatch: pytest.MonkeyPatch, reply: CheckOutcome) -> list[str | None]:
    """Let Target answer every check with this; return the tokens that it was asked with."""
    tokens: list[str | None] = []

    def check(_url: str, token: str | None, *_: Any, **__: Any) -> CheckOutcome:
        tokens.append(token)
        return reply

    monkeypatch.setattr(calls, "check", check)
    return tokens


def waits(deployment: Deployment, import_id: str, times: int) -> list[float]:
    """Return the seconds between one check and the next."""
    seconds = []
    for _ in range(times):
        outcome = deployment.check(import_id, 1)
        assert outcome.word is Word.PROCESSING
        assert outcome.resume_at is not None
        seconds.append((outcome.resume_at - deployment.clock()).total_seconds())
        deployment.clock.now = outcome.resume_at
    return seconds


# --- when Target is asked ---


def test_batch_is_not_asked_for_before_its_time(
    deployment: Deployment, target: simulator.Simulator, import_id: str
) -> None:
    deployment.clock.now = CHECK_AT - timedelta(milliseconds=1)
    assert deployment.check(import_id, 1) == Outcome(Word.PROCESSING, CHECK_AT)
    assert [request.method for request in target.requests] == ["POST"]


@pytest.mark.parametrize("seconds", [3.5, -10])
def test_slot_that_is_over_is_not_used(
    deployment: Deployment,
    target: simulator.Simulator,
    monkeypatch: pytest.MonkeyPatch,
    import_id: str,
    seconds: float,
) -> None:
    """Others have the calls of that time by then. Another execution may have the answer already."""
    take = Slots.take_check
    before = deployment.ledger.get_batch(import_id, 1)

    def take_slowly(*arguments: Any) -> Any:
        taken = take(*arguments)
        deployment.clock.advance(seconds=seconds)
        return taken

    monkeypatch.setattr(Slots, "take_check", take_slowly)

    assert deployment.check(import_id, 1) == Outcome(Word.PROCESSING, deployment.clock())

    assert [request.method for request in target.requests] == ["POST"]
    assert deployment.ledger.get_batch(import_id, 1) == before


@pytest.mark.parametrize("reply", [Unanswered("reset"), Gone("404", 404), Deferred("HTTP 503", None)])
def test_waits_grow_up_to_max_check_seconds(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, import_id: str, reply: CheckOutcome
) -> None:
    deployment.configure(first_check_seconds=60, check_backoff=2.0, max_check_seconds=300)
    answered(monkeypatch, reply)
    assert waits(deployment, import_id, 4) == [120, 240, 300, 300]


def test_wait_of_a_thousand_checks_is_a_number(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, import_id: str
) -> None:
    deployment.configure(check_backoff=10.0, max_check_seconds=900)
    answered(monkeypatch, Unanswered("reset"))
    batch = deployment.ledger.get_batch(import_id, 1)
    deployment.ledger.save_batch(batch.change(polls=1000), CHECK_AT)
    assert waits(deployment, import_id, 1) == [900]


@pytest.mark.parametrize(("minutes", "wait"), [(1, 90), (40, 2400)])
def test_wait_that_target_asks_for_is_kept_where_it_is_longer(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, import_id: str, minutes: int, wait: int
) -> None:
    answered(monkeypatch, Deferred("HTTP 503", timedelta(minutes=minutes)))
    assert waits(deployment, import_id, 1) == [wait]


def test_token_that_target_refuses_is_read_anew_for_the_next_check(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, import_id: str
) -> None:
    secrets = boto3.client("secretsmanager")
    arn = secrets.create_secret(Name="target-token", SecretString="old-token")["ARN"]
    deployment.configure(token_secret_arn=arn)
    Tokens(arn).get("demo")
    secrets.put_secret_value(SecretId=arn, SecretString="new-token")

    tokens = answered(monkeypatch, Unauthorized("HTTP 401", 401))
    waits(deployment, import_id, 2)

    assert tokens == ["old-token", "new-token"]


# --- the results ---


def test_settled_batch_is_settled_without_a_call(
    deployment: Deployment, target: simulator.Simulator, import_id: str
) -> None:
    """Started again, it only frees a place that it may still have."""
    deployment.resume(import_id)
    requests = len(target.requests)
    deployment.ledger.change_budget(
        "demo", START, lambda state: (renew(state, f"{import_id}#1", START, timedelta(minutes=1)), None)
    )

    assert deployment.check(import_id, 1) == Outcome.settled(deployment.ledger.get_batch(import_id, 1))

    assert len(target.requests) == requests
    assert deployment.ledger.change_budget("demo", START, lambda state: (state, dict(state.places))) == {}


@pytest.mark.parametrize(
    ("policy", "items"),
    [(ProfileResultsPolicy.ALL, 2), (ProfileResultsPolicy.FAILURES, 1), (ProfileResultsPolicy.NONE, 0)],
)
def test_profiles_table_has_what_profile_results_asks_for(
    deployment: InMemoryDeployment, target: simulator.Simulator, policy: ProfileResultsPolicy, items: int
) -> None:
    """The results file has every profile all the same."""
    deployment.configure(profile_results=policy, max_submissions=1)
    target.configure(failed_ids=frozenset({"u2"}))
    summary = deployment.run(FILE)
    batches = [item["batch"]["S"] for item in deployment.tables.items(PROFILES_TABLE)]
    assert batches == [f"{summary.entry.import_id}#00001"] * items
    assert len(deployment.profiles(summary.entry.import_id, 1)) == 2
    assert summary.profiles == ProfileCounts(success=1, error=1)


def test_results_that_outlast_a_function_go_on_where_they_were(
    deployment: Deployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch, import_id: str
) -> None:
    """The batch settles only once all of them are written; Target is not asked again for that."""
    fill, begun = ProfilesTable.fill, list[int]()

    def fill_one(table: ProfilesTable, items: Any, written: int, _stop: Any) -> tuple[int, bool]:
        begun.append(written)
        fill(table, list(items)[: written + 1], written, lambda: False)
        return written + 1, written + 1 == 2

    monkeypatch.setattr(ProfilesTable, "fill", fill_one)
    while not begun:
        outcome = deployment.check(import_id, 1)
    requests = len(target.requests)
    assert outcome == Outcome(Word.PROCESSING, deployment.clock())
    batch = deployment.ledger.get_batch(import_id, 1)
    assert (batch.settled, batch.profiles_written, batch.profiles) == (False, 1, ProfileCounts(success=2))

    assert deployment.check(import_id, 1) == Outcome.settled(deployment.ledger.get_batch(import_id, 1))

    assert begun == [0, 1]
    assert len(target.requests) == requests
    assert deployment.ledger.get_batch(import_id, 1).state is BatchState.COMPLETE


def test_results_are_written_no_longer_once_another_execution_has_changed_the_batch(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, import_id: str
) -> None:
    """That one may have settled it, and a resend may have opened it again."""
    stops: list[bool] = []

    def fill(_table: ProfilesTable, _items: Any, written: int, stop: Any) -> tuple[int, bool]:
        for changes in (False, True, False):
            deployment.clock.advance(seconds=2)
            stops.append(stop())
            if changes:
                ledger, now = deployment.ledger, deployment.clock()
                ledger.save_batch(ledger.get_batch(import_id, 1), now)
        return written, False

    monkeypatch.setattr(ProfilesTable, "fill", fill)
    with pytest.raises(ConflictError):
        for _ in deployment.walk(import_id, 1):
            pass
    assert stops == [False, False, True]


def test_results_of_an_import_without_a_key_column_are_an_error(
    deployment: Deployment, import_id: str
) -> None:
    """Nobody could find them in the table."""
    deployment.ledger.change_import(
        import_id, START, lambda entry: dataclasses.replace(entry, key_column=None)
    )
    with pytest.raises(LedgerError, match="has no key column in the ledger"):
        for _ in deployment.walk(import_id, 1):
            pass


# --- profiles that failed are sent again ---


def test_failed_profiles_are_sent_again_alone_and_their_last_word_counts(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(failed_ids=frozenset({"u2"}), failed_once_ids=frozenset({"u1"}))

    summary = deployment.run(FILE + b"u3,Zoe\n")

    bodies = [target.body(request.number).split(b"\n")[1:] for request in target.submissions]
    assert bodies == [[b"u1,Ada", b"u2,Grace"], [b"u1,Ada", b"u2,Grace"], [b"u2,Grace"], [b"u3,Zoe"]]
    results = deployment.profiles(summary.entry.import_id, 1)
    assert [(result.profile_id, result.status, result.attempt) for result in results] == [
        ("u1", ProfileStatus.SUCCESS, 2),
        ("u2", ProfileStatus.ERROR, 3),
    ]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("stuck", "it is stuck"), ("wrong_size", "7")],
)
def test_batch_keeps_the_reason_for_its_end_or_else_what_is_odd_about_it(
    deployment: Deployment, target: simulator.Simulator, fault: str, reason: str
) -> None:
    target.script(simulator.fault(fault, times=0))
    [batch] = deployment.run(FILE).batches
    assert reason in batch.reason


def test_wait_of_a_batch_without_a_time_of_acceptance_has_no_deadline() -> None:
    batch = BatchEntry("crm-1", 1, 2, 30, "aa")
    settings = InMemoryDeployment("").check_settings
    assert next_check(batch, Unanswered("reset"), settings, START) == START + timedelta(seconds=60)


def test_results_of_other_profiles_than_the_follow_up_has_are_an_error(
    deployment: Deployment, target: simulator.Simulator, import_id: str
) -> None:
    target.configure(failed_ids=frozenset({"u2"}))
    import_id = deployment.split(deployment.drop(FILE, "drop/default/other.csv")).import_id
    for step in deployment.walk(import_id, 1):
        if step == "Check status: resubmit":
            break
    other = [ProfileResult("u9", ProfileStatus.ERROR, Basis.REPORTED)]
    key = object_key(import_id, attempt_name(1, 1))
    write_results(deployment.storage, key, 1, other, now=deployment.clock())
    with pytest.raises(LedgerError, match="results of other profiles"):
        list(deployment.walk(import_id, 1))
