"""Every parameter off its default: each value meets each value of every other one in some import.

The values go the way of a deployment: from the template into the environment of the functions, and from there
into their settings. Feeds and what Target does vary with them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from aws_lambda_powertools.utilities import parameters as powertools

import simulator
from bulk_profiles.accounting.summary import Summary
from bulk_profiles.budget.local_time import time_zone
from bulk_profiles.core.models import BatchState, ImportStatus, ProfileResultsPolicy, ProfileStatus
from bulk_profiles.core.names import REJECTED_ROWS, ROWS_SUFFIXES, feed_key, import_id, object_key
from bulk_profiles.steps.messages import DroppedObject, Outcome
from bulk_profiles.steps.settings import (
    CheckStatusSettings,
    SplitFileSettings,
    UploadBatchSettings,
    VerifyImportSettings,
    load,
)
from simulator.target import Target
from tests.worlds import deployable
from tests.worlds.children import FINISH, Executions
from tests.worlds.deployment import DATA_BUCKET, IMPORTS_TABLE, PROFILES_TABLE
from tests.worlds.evidence import Evidence
from tests.worlds.in_memory import InMemoryDeployment
from tests.worlds.pairwise import all_pairs

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:target-AbCdEf"
TOKEN = "an-invented-token"

# Every parameter that has a default and that a function reads. Of a number: its bounds, and its default.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "ApiVersion": ("v2", "v1"),
    "TargetEndpoint": ("http://127.0.0.1:0", "http://127.0.0.1:0/"),  # 0 stands for the simulator's port
    "TokenSecretArn": ("", SECRET),
    "MaxBatchRows": ("500000", "1", "3"),
    "MaxBatchBytes": ("49999999", "100", "200"),
    "SeparatorInValue": ("encode", "replace", "reject"),
    "CallsPerMinute": ("50", "1", "100000"),
    "MaxInFlight": ("10", "1"),
    "RowsPerDay": ("1000000", "0", "1", "4", "10000000000"),
    "ResetHour": ("0", "23"),
    "UploadWindow": ("", "20:00-06:00", "Mon-Fri 08:30-17:00", "Sat,Sun 00:00-24:00"),
    "TimeZone": ("UTC", "America/St_Johns"),
    "UploadTimeoutSeconds": ("120", "1", "240"),
    "MaxSubmissions": ("3", "1", "10"),
    "UnknownPolicy": ("resend", "hold"),
    "FirstCheckSeconds": ("60", "1", "86400"),
    "CheckBackoff": ("1.5", "1", "10"),
    "MaxCheckSeconds": ("900", "1", "86400"),
    "DeadlineHours": ("24", "1", "168"),
    "CountsOnly": ("isolate", "report"),
    "IsolateSubmissions": ("60", "1", "1000"),
    "VerifySample": ("0", "1", "10000"),
    "VerifyDelayMinutes": ("60", "0", "1440"),
    "MaxRejectedPercent": ("10", "0", "100"),
    "ProfileResults": ("all", "failures", "none"),
    "RetentionDays": ("30", "2", "3650"),
    "UnknownFeeds": ("accept", "reject"),
}
# What no step of a case reads, with the test that looks at it; and the function that reads it, if any does.
ELSEWHERE = {
    "NotifyEmail": "tests/contract/test_alarms.py",
    "WaitsToldAfterHours": "tests/faults/test_telling.py",
    "LogLevel": "tests/contract/test_functions.py",
    "Architecture": "tests/contract/test_functions.py",
    "DeletionProtection": "tests/contract/test_storage.py",
    "WarmWritesPerSecond": "tests/contract/test_storage.py",
}
READERS = {"WaitsToldAfterHours": {"sweep_imports"}}
FEEDS: dict[str, Any] = {
    "none": {},
    "deployment's own": {"clientCode": "other", "apiVersion": "v1", "maxRejectedPercent": 50},
    "separators": {"separatorInValue": "replace", "nullValues": ["NULL"]},
    "short rows": {"shortRows": "fill", "encoding": "utf-8", "delimiter": "comma"},
    "mapping": {
        "mapping": {
            "rename": {"name": "firstName"},
            "drop": ["note"],
            "constants": {"source": "crm"},
            "tombstone": "none",
        }
    },
    "key": {
        "keyColumn": "pcId",
        "mapping": {"key": "thirdPartyId", "keep": ["name"], "defaults": {"name": "?"}},
    },
    "unquoted": {"quoting": "none", "maxRejectedPercent": 0},
    "counts": {"countsOnly": "report", "verifySample": 2},
}
# What Target does: with ids, and with one call.
TARGETS: dict[str, tuple[dict[str, Any], tuple[simulator.Fault, ...]]] = {
    "takes all": ({}, ()),
    "fails some": ({"failed_ids": frozenset({"u2"}), "failed_once_ids": frozenset({"u1"})}, ()),
    "counts some": ({"generation": 4, "failed_ids": frozenset({"u3", "u5"})}, ()),
    "knows none": ({"generation": 1, "not_found_ids": frozenset({"u1", "u3"})}, ()),
    "is busy": ({"generation": 3}, (simulator.fault("unavailable", times=2, headers={"Retry-After": "90"}),)),
    "says nothing": ({}, (simulator.fault("reset_after_body"), simulator.fault("empty", skip=1))),
    "is stuck": ({"generation": 4}, (simulator.fault("stuck"), simulator.fault("not_found", skip=2))),
}
FILE = b"""thirdPartyId,name,note
u1,Ada Lovelace of London,"one, two"
u2,Grace Hopper of New York,NULL
,Nobody,
u1,,later
u3,Barbara Liskov of Cambridge,"x
y"
u4,,
u5,Edsger Dijkstra of Nuenen
"""
ROWS = 7  # of FILE
DROPPED_AT = time(23, 30)  # local time: half an hour before a day of rows ends (0), or after it began (23)
MORE = b"thirdPartyId,name,note\nu6,Alan,x\n"  # no id of FILE: else it waits for days, minute by minute
_MOST_STEPS = 20_000


@dataclass(frozen=True)
class Case:
    """One combination."""

    parameters: dict[str, str]
    feed: str
    target: str

    def __str__(self) -> str:
        changed = [
            f"{name}={value}" for name, value in self.parameters.items() if PARAMETERS[name][0] != value
        ]
        return f"feed {self.feed}, Target {self.target}: {' '.join(changed)}"


def _cases() -> list[Case]:
    factors = PARAMETERS | {"feed": tuple(FEEDS), "target": tuple(TARGETS)}
    return [Case(row, row.pop("feed"), row.pop("target")) for row in all_pairs(factors)]


# Sent one after the other, over midnight: pairs leave no case in which the hour of the reset matters.
DAY_THAT_BEGINS_AT_23 = Case(
    {name: values[0] for name, values in PARAMETERS.items()}
    | {"MaxBatchRows": "1", "RowsPerDay": "1", "ResetHour": "23"},
    feed="none",
    target="takes all",
)
CASES = [*_cases(), DAY_THAT_BEGINS_AT_23]


@pytest.mark.parametrize("case", CASES, ids=map(str, range(len(CASES))))
def test_import_adds_up_and_keeps_its_limits(
    case: Case, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(powertools, "get_secret", lambda *_, **__: TOKEN)
    deployment = _deployed(case, target)
    evidence = Evidence(deployment, target)
    if FEEDS[case.feed]:
        body = json.dumps(FEEDS[case.feed]).encode()
        deployment.s3.put_object(Bucket=DATA_BUCKET, Key=feed_key("crm"), Body=body)

    dropped = [deployment.drop(FILE, "drop/crm/a.csv", "1"), deployment.drop(MORE, "drop/crm/b.csv", "2")]
    for each in dropped:
        deployment.split(each)
    summaries = _walked(deployment)
    for name in summaries:
        summaries[name] = deployment.verified(name, None, "at-the-end")

    for each in dropped:
        _hold(case, deployment, each, summaries)
    evidence.hold_limits()
    _hold_bodies(case, target)


def _deployed(case: Case, target: simulator.Simulator) -> InMemoryDeployment:
    """Return a deployment whose functions have the environment that the template gives them."""
    given = case.parameters | {
        "TargetEndpoint": case.parameters["TargetEndpoint"].replace("http://127.0.0.1:0", target.url)
    }
    own = {
        "DATA_BUCKET": DATA_BUCKET,
        "IMPORTS_TABLE": IMPORTS_TABLE,
        "PROFILES_TABLE": PROFILES_TABLE,
        "STATE_MACHINE_ARN": "arn",
        "TOPIC_ARN": "arn",
    }

    def settings[T](kind: type[T], folder: str) -> T:
        environment = deployable.environment(folder, **given)
        return load(kind, environment | {name: own[name] for name in own if name in environment})

    deployment = InMemoryDeployment(target.url)
    local = deployment.clock().astimezone(time_zone(case.parameters["TimeZone"]))
    deployment.clock.reach(datetime.combine(local, DROPPED_AT, local.tzinfo).astimezone(UTC))
    deployment.split_settings = settings(SplitFileSettings, "split_file")
    deployment.upload_settings = settings(UploadBatchSettings, "upload_batch")
    deployment.check_settings = settings(CheckStatusSettings, "check_status")
    deployment.verify_settings = settings(VerifyImportSettings, "verify_import")
    for each in (
        deployment.split_settings,
        deployment.upload_settings,
        deployment.check_settings,
        deployment.verify_settings,
    ):
        for name, value in given.items():
            set_value = getattr(each, re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower(), value)
            assert set_value == type(set_value)(value), f"{name} does not reach {type(each).__name__}"
    changes, faults = TARGETS[case.target]
    token = TOKEN if case.parameters["TokenSecretArn"] else ""
    target._server.target = Target(
        simulator.Settings(calls_per_minute=0, completion_seconds=100, token=token, **changes),
        lambda: deployment.clock().timestamp(),
    )
    target.script(*faults)
    return deployment


def _walked(deployment: InMemoryDeployment) -> dict[str, Summary]:
    """Walk all children to their end; return the summaries by import."""
    executions, summaries = Executions(deployment), dict[str, Summary]()
    for _ in range(_MOST_STEPS):
        children = executions.due()
        if not children:
            return summaries
        child = children[0]
        deployment.clock.reach(child.due)
        result = executions.step(child)
        if isinstance(result, Outcome):
            child.go_on(result, deployment.clock())
        else:
            assert child.state == FINISH
            assert isinstance(result, Summary)
            summaries[child.import_id] = result
    raise AssertionError("the batches go round in circles")


def _hold(
    case: Case, deployment: InMemoryDeployment, dropped: DroppedObject, summaries: dict[str, Summary]
) -> None:
    """Assert that the sums of an import add up, from its rows to the Profiles table."""
    name = import_id(dropped.bucket, dropped.key, dropped.version_id)
    entry = deployment.ledger.get_import(name)
    assert entry is not None
    if name not in summaries:
        assert entry.status is ImportStatus.REJECTED
        assert entry.reason
        return
    summary = summaries[name]
    rows = summary.rows
    assert summary.unaccounted == rows.unaccounted == 0
    assert rows.read == rows.rejected + rows.merged + rows.skipped + rows.sent
    assert rows.sent == summary.profiles.total == sum(batch.rows for batch in summary.batches)
    assert rows.rejected == sum(summary.rejects.values()) == _rejects(deployment, name)
    assert all(batch.settled for batch in summary.batches)
    if name.startswith("a-csv") and case.feed != "unquoted":  # there, a value of two lines is two rows
        assert rows.read == ROWS

    deadline = timedelta(hours=int(case.parameters["DeadlineHours"]))
    limit = FEEDS[case.feed].get("maxRejectedPercent", int(case.parameters["MaxRejectedPercent"]))
    if rows.rejected * 100 > limit * rows.read:
        assert summary.status is not ImportStatus.SUCCEEDED
    _hold_verification(case, summary)
    for batch in summary.batches:
        searched = int(case.parameters["IsolateSubmissions"]) if batch.isolation else 0
        assert batch.submissions <= int(case.parameters["MaxSubmissions"]) + searched
        if batch.state is BatchState.EXPIRED and batch.accepted_at and batch.settled_at:
            assert batch.settled_at - batch.accepted_at >= deadline
    _hold_table(case, deployment, summary)


def _hold_verification(case: Case, summary: Summary) -> None:
    """Assert that as many profiles were read back as the import has settled, and none differs."""
    wanted = FEEDS[case.feed].get("verifySample", int(case.parameters["VerifySample"]))
    sample = summary.verification
    assert (sample is not None) is (wanted > 0)
    if sample:
        assert sample.different == 0
        assert sample.read + sample.newer + sample.not_read == min(wanted, summary.profiles.success)


def _hold_table(case: Case, deployment: InMemoryDeployment, summary: Summary) -> None:
    """Assert that the Profiles table has the results that ProfileResults asks for, for RetentionDays."""
    results = Counter(
        result.status
        for batch in summary.batches
        for result in deployment.profiles(batch.import_id, batch.number)
    )
    assert results.total() == summary.profiles.total
    items = [
        item
        for item in deployment.tables.items(PROFILES_TABLE)
        if item["batch"]["S"].startswith(summary.entry.import_id)
    ]
    expected = {
        ProfileResultsPolicy.ALL: results.total(),
        ProfileResultsPolicy.FAILURES: results.total() - results[ProfileStatus.SUCCESS],
        ProfileResultsPolicy.NONE: 0,
    }
    assert len(items) == expected[ProfileResultsPolicy(case.parameters["ProfileResults"])]
    kept = timedelta(days=int(case.parameters["RetentionDays"])).total_seconds()
    settled = {f"{batch.import_id}#{batch.number:05d}": batch.settled_at for batch in summary.batches}
    for item in items:
        settled_at = settled[item["batch"]["S"]]
        assert settled_at is not None
        assert int(item["expiresAt"]["N"]) == int(settled_at.timestamp() + kept)


def _hold_bodies(case: Case, target: simulator.Simulator) -> None:
    """Assert that no body was larger than it may be, and each went where it should, with the token."""
    most_rows = int(case.parameters["MaxBatchRows"])
    if int(case.parameters["RowsPerDay"]):
        most_rows = min(most_rows, int(case.parameters["RowsPerDay"]))
    version = FEEDS[case.feed].get("apiVersion", case.parameters["ApiVersion"])
    client = FEEDS[case.feed].get("clientCode", "demo")
    for request in target.submissions:
        assert request.size <= int(case.parameters["MaxBatchBytes"])
        assert request.authorized is bool(case.parameters["TokenSecretArn"])
        assert f"/{client}/" in request.path
        assert ("/v2/" in request.path) is (version == "v2")
        if not request.cut:
            assert len(target.body(request.number).splitlines()) - 1 <= most_rows


def _rejects(deployment: InMemoryDeployment, name: str) -> int:
    """Count the rows in the file of rejected rows: each ends with the note that it is in no batch."""
    objects = deployment.bucket_store.objects(DATA_BUCKET)
    bodies = [objects.get(object_key(name, REJECTED_ROWS + suffix), b"") for suffix in ROWS_SUFFIXES]
    return len(re.findall(rb'[,;|\t]rejected\n|"rejected"}\n', b"".join(bodies)))


def test_table_has_every_parameter_with_a_default() -> None:
    defaults = {name for name, parameter in deployable.parameters().items() if "Default" in parameter}
    assert defaults == set(PARAMETERS) | set(ELSEWHERE)
    assert not set(PARAMETERS) & set(ELSEWHERE)


@pytest.mark.parametrize("name", PARAMETERS)
def test_table_has_the_default_and_the_bounds_of_a_parameter(name: str) -> None:
    parameter, values = deployable.parameters()[name], PARAMETERS[name]
    if name != "TargetEndpoint":  # the default is Adobe's
        assert str(parameter["Default"]) in values
    assert set(values) >= set(parameter.get("AllowedValues", ()))
    bounds = [str(parameter[bound]) for bound in ("MinValue", "MaxValue") if bound in parameter]
    assert set(values) >= set(bounds)
    pattern = parameter.get("AllowedPattern", ".*")
    assert all(re.fullmatch(pattern, value) for value in values)


@pytest.mark.parametrize(("name", "module"), ELSEWHERE.items())
def test_parameter_that_no_step_of_a_case_reads_has_a_test(name: str, module: str) -> None:
    assert name in (deployable.ROOT / module).read_text()
    readers = {f for f in deployable.FUNCTIONS if {"Ref": name} in deployable.variables(f).values()}
    assert readers == READERS.get(name, set())


def test_cases_have_every_value_of_every_factor() -> None:
    for name, values in PARAMETERS.items():
        assert {case.parameters[name] for case in CASES} == set(values)
    assert {case.feed for case in CASES} == set(FEEDS)
    assert {case.target for case in CASES} == set(TARGETS)
