"""Executions end as their batches did: what the operator sees in the console, by the definition itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import simulator
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.models import BatchState, ImportStatus
from bulk_profiles.steps.messages import BatchEvent, ImportEvent, Outcome, Word
from tests.worlds.application import Application, Crash
from tests.worlds.deployable import Json, machine, tasks
from tests.worlds.deployment import START
from tests.worlds.execution import End, Function, StateError, StateMachine, script

IMPORT = "customers-0a1b2c3d4e5f"
LATER = START + timedelta(minutes=7)
# What Lambda and Step Functions may fail with, and an error of the functions' own.
ERRORS = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "States.Timeout",
    "StorageError",
]
RETRIED = timedelta(minutes=4)  # for which a step that fails is tried again, on average
A_DAY = timedelta(days=1)
TASKS = pytest.mark.parametrize("folder", tasks())


def outcome(word: Word, *, wait: bool = False) -> Json:
    state = BatchState.COMPLETE if word is Word.SETTLED else None
    return Outcome(word, LATER if wait else None, state=state).to_json()


def import_state(*batches: int) -> Json:
    """Return the input with which split_file starts an execution."""

    class Client:
        def start_execution(self, **request: Any) -> None:
            self.input = json.loads(request["input"])

    client: Any = Client()
    Executions(client, "arn").start(IMPORT, list(batches))
    state: Json = client.input
    return state


def state_machine(**functions: Function) -> StateMachine:
    """Return the machine with functions of which every batch succeeds, but for those that are given."""
    succeeding = {
        "upload_batch": script(outcome(Word.ACCEPTED, wait=True)),
        "check_status": script(outcome(Word.SETTLED)),
        "finish_import": script({"status": "succeeded", "cause": "Every row reached Target."}),
        "resend_import": script({"outcome": "prepared", "importId": IMPORT, "batches": [2], "says": ""}),
        "verify_import": script({"outcome": "verified"}),
    }
    return StateMachine(machine(), succeeding | functions)


def state_for(folder: str) -> Json:
    """Return an input with which an execution comes to the task of a function."""
    if folder == "resend_import":
        return {"importId": IMPORT, "resend": ["refused"]}
    return import_state(1) | ({"verifySample": 300} if folder == "verify_import" else {})


def called(execution: StateMachine) -> list[str]:
    return [folder for folder, _ in execution.events]


# --- one batch ---


def test_batch_accepted_is_checked_when_target_may_be_done() -> None:
    execution = state_machine()
    assert execution.run(import_state(1)).error == ""
    assert called(execution) == ["upload_batch", "check_status", "finish_import"]
    assert execution.clock() == LATER


def test_batch_without_a_slot_waits_and_is_submitted_again() -> None:
    deferred = outcome(Word.DEFERRED, wait=True)
    execution = state_machine(upload_batch=script(deferred, outcome(Word.ACCEPTED, wait=True)))
    execution.run(import_state(1))
    assert called(execution) == ["upload_batch", "upload_batch", "check_status", "finish_import"]
    assert "Wait for slot" in execution.states
    assert execution.clock() == LATER


@pytest.mark.parametrize("word", [Word.REFUSED, Word.UNKNOWN, Word.SETTLED])
def test_batch_not_accepted_gets_its_results_without_a_wait(word: Word) -> None:
    execution = state_machine(upload_batch=script(outcome(word)))
    execution.run(import_state(1))
    assert called(execution) == ["upload_batch", "check_status", "finish_import"]
    assert execution.clock() == START


def test_batch_that_target_processes_is_checked_again() -> None:
    processing = outcome(Word.PROCESSING, wait=True)
    execution = state_machine(check_status=script(processing, processing, outcome(Word.SETTLED)))
    execution.run(import_state(1))
    assert called(execution).count("check_status") == 3
    assert execution.states.count("Wait for Target") == 3


def test_batch_with_failed_profiles_is_submitted_again() -> None:
    execution = state_machine(check_status=script(outcome(Word.RESUBMIT), outcome(Word.SETTLED)))
    execution.run(import_state(1))
    assert called(execution) == [*["upload_batch", "check_status"] * 2, "finish_import"]


@pytest.mark.parametrize("folder", ["upload_batch", "check_status"])
def test_batch_with_an_unknown_outcome_fails_alone(folder: str) -> None:
    execution = state_machine(**{folder: script({"outcome": "none of ours"})})
    assert execution.run(import_state(1)).error == ""
    assert "Batch failed" in execution.states
    assert execution.children == ["failed"]
    assert called(execution)[-1] == "finish_import"


def test_functions_are_called_with_import_and_batch() -> None:
    execution = state_machine()
    execution.run(import_state(4, 7))
    batches = [
        BatchEvent.from_event(event) for folder, event in execution.events if folder != "finish_import"
    ]
    assert batches == [BatchEvent(IMPORT, number) for number in (4, 4, 7, 7)]
    assert ImportEvent.from_event(execution.events[-1][1]).import_id == IMPORT
    assert [len(event) for _, event in execution.events] == [2, 2, 2, 2, 1]


# --- faults ---


@TASKS
@pytest.mark.parametrize("error", ERRORS)
def test_step_that_fails_is_tried_again_for_four_minutes(folder: str, error: str) -> None:
    """On average, as full jitter halves the waits. They grow, and end within a day."""
    execution = state_machine(**{folder: script(StateError(error))})
    execution.run(state_for(folder))
    longest = sum(execution.waits, timedelta())
    assert RETRIED <= longest / 2 < longest < A_DAY
    assert called(execution).count(folder) > 8
    assert execution.waits[0] <= timedelta(seconds=5)
    grown = zip(execution.waits, execution.waits[1:], strict=False)
    assert all(later >= min(earlier * 1.5, timedelta(minutes=1)) for earlier, later in grown)


@TASKS
def test_step_that_recovers_goes_on_as_if_nothing_happened(folder: str) -> None:
    answer = state_machine().functions[folder]({})
    errors = [StateError(error) for error in ERRORS]
    execution = state_machine(**{folder: script(*errors, answer)})
    assert execution.run(state_for(folder)) == state_machine().run(state_for(folder))
    assert execution.children == ["complete"]
    assert "Batch failed" not in execution.states


@pytest.mark.fault(57, "a child dies")
@pytest.mark.parametrize("folder", ["upload_batch", "check_status"])
def test_batch_that_fails_for_ever_stops_no_other(folder: str) -> None:
    """Its import is finished, and the ledger shows the batch as unsettled."""
    good = state_machine().functions[folder]

    def second_fails(event: Json) -> Json:
        if event["batch"] == 2:
            raise StateError("StorageError")
        return good(event)

    execution = state_machine(**{folder: second_fails})
    assert execution.run(import_state(1, 2, 3)).error == ""
    assert execution.states.count("Batch settled") == 2
    assert execution.states.count("Batch failed") == 1
    assert execution.children == ["complete", "failed", "complete"]
    assert called(execution)[-1] == "finish_import"


@pytest.mark.fault(57, "the map run is stopped")
@pytest.mark.parametrize("error", ["States.TaskFailed", "States.ExceedToleratedFailureThreshold"])
def test_import_whose_map_is_stopped_is_finished(error: str) -> None:
    execution = state_machine()
    execution.map_error = StateError(error)
    assert execution.run(import_state(1)).error == ""
    assert execution.events[-1] == ("finish_import", {"importId": IMPORT})


def test_child_that_step_functions_fails_stops_no_other() -> None:
    """No error that a machine cannot catch, such as an answer without an outcome, ends its siblings."""
    execution = state_machine(upload_batch=script({}, outcome(Word.ACCEPTED, wait=True)))
    assert execution.run(import_state(1, 2)).error == ""
    assert execution.children == ["complete"]


# --- the import ---


@pytest.mark.parametrize("status", [ImportStatus.PARTIAL, ImportStatus.FAILED])
def test_import_not_complete_fails_with_the_reports_sentence(status: ImportStatus) -> None:
    execution = state_machine(finish_import=script({"status": status, "cause": "2 rows were rejected."}))
    end = execution.run(import_state(1))
    assert (end.error, end.cause) == (status, "2 rows were rejected.")


@pytest.mark.parametrize(
    "finish", [script(StateError("LedgerError")), script({"status": "none of ours", "cause": ""})]
)
def test_import_not_reconciled_fails_and_says_what_to_do(finish: Function) -> None:
    end = state_machine(finish_import=finish).run(import_state(1))
    assert end.error == "NotReconciled"
    assert "start this state machine again with the same input" in end.cause


def test_import_of_many_batches_keeps_its_state_small() -> None:
    """The results of ten thousand children would not fit the 256 KiB of a state."""
    execution = state_machine()
    execution.run(import_state(*range(1, 101)))
    assert execution.children == ["complete"] * 100
    assert len(json.dumps(execution.events[-1][1])) < 100


def test_results_of_ten_thousand_batches_fit_a_state() -> None:
    """The longest of their words, as a Distributed Map gathers them before they are discarded."""
    longest = max((*BatchState, "failed"), key=len)
    assert len(json.dumps([str(longest)] * 10_000)) < 256 * 1024


def test_batch_that_settled_shows_counts_and_reason_before_it_ends() -> None:
    answer = outcome(Word.SETTLED) | {"error": 2, "reason": "No."}
    execution = state_machine(check_status=script(answer))
    execution.run(import_state(1))
    assert execution.inputs["Batch settled"]["answer"] == answer


def test_batch_that_failed_shows_the_error() -> None:
    execution = state_machine(check_status=script(StateError("StorageError", "S3 did not read it.")))
    execution.run(import_state(1))
    failure = {"Error": "StorageError", "Cause": "S3 did not read it."}
    assert execution.inputs["Batch failed"]["failure"] == failure


def test_execution_of_a_rejected_file_fails_with_its_sentence_and_does_nothing() -> None:
    class Client:
        def start_execution(self, **request: Any) -> None:
            self.given = request

    client: Any = Client()
    Executions(client, "arn").show_rejected(IMPORT, "The file has no key column.")
    assert client.given["name"] == IMPORT
    execution = state_machine()
    assert execution.run(json.loads(client.given["input"])) == End("rejected", "The file has no key column.")
    assert execution.states == ["What is asked?", "File rejected"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"importId": IMPORT},
        {"batches": [1]},
        {"importId": 7, "batches": [1]},
        {"importId": IMPORT, "batches": []},
        {"importId": IMPORT, "batches": "all"},
        {"importId": IMPORT, "batches": ["1"]},
        [IMPORT],
        IMPORT,
    ],
)
def test_execution_with_a_wrong_input_fails_at_once_and_says_what_it_must_be(given: Any) -> None:
    execution = state_machine()
    end = execution.run(given)
    assert end.error == "WrongInput"
    assert all(f'"{word}": ' in end.cause for word in ("importId", "batches", "resend", "verify"))
    assert execution.states == ["What is asked?", "Wrong input"]
    assert called(execution) == []


# --- parts of it again ---


def test_resend_sends_the_batches_that_were_opened_again() -> None:
    execution = state_machine()
    state = {"importId": IMPORT, "resend": ["refused", "unknown"]}
    assert execution.run(state, "by-hand").error == ""
    assert called(execution) == ["resend_import", "upload_batch", "check_status", "finish_import"]
    assert execution.events[0][1] == {"input": state, "execution": "by-hand", "machine": ""}
    assert execution.events[1][1] == {"importId": IMPORT, "batch": 2}
    assert execution.events[3][1] == {"importId": IMPORT}


def test_resend_of_which_nothing_can_be_sent_again_fails_with_the_reason() -> None:
    refused = script({"outcome": "refused", "says": "Import crm-1 has not ended."})
    execution = state_machine(resend_import=refused)
    end = execution.run({"importId": IMPORT, "resend": ["refused"]})
    assert end == End("NothingSentAgain", "Import crm-1 has not ended.")
    assert called(execution) == ["resend_import"]


def test_resend_that_fails_for_ever_fails_in_its_task() -> None:
    """A redrive begins where an execution failed: with this task, and under the same name."""
    execution = state_machine(resend_import=script(StateError("StorageError", "S3 did not read it.")))
    end = execution.run({"importId": IMPORT, "resend": ["refused"]})
    assert end == End("StorageError", "S3 did not read it.")
    assert execution.states[-1] == "Resend import"


def test_resend_with_an_answer_that_is_none_of_ours_fails() -> None:
    execution = state_machine(resend_import=script({"outcome": "?"}))
    assert execution.run({"importId": IMPORT, "resend": ["refused"]}).error == "NotReconciled"


# --- profiles read back ---


def test_import_with_a_sample_is_verified_before_it_is_finished() -> None:
    waits = {"outcome": "waits", "resumeAt": "2026-11-24T10:00:00.000Z"}
    execution = state_machine(verify_import=script(waits, {"outcome": "verified"}))
    state = import_state(1) | {"verifySample": 300}
    assert execution.run(state, "crm-1").error == ""
    assert called(execution)[-3:] == ["verify_import", "verify_import", "finish_import"]
    event = execution.events[-3][1]
    assert (event["execution"], event["input"]["verifySample"]) == ("crm-1", 300)
    assert "Wait to verify" in execution.states


def test_import_without_a_sample_is_not_verified() -> None:
    execution = state_machine()
    execution.run(import_state(1))
    assert "verify_import" not in called(execution)


def test_person_reads_profiles_of_an_ended_import_back() -> None:
    execution = state_machine()
    assert execution.run({"importId": IMPORT, "verify": 300}, "by-hand").error == ""
    assert called(execution) == ["verify_import", "finish_import"]


def test_verification_that_cannot_be_fails_with_the_reason() -> None:
    refused = script({"outcome": "refused", "says": "Import crm-1 has not ended."})
    execution = state_machine(verify_import=refused)
    end = execution.run({"importId": IMPORT, "verify": 300})
    assert end == End("NothingVerified", "Import crm-1 has not ended.")
    assert called(execution) == ["verify_import"]


def test_verification_that_fails_for_ever_does_not_keep_an_import_from_its_end() -> None:
    execution = state_machine(verify_import=script(StateError("StorageError", "S3 did not read it.")))
    assert execution.run(import_state(1) | {"verifySample": 300}).error == ""
    assert called(execution)[-1] == "finish_import"


def test_verification_with_an_answer_that_is_none_of_ours_is_over() -> None:
    execution = state_machine(verify_import=script({"outcome": "?"}))
    assert execution.run(import_state(1) | {"verifySample": 300}).error == ""
    assert called(execution)[-1] == "finish_import"


# --- the definition over the functions as they are deployed ---


def deployed_functions(application: Application) -> dict[str, Function]:
    def function(folder: str) -> Function:
        def invoke(event: Json) -> Json:
            try:
                return application.invoke(folder, event)
            except Crash as crash:
                raise StateError("Runtime.HandlerError", str(crash)) from crash

        return invoke

    return {folder: function(folder) for folder in tasks()}


def whole_import(application: Application, file: bytes) -> tuple[End, Json]:
    """Import a file from its drop to the end of its execution; return that and summary.json."""
    import_id = application.invoke("split_file", application.drop(file))["importId"]
    manifest = json.loads(application.read(f"imports/{import_id}/manifest.json"))
    batches = [batch["number"] for batch in manifest["batches"]]
    execution = StateMachine(machine(), deployed_functions(application), application.clock)
    end = execution.run({"importId": import_id, "batches": batches})
    return end, json.loads(application.read(f"imports/{import_id}/summary.json"))


def refuse_a_batch(target: simulator.Simulator) -> None:
    target.script(simulator.fault("refused"))


def accept_every_batch(_target: simulator.Simulator) -> None:
    """Leave Target as it is."""


@pytest.mark.parametrize(
    ("behave", "status"), [(accept_every_batch, "succeeded"), (refuse_a_batch, "partial")]
)
def test_execution_ends_with_status_and_reason_of_the_summary(
    application: Application, behave: Callable[[simulator.Simulator], None], status: str
) -> None:
    behave(application.target)
    end, summary = whole_import(application, b"thirdPartyId,name\nu1,Ada\nu2,Grace\nu3,Zoe\n")
    assert summary["status"] == status
    assert summary["unaccounted"] == 0
    failed = (status, summary["reason"])
    assert (end.error, end.cause) == (("", "") if status == "succeeded" else failed)


def again(application: Application, import_id: str, *words: str) -> End:
    execution = StateMachine(machine(), deployed_functions(application), application.clock)
    return execution.run({"importId": import_id, "resend": list(words)}, f"{import_id}-resend")


def test_execution_sends_again_what_target_refused(application: Application) -> None:
    refuse_a_batch(application.target)
    end, summary = whole_import(application, b"thirdPartyId,name\nu1,Ada\nu2,Grace\nu3,Zoe\n")
    assert end.error == "partial"

    assert again(application, summary["importId"], "refused").error == ""

    summary = json.loads(application.read(f"imports/{summary['importId']}/summary.json"))
    assert (summary["status"], summary["profiles"]["success"], summary["unaccounted"]) == ("succeeded", 3, 0)
    assert [len(batch["resends"]) for batch in summary["batches"]] == [1, 0]


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["failed"], "these words: refused, error, unknown, pending, notSent"),
        ([], "these words: refused, error, unknown, pending, notSent"),
        (["pending"], "has no profile that is pending: there is nothing to send again."),
    ],
)
def test_execution_that_sends_nothing_again_says_why(
    application: Application, words: list[str], cause: str
) -> None:
    _, summary = whole_import(application, b"thirdPartyId,name\nu1,Ada\n")
    end = again(application, summary["importId"], *words)
    assert (end.error, cause in end.cause) == ("NothingSentAgain", True)


def test_execution_of_an_import_id_that_is_none_says_so(application: Application) -> None:
    assert "`importId` must be an import's name" in again(application, "No import", "error").cause
