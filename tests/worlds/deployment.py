"""The whole application in this process: moto for AWS, a real HTTP server for Target, time that is told.

It walks the state machine's states as the definition has them, without its waits: the clock jumps to the
moment that an outcome asks for. `tests/local` runs the real state machine on the engine.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3

from bulk_profiles.accounting.profile_results import read_results
from bulk_profiles.accounting.summary import Summary
from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.events import Events
from bulk_profiles.aws.functions import Invocations
from bulk_profiles.aws.profiles_table import ProfilesTable
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.aws.sns import Notices
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.models import ApiVersion, ProfileResult, ProfileResultsPolicy
from bulk_profiles.core.names import object_key, profiles_name
from bulk_profiles.core.timestamps import moment
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.check_status import CheckStatus
from bulk_profiles.steps.finish_import import FinishImport
from bulk_profiles.steps.messages import DroppedObject, Outcome, Word, resendable
from bulk_profiles.steps.resend_import import ResendImport, Resent
from bulk_profiles.steps.settings import (
    CheckStatusSettings,
    FinishImportSettings,
    ResendImportSettings,
    SplitFileSettings,
    SweepImportsSettings,
    UnknownPolicy,
    UploadBatchSettings,
    VerifyImportSettings,
)
from bulk_profiles.steps.split_file import SplitFile, SplitResult
from bulk_profiles.steps.sweep_imports import SweepImports, SweepResult
from bulk_profiles.steps.upload_batch import UploadBatch
from bulk_profiles.steps.verify_import import VerifyImport
from tests.worlds.aws.events import Bus
from tests.worlds.aws.functions import Functions
from tests.worlds.aws.sns import Topic
from tests.worlds.aws.step_functions import Machine

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DROP_BUCKET = "drop-bucket"
DATA_BUCKET = "data-bucket"
IMPORTS_TABLE = "imports"
PROFILES_TABLE = "profiles"
START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
_MOST_STEPS = 2_000  # of one batch, before a test is told that it goes round in circles


@dataclass(slots=True)
class Clock:
    """Time, as it is told."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def reach(self, moment_: datetime) -> None:
        self.now = max(self.now, moment_)

    def advance(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class Deployment:
    """One deployment. Change its settings with `split_settings`, `upload_settings`, `check_settings`."""

    endpoint: str
    s3: S3Client
    clock: Clock = field(default_factory=Clock)
    machine: Machine = field(default_factory=Machine)
    topic: Topic = field(default_factory=Topic)
    bus: Bus = field(default_factory=Bus)
    console_url: str = ""
    functions: Functions = field(default_factory=lambda: Functions(frozenset({"split"})))
    waits_told_after_hours: int = 24
    split_settings: SplitFileSettings = field(
        default_factory=lambda: SplitFileSettings(
            data_bucket=DATA_BUCKET,
            imports_table=IMPORTS_TABLE,
            state_machine_arn="arn",
            topic_arn="arn",
            client_code="demo",
            api_version=ApiVersion.V2,
            max_batch_rows=2,
            max_batch_bytes=49_999_999,
            rows_per_day=0,
            separator_in_value="encode",
            verify_sample=0,
            counts_only="isolate",
            max_rejected_percent=100,
            deadline_hours=24,
            time_zone="UTC",
            retention_days=30,
        )
    )
    upload_settings: UploadBatchSettings = field(init=False)
    check_settings: CheckStatusSettings = field(init=False)
    verify_settings: VerifyImportSettings = field(init=False)

    def __post_init__(self) -> None:
        budget: dict[str, Any] = {
            "data_bucket": DATA_BUCKET,
            "imports_table": IMPORTS_TABLE,
            "target_endpoint": self.endpoint,
            "client_code": "demo",
            "calls_per_minute": 50,
            "max_in_flight": 10,
            "rows_per_day": 0,
            "reset_hour": 0,
            "time_zone": "UTC",
            "retention_days": 30,
        }
        common = budget | {
            "max_submissions": 3,
            "first_check_seconds": 60,
            "max_check_seconds": 900,
            "deadline_hours": 24,
        }
        self.verify_settings = VerifyImportSettings(**budget, verify_delay_minutes=60)
        self.upload_settings = UploadBatchSettings(
            **common, unknown_policy=UnknownPolicy.RESEND, upload_timeout_seconds=2
        )
        self.check_settings = CheckStatusSettings(
            **common,
            profiles_table=PROFILES_TABLE,
            check_backoff=1.5,
            isolate_submissions=60,
            profile_results=ProfileResultsPolicy.ALL,
        )

    @property
    def storage(self) -> Storage:
        return Storage(self.s3, DATA_BUCKET)

    @functools.cached_property
    def ledger(self) -> Ledger:
        return Ledger(VersionedTable(boto3.resource("dynamodb").Table(IMPORTS_TABLE), timedelta(days=30)))

    @functools.cached_property
    def profiles_table(self) -> ProfilesTable:
        return ProfilesTable(boto3.client("dynamodb"), PROFILES_TABLE)

    @property
    def notices(self) -> Notices:
        return Notices(self.topic, "arn")  # type: ignore[arg-type]  # stands at the boundary

    def configure(self, **settings: Any) -> None:
        """Change settings of whichever functions have them."""
        for name in ("split_settings", "upload_settings", "check_settings", "verify_settings"):
            current = getattr(self, name)
            known = {key: value for key, value in settings.items() if hasattr(current, key)}
            setattr(self, name, replace(current, **known))

    def drop(
        self, body: bytes, key: str = "drop/default/customers.csv", event: str = "event-1"
    ) -> DroppedObject:
        version = self.s3.put_object(Bucket=DROP_BUCKET, Key=key, Body=body)["VersionId"]
        return DroppedObject(event, DROP_BUCKET, key, version)

    def split(self, dropped: DroppedObject, out_of_time: Callable[[], bool] = lambda: False) -> SplitResult:
        step = SplitFile(
            self.split_settings,
            self.storage,
            self.ledger,
            Executions(self.machine, "arn"),  # type: ignore[arg-type]  # stands at the boundary
            self.notices,
            Events(self.bus),  # type: ignore[arg-type]  # stands at the boundary
            self.clock,
        )
        return step.run(dropped, out_of_time)

    def sweep(self) -> SweepResult:
        """Sweep; what it has split is split at once."""
        result = self.sweep_only()
        for event in self.functions.take():
            self.split(DroppedObject.from_event(event))
        return result

    def sweep_only(self) -> SweepResult:
        """Sweep; what it has split is queued as an event of the function."""
        step = SweepImports(
            SweepImportsSettings(
                drop_bucket=DROP_BUCKET,
                data_bucket=DATA_BUCKET,
                imports_table=IMPORTS_TABLE,
                state_machine_arn="arn",
                split_file_function="split",
                retention_days=self.split_settings.retention_days,
                waits_told_after_hours=self.waits_told_after_hours,
            ),
            self.storage,
            self.ledger,
            Executions(self.machine, "arn"),  # type: ignore[arg-type]  # stands at the boundary
            Invocations(self.functions, "split"),  # type: ignore[arg-type]  # stands at the boundary
            self.notices,
            Events(self.bus),  # type: ignore[arg-type]  # stands at the boundary
            self.clock,
        )
        return step.run()

    def submit(self, import_id: str, number: int) -> Outcome:
        tokens = Tokens(self.upload_settings.token_secret_arn)
        step = UploadBatch(self.upload_settings, self.storage, self.ledger, tokens, self.clock)
        return step.run(import_id, number)

    def check(self, import_id: str, number: int, out_of_time: Callable[[], bool] = lambda: False) -> Outcome:
        tokens = Tokens(self.check_settings.token_secret_arn)
        step = CheckStatus(
            self.check_settings, self.storage, self.ledger, self.profiles_table, tokens, self.clock
        )
        return step.run(import_id, number, out_of_time)

    def finish(self, import_id: str, out_of_time: Callable[[], bool] = lambda: False) -> Summary:
        settings = FinishImportSettings(
            data_bucket=DATA_BUCKET,
            imports_table=IMPORTS_TABLE,
            client_code="demo",
            retention_days=30,
            console_url=self.console_url,
        )
        bus = Events(self.bus)  # type: ignore[arg-type]  # stands at the boundary
        step = FinishImport(settings, self.storage, self.ledger, self.notices, bus, self.clock)
        return step.run(import_id, out_of_time)

    def resend(self, import_id: str, *words: str, execution: str = "resend-1", machine: str = "") -> Resent:
        """Open what is to be sent again, as the first step of an execution of that name.

        In this world, executions run until somebody says otherwise: only with `machine` they are looked at.
        """
        settings = ResendImportSettings(
            data_bucket=DATA_BUCKET,
            imports_table=IMPORTS_TABLE,
            retention_days=self.split_settings.retention_days,
        )
        executions_of = functools.partial(Executions, self.machine)  # type: ignore[arg-type]  # stands at the boundary
        step = ResendImport(settings, self.storage, self.ledger, executions_of, self.clock)
        return step.run(import_id, resendable(list(words)), execution, machine)

    def send_again(self, import_id: str, *words: str, execution: str = "resend-1") -> Summary:
        """Send parts of an ended import again, to the end, and hold the accounting."""
        for number in self.resend(import_id, *words, execution=execution).batches:
            for _ in self.walk(import_id, number):
                pass
        summary = self.finish(import_id)
        assert summary.unaccounted == 0
        return summary

    def verify(
        self,
        import_id: str,
        wanted: int | None = None,
        execution: str = "verify-1",
        out_of_time: Callable[[], bool] = lambda: False,
    ) -> datetime | None:
        """Invoke verify_import once; where it sleeps, the clock is moved."""
        step = VerifyImport(
            self.verify_settings,
            self.storage,
            self.ledger,
            Tokens(self.verify_settings.token_secret_arn),
            self.clock,
            lambda seconds: self.clock.advance(seconds=seconds),
        )
        return step.run(import_id, wanted, execution, out_of_time)

    def verified(self, import_id: str, wanted: int | None = None, execution: str = "verify-1") -> Summary:
        """Verify an import as an execution does, and finish it."""
        for _ in range(_MOST_STEPS):
            again = self.verify(import_id, wanted, execution)
            if again is None:
                return self.finish(import_id)
            self.clock.reach(again)
        raise AssertionError("the verification goes round in circles")

    def walk(
        self, import_id: str, number: int, submit: Callable[[str, int], Outcome] | None = None
    ) -> Iterator[str]:
        """Walk one batch through its states; each step gives the state's name and what it answered."""
        submit = submit or self.submit
        state = "Upload batch"
        for _ in range(_MOST_STEPS):
            outcome = (submit if state == "Upload batch" else self.check)(import_id, number)
            yield f"{state}: {outcome.word}"
            if outcome.word is Word.SETTLED and state == "Check status":
                return
            if outcome.resume_at is not None:
                self.clock.reach(moment(outcome.to_json()["resumeAt"]))
            if state == "Upload batch":
                state = state if outcome.word is Word.DEFERRED else "Check status"
            elif outcome.word is Word.RESUBMIT:
                state = "Upload batch"
        raise AssertionError("the batch goes round in circles")

    def run(self, body: bytes, key: str = "drop/default/customers.csv") -> Summary:
        """Import a file from its drop to its end and hold its accounting."""
        imported = self.split(self.drop(body, key))
        assert imported.manifest is not None
        return self.resume(imported.import_id)

    def resume(self, import_id: str) -> Summary:
        for number in self.machine.started[import_id]:
            for _ in self.walk(import_id, number):
                pass
        summary = self.finish(import_id)
        assert summary.unaccounted == 0
        failed = summary.failed_rows
        assert (failed.profiles, failed.not_found) == (summary.profiles.total - summary.profiles.success, 0)
        return summary

    def objects(self, import_id: str) -> dict[str, bytes]:
        """Give an import's objects by name below its folder, but for what the split keeps for itself."""
        prefix = f"imports/{import_id}/"
        found = {}
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=DATA_BUCKET, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", []):
                name = item["Key"].removeprefix(prefix)
                if not name.startswith("scratch/"):
                    with self.storage.open(item["Key"]) as body:
                        found[name] = body.read()
        return found

    def profiles(self, import_id: str, number: int) -> list[ProfileResult]:
        return list(read_results(self.storage, object_key(import_id, profiles_name(number))))
