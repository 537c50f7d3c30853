"""The executions of a deployment's state machine, walked one step at a time, in any order.

A child goes on where its outcome sends it, fails as often as its retries allow, and then gives up; once all
children of an execution have ended, the import is finished. `tests/contract` holds the definition itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bulk_profiles.accounting.summary import Summary
from bulk_profiles.aws.step_functions import Executions as StepFunctions
from bulk_profiles.core.errors import ResendError
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.core.timestamps import moment
from bulk_profiles.steps.messages import Outcome, Word
from bulk_profiles.steps.resend_import import Resent

from .deployment import Deployment

RESEND, UPLOAD, CHECK, FINISH, ENDED = "Resend import", "Upload batch", "Check status", "Finish import", ""
_TRIES = 9  # one, and eight retries
_FIRST_WAIT = timedelta(seconds=2)


@dataclass
class Child:
    """One task of an execution that is under way: of a batch, or number 0 of the import as a whole."""

    execution: str
    import_id: str
    number: int
    due: datetime
    state: str = UPLOAD
    failures: int = 0  # in a row

    def go_on(self, outcome: Outcome, now: datetime) -> None:
        """Go to the state that an outcome asks for."""
        self.failures = 0
        self.due = now
        if outcome.resume_at is not None:
            # What the state machine reads is cut to the text of the answer.
            self.due = moment(outcome.to_json()["resumeAt"])
        if self.state == UPLOAD:
            self.state = self.state if outcome.word is Word.DEFERRED else CHECK
        elif outcome.word is Word.SETTLED:
            self.state = ENDED
        elif outcome.word is Word.RESUBMIT:
            self.state = UPLOAD

    def fail(self, now: datetime) -> None:
        """Wait for a retry, or give up."""
        self.failures += 1
        self.due = now + _FIRST_WAIT * 2**self.failures
        if self.failures == _TRIES:
            self.state = ENDED


@dataclass
class Executions:
    """All executions of one deployment."""

    deployment: Deployment
    children: dict[str, list[Child]] = field(default_factory=dict)  # by execution
    hurries: int = 0  # looks at the clock that show no time left

    @property
    def of_machine(self) -> StepFunctions:
        """The executions as the application sees them."""
        return StepFunctions(self.deployment.machine, "arn")  # type: ignore[arg-type]  # stands at the boundary

    def due(self) -> list[Child]:
        """Return what may be done next, by the time at which it is due."""
        return sorted(self._running(), key=lambda child: child.due)

    def step(self, child: Child) -> Outcome | Summary | Resent:
        """Invoke the function of a child once. What it raises, the caller counts with `fail`."""
        match child.state:
            case "Resend import":
                return self._resend(child)
            case "Finish import":
                summary = self.deployment.finish(child.import_id)
                success = summary.status is ImportStatus.SUCCEEDED
                self.end(child.execution, "SUCCEEDED" if success else "FAILED")
                return summary
            case "Upload batch":
                outcome = self.deployment.submit(child.import_id, child.number)
            case _:
                outcome = self.deployment.check(child.import_id, child.number, self._is_out_of_time)
        return outcome

    def _resend(self, child: Child) -> Resent:
        """Open batches again, and go on with them; or end the execution, if nothing can be sent again."""
        words = self.deployment.machine.resend_of(child.execution)
        try:
            resent = self.deployment.resend(child.import_id, *words, execution=child.execution)
        except ResendError as error:
            self.end(child.execution, "FAILED")
            return Resent([], str(error))
        child.state, now = ENDED, self.deployment.clock()
        batches = [Child(child.execution, child.import_id, number, now) for number in resent.batches]
        self.children[child.execution] += batches
        return resent

    def _is_out_of_time(self) -> bool:
        """Whether a check that asks has no time left. It asks only while it fills the table."""
        hurry, self.hurries = self.hurries > 0, max(0, self.hurries - 1)
        return hurry

    def fail(self, child: Child) -> None:
        """Try a child of an execution again, or end the execution without it."""
        child.fail(self.deployment.clock())
        if child.state == ENDED and child.number == 0:
            self.end(child.execution, "FAILED")

    def end(self, execution: str, status: str) -> None:
        """End an execution, whatever its children do."""
        self.deployment.machine.statuses[execution] = status

    def _running(self) -> Iterator[Child]:
        now = self.deployment.clock()
        for name, status in list(self.deployment.machine.statuses.items()):
            if status != "RUNNING":
                continue
            if self.deployment.machine.rejected(name):
                self.end(name, "FAILED")  # to be seen is all that it is for
                continue
            if name not in self.children:
                import_id, numbers = self.deployment.machine.state_of(name)
                self.children[name] = [Child(name, import_id, number, now) for number in numbers]
                if self.deployment.machine.resend_of(name):
                    self.children[name] = [Child(name, import_id, 0, now, RESEND)]
            open_children = [child for child in self.children[name] if child.state != ENDED]
            if not open_children:
                import_id, _ = self.deployment.machine.state_of(name)
                open_children = [Child(name, import_id, 0, now, FINISH)]
                self.children[name] += open_children
            yield from open_children


def out_of_time_after(looks: int) -> Callable[[], bool]:
    """Return an `out_of_time` that is false so many times, and true from then on."""
    answers = iter([False] * looks)
    return lambda: next(answers, True)
