"""Imports that are paused, resumed, stopped and given up."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

import simulator
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.budget.state import BudgetState
from bulk_profiles.core.models import BatchState, ImportStatus, ProfileCounts, Why
from bulk_profiles.ledger.import_entry import GivenUp
from bulk_profiles.ledger.pauses import Pause
from bulk_profiles.steps.messages import Outcome, Word
from bulk_profiles.steps.stopping import give_up
from tests.worlds.children import Executions as Children
from tests.worlds.deployment import START, Deployment
from tests.worlds.in_memory import InMemoryDeployment

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\nu3,Zoe\n"  # two batches
SAME_IDS = b"thirdPartyId,name\nu1,Later\n"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def import_id(deployment: Deployment) -> str:
    return deployment.split(deployment.drop(FILE)).import_id


def pause(deployment: Deployment, scope: str, until: timedelta | None = None) -> Pause:
    now = deployment.clock()
    begun = Pause(scope, now, now + until if until else None, "ana", "Target is being moved.")
    deployment.ledger.pause(begun, now)
    return begun


def stopped_for_good(deployment: Deployment, import_id: str) -> None:
    executions = Executions(deployment.machine, "arn")  # type: ignore[arg-type]  # stands at the boundary
    given_up = GivenUp("ana", deployment.clock(), "the wrong file")
    give_up(import_id, given_up, deployment.ledger, executions, deployment.clock())


def run_all(
    deployment: InMemoryDeployment,
    children: Children | None = None,
    until: datetime = START + timedelta(days=100),
) -> None:
    """Walk all executions until they have ended, or wait for longer than that."""
    children = children or Children(deployment)
    while (due := children.due()) and due[0].due <= until:
        deployment.clock.reach(due[0].due)
        outcome = children.step(due[0])
        if isinstance(outcome, Outcome):
            due[0].go_on(outcome, deployment.clock())


@pytest.mark.parametrize("scope", ["all", "client:demo", "feed:default", "import:"])
def test_paused_batch_is_not_sent_and_says_who_paused_it(
    deployment: Deployment, target: simulator.Simulator, import_id: str, scope: str
) -> None:
    paused = pause(deployment, scope + import_id if scope == "import:" else scope)
    outcome = deployment.submit(import_id, 1)
    assert outcome == Outcome(Word.DEFERRED, START + MINUTE, Why.PAUSED, paused.says)
    batch = deployment.ledger.get_batch(import_id, 1)
    assert (batch.why, batch.resumes_at, batch.version) == (Why.PAUSED, START + MINUTE, 0)
    assert batch.reason == paused.says
    assert target.requests == []


def test_paused_batch_takes_nothing_of_the_budget(deployment: Deployment, import_id: str) -> None:
    pause(deployment, "all")
    deployment.submit(import_id, 1)
    assert deployment.ledger.change_budget("demo", START, lambda state: (state, state)) == BudgetState()


@pytest.mark.parametrize(
    ("since", "wait"),
    [(0, 1), (16, 1), (80, 5), (600, 15), (60_000, 15)],
    ids=lambda minutes: f"{minutes} min",
)
def test_paused_batch_looks_less_often_with_time(
    deployment: Deployment, import_id: str, since: int, wait: int
) -> None:
    """A month of looks fits one execution, and a resume is noticed within a quarter of an hour."""
    pause(deployment, "all")
    deployment.clock.advance(minutes=since)
    assert deployment.submit(import_id, 1).resume_at == deployment.clock() + wait * MINUTE


def test_pause_with_an_end_ends_by_itself(deployment: Deployment, import_id: str) -> None:
    pause(deployment, "all", timedelta(seconds=30))
    assert deployment.submit(import_id, 1).resume_at == START + timedelta(seconds=30)
    deployment.clock.advance(seconds=30)
    assert deployment.submit(import_id, 1).word is Word.ACCEPTED


def test_resumed_batch_is_sent_at_its_next_look(deployment: Deployment, import_id: str) -> None:
    pause(deployment, "all")
    deployment.submit(import_id, 1)
    assert deployment.ledger.resume("all", START)
    deployment.clock.advance(minutes=1)
    assert deployment.submit(import_id, 1).word is Word.ACCEPTED


def test_pause_of_another_import_is_none(deployment: Deployment, import_id: str) -> None:
    for scope in ("client:other", "feed:other", "import:other-1"):
        pause(deployment, scope)
    assert deployment.submit(import_id, 1).word is Word.ACCEPTED


def test_batch_with_target_is_followed_while_its_import_is_paused(
    deployment: Deployment, import_id: str
) -> None:
    deployment.submit(import_id, 1)
    pause(deployment, "all")
    deployment.clock.advance(minutes=1)
    while deployment.check(import_id, 1).word is not Word.SETTLED:
        deployment.clock.advance(minutes=1)
    assert deployment.ledger.get_batch(import_id, 1).state is BatchState.COMPLETE


def test_failed_profiles_are_not_sent_again_while_paused(
    deployment: Deployment, target: simulator.Simulator, import_id: str
) -> None:
    target.configure(failed_ids=["u1"])
    deployment.submit(import_id, 1)
    deployment.clock.advance(minutes=1)
    while deployment.check(import_id, 1).word is not Word.RESUBMIT:
        deployment.clock.advance(minutes=1)
    pause(deployment, "all")
    assert deployment.submit(import_id, 1).why is Why.PAUSED


def test_import_paused_for_weeks_is_neither_overtaken_nor_forgotten(
    deployment: InMemoryDeployment, target: simulator.Simulator, import_id: str
) -> None:
    """A later import with some of its ids waits, the sweep leaves it alone, and both end once it goes on."""
    pause(deployment, f"import:{import_id}")
    later = deployment.split(deployment.drop(SAME_IDS, "drop/b/b.csv")).import_id
    children = Children(deployment)
    for day in range(1, 22):
        run_all(deployment, children, until=START + timedelta(days=day))
        assert deployment.sweep_only().restarted == 0
    assert target.submissions == []

    deployment.ledger.resume(f"import:{import_id}", deployment.clock())
    run_all(deployment, children)

    for name in (import_id, later):
        entry = deployment.ledger.get_import(name)
        assert entry is not None
        assert (entry.status, entry.overtaken_by) == (ImportStatus.SUCCEEDED, "")
    assert target.profile("u1") == {"name": "Later"}


def test_paused_import_without_an_execution_is_not_overtaken(
    deployment: Deployment, target: simulator.Simulator, import_id: str
) -> None:
    """Somebody has stopped it as well: nobody keeps it active."""
    pause(deployment, f"import:{import_id}")
    later = deployment.split(deployment.drop(SAME_IDS, "drop/b/b.csv")).import_id
    for days in (2, 20):
        deployment.clock.now = START + timedelta(days=days)
        assert deployment.submit(later, 1).why is Why.EARLIER_IMPORT
    deployment.ledger.resume(f"import:{import_id}", deployment.clock())
    assert deployment.submit(later, 1).word is Word.ACCEPTED
    assert len(target.submissions) == 1


def test_batch_that_is_parked_after_a_pause_has_time_for_its_token_to_be_mended(
    deployment: Deployment, target: simulator.Simulator, import_id: str
) -> None:
    """Target has not accepted the token for longer than the deadline: nobody was to send meanwhile."""
    target.script(simulator.fault("unauthorized", times=2))
    assert deployment.submit(import_id, 1).why is Why.TOKEN
    pause(deployment, "all")
    deployment.clock.advance(days=3)
    for number in (1, 2):
        assert deployment.submit(import_id, number).why is Why.PAUSED
    deployment.ledger.resume("all", deployment.clock())
    assert [deployment.submit(import_id, number).why for number in (1, 2)] == [Why.TOKEN] * 2
    deployment.clock.advance(hours=2)
    assert [deployment.submit(import_id, number).word for number in (1, 2)] == [Word.ACCEPTED] * 2


# --- given up ---


def test_import_given_up_settles_what_was_not_sent_and_follows_what_was(
    deployment: InMemoryDeployment, target: simulator.Simulator, import_id: str
) -> None:
    deployment.submit(import_id, 1)
    pause(deployment, f"import:{import_id}")
    stopped_for_good(deployment, import_id)

    assert deployment.machine.statuses[import_id] == "ABORTED"
    run_all(deployment)

    entry = deployment.ledger.get_import(import_id)
    assert entry is not None
    assert (entry.status, entry.over) == (ImportStatus.PARTIAL, True)
    assert (
        "Batch 2 (1 row): The import was given up by ana at 2026-11-24 09:00 UTC: the wrong file."
        in entry.reason
    )
    summary = deployment.finish(import_id)
    assert (summary.profiles, summary.unaccounted) == (ProfileCounts(success=2, not_sent=1), 0)
    assert len(target.submissions) == 1


def test_import_given_up_before_anything_was_sent_fails_at_once(
    deployment: InMemoryDeployment, target: simulator.Simulator, import_id: str
) -> None:
    stopped_for_good(deployment, import_id)
    run_all(deployment)
    entry = deployment.ledger.get_import(import_id)
    assert entry is not None
    assert (entry.status, deployment.clock()) == (ImportStatus.FAILED, START)
    assert target.submissions == []


def test_import_given_up_is_started_anew_with_its_own_input(deployment: Deployment, import_id: str) -> None:
    stopped_for_good(deployment, import_id)
    first, second = deployment.machine.inputs
    assert re.fullmatch(rf"{import_id}-give-up-\d{{14}}", second)
    assert deployment.machine.inputs[first] == deployment.machine.inputs[second]
    assert deployment.machine.statuses[second] == "RUNNING"


def test_import_given_up_twice_is_stopped_and_started_again(
    deployment: InMemoryDeployment, import_id: str
) -> None:
    """Whoever gave it up first may have been interrupted."""
    stopped_for_good(deployment, import_id)
    deployment.clock.advance(seconds=1)
    stopped_for_good(deployment, import_id)
    assert list(deployment.machine.statuses.values()) == ["ABORTED", "ABORTED", "RUNNING"]


def test_later_import_waits_for_what_a_given_up_one_has_with_target(
    deployment: InMemoryDeployment, import_id: str
) -> None:
    deployment.submit(import_id, 1)
    later = deployment.split(deployment.drop(SAME_IDS, "drop/b/b.csv")).import_id
    stopped_for_good(deployment, import_id)
    assert deployment.submit(later, 1).why is Why.EARLIER_IMPORT
    run_all(deployment)
    entry = deployment.ledger.get_import(later)
    assert entry is not None
    assert entry.status is ImportStatus.SUCCEEDED


def test_batch_of_a_given_up_import_that_may_have_arrived_is_unknown_and_not_sent_again(
    deployment: InMemoryDeployment, target: simulator.Simulator, import_id: str
) -> None:
    target.script(simulator.fault("server_error"))
    assert deployment.submit(import_id, 1).why is Why.UNANSWERED
    stopped_for_good(deployment, import_id)
    run_all(deployment)
    assert deployment.finish(import_id).profiles == ProfileCounts(unknown=2, not_sent=1)
    assert not deployment.ledger.get_batch(import_id, 1).possibly_duplicate
    assert len(target.submissions) == 1


def test_import_given_up_while_it_is_split_sends_nothing(
    deployment: InMemoryDeployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = deployment.drop(FILE)
    enter = type(deployment.ledger).add_batches

    def given_up_meanwhile(ledger: object, import_id: str, *arguments: object) -> None:
        monkeypatch.undo()
        stopped_for_good(deployment, import_id)
        enter(ledger, import_id, *arguments)  # type: ignore[arg-type]  # what it was called with

    monkeypatch.setattr(type(deployment.ledger), "add_batches", given_up_meanwhile)
    import_id = deployment.split(dropped).import_id
    assert list(deployment.machine.inputs) == [import_id]
    run_all(deployment)
    assert target.submissions == []
    assert deployment.finish(import_id).profiles == ProfileCounts(not_sent=3)


def test_sweep_starts_a_given_up_import_that_was_only_stopped(
    deployment: InMemoryDeployment, import_id: str
) -> None:
    """Whoever gave it up was interrupted before it was started anew."""
    deployment.ledger.give_up(import_id, GivenUp("ana", START), START)
    deployment.machine.statuses[import_id] = "ABORTED"
    assert deployment.sweep_only().restarted == 1
    run_all(deployment)
    assert deployment.sweep_only().restarted == 0
