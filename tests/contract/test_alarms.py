"""An alarm tells the operator what went wrong, soon, every time, and of nothing else."""

from __future__ import annotations

import json
import operator
import re
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

import simulator
from bulk_profiles.aws.sns import Notices
from bulk_profiles.core.errors import NoticeError
from tests.worlds.application import IMPORTS_TABLE, Application
from tests.worlds.deployable import ROOT, Json, common_variables, condition, resolved, resources, template

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\nu3,Zoe\n"  # with two rows a batch: two batches
EACH_ALARM = pytest.mark.parametrize("name", resources("CloudWatch::Alarm"))
SOON = 600  # seconds from what went wrong to the alarm, at most
# The metrics of AWS that alarms watch, with the dimension by which AWS counts them.
AWS_METRICS = {
    ("AWS/States", "ExecutionsFailed"): {"StateMachineArn": {"Ref": "ImportProfiles"}},
    ("AWS/States", "ExecutionsAborted"): {"StateMachineArn": {"Ref": "ImportProfiles"}},
    ("AWS/Lambda", "Invocations"): {"FunctionName": {"Ref": "SweepImportsFunction"}},
    ("AWS/Lambda", "Throttles"): {"FunctionName": {"Ref": "UploadBatchFunction"}},
    ("AWS/SQS", "NumberOfMessagesSent"): {"QueueName": {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}},
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {
        "QueueName": {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}
    },
}
_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Average": statistics.fmean,
    "Maximum": max,
    "Minimum": min,
    "SampleCount": len,
    "Sum": sum,
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}


def alarm(name: str) -> Json:
    return resources("CloudWatch::Alarm")[name]


def named_alarms(*, of_aws: bool) -> list[str]:
    """Return the alarms of metrics that AWS counts, or of those that the functions emit."""
    alarms = resources("CloudWatch::Alarm").items()
    return [name for name, settings in alarms if settings["Namespace"].startswith("AWS/") is of_aws]


def notices(alarm_: Json, *periods: Sequence[float]) -> int:
    """Count how often an alarm notifies, by CloudWatch's rules, over periods with these data points.

    A period without data points has no data. The alarm is OK before the first one.
    """
    count, state = 0, "OK"
    for end in range(1, len(periods) + 1):
        following = _state(alarm_, periods[max(0, end - alarm_["EvaluationPeriods"]) : end], state)
        count += following == "ALARM" != state
        state = following
    return count


def _state(alarm_: Json, periods: Sequence[Sequence[float]], state: str) -> str:
    if not any(periods) and alarm_["TreatMissingData"] in {"missing", "ignore"}:
        return state if alarm_["TreatMissingData"] == "ignore" else "INSUFFICIENT_DATA"
    breaching = [_is_breaching(alarm_, period) for period in periods]
    return "ALARM" if all(breaching) and len(breaching) == alarm_["EvaluationPeriods"] else "OK"


def _is_breaching(alarm_: Json, period: Sequence[float]) -> bool:
    if not period:
        return bool(alarm_["TreatMissingData"] == "breaching")
    value = _STATISTICS[alarm_["Statistic"]](period)
    return _COMPARISONS[alarm_["ComparisonOperator"]](value, alarm_["Threshold"])


# --- what is watched, and who is told ---


@EACH_ALARM
def test_alarm_notifies_the_topic(name: str) -> None:
    assert alarm(name)["AlarmActions"] == [{"Ref": "ImportsTopic"}]
    assert alarm(name).get("ActionsEnabled", True) is True


@EACH_ALARM
def test_alarm_on_an_event_comes_within_ten_minutes(name: str) -> None:
    """An alarm on silence or on what the hourly sweep counts must wait for longer."""
    settings = alarm(name)
    on_silence = settings["TreatMissingData"] == "breaching" or settings["MetricName"] == "SweepFailures"
    assert settings["Period"] * settings["EvaluationPeriods"] <= SOON or on_silence


@EACH_ALARM
def test_alarm_says_what_happened(name: str) -> None:
    """The description is the text of the notification."""
    assert alarm(name)["AlarmDescription"].endswith(".")


def test_topic_lets_alarms_publish() -> None:
    """With a key or a policy of its own it would need a permission for CloudWatch."""
    assert "KmsMasterKeyId" not in resources("SNS::Topic")["ImportsTopic"]
    assert not resources("SNS::TopicPolicy")


def test_notify_email_receives_what_the_topic_sends() -> None:
    """Whoever leaves it empty subscribes nobody."""
    [(name, subscription)] = resources("SNS::Subscription").items()
    assert subscription == {
        "TopicArn": {"Ref": "ImportsTopic"},
        "Protocol": "email",
        "Endpoint": {"Ref": "NotifyEmail"},
    }
    subscribes = template()["Resources"][name]["Condition"]
    assert condition(subscribes, NotifyEmail="operator@example.com")
    assert not condition(subscribes, NotifyEmail="")


@pytest.mark.parametrize("name", named_alarms(of_aws=True))
def test_alarm_watches_a_metric_that_aws_counts(name: str) -> None:
    settings = alarm(name)
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in settings["Dimensions"]}
    assert dimensions == AWS_METRICS[settings["Namespace"], settings["MetricName"]]


def test_one_alarm_stays_while_an_event_waits_and_another_tells_of_each_new_one() -> None:
    assert alarm("DeadLettersAlarm")["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert alarm("NewDeadLettersAlarm")["MetricName"] == "NumberOfMessagesSent"


@pytest.mark.parametrize("name", named_alarms(of_aws=False))
def test_alarm_watches_a_metric_that_the_functions_emit(
    application: Application, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Under its namespace and with its dimensions: an alarm of a metric that nobody emits is dead."""
    split(application, b"no key column\n")
    finished(application, lost=False)
    swept(application, lost=False)
    parked(application)
    assert watched(alarm(name), capsys.readouterr().out)


# --- dead letters ---


@pytest.mark.fault(61, "a message in the dead-letter queue raises an alarm that is told")
def test_message_in_the_dead_letter_queue_raises_an_alarm() -> None:
    """SQS tells how many messages wait, once a minute."""
    dead_letters = alarm("DeadLettersAlarm")
    assert (dead_letters["Namespace"], dead_letters["MetricName"]) in AWS_METRICS
    assert notices(dead_letters, [0, 0, 0, 1, 1], [1, 1, 1, 1, 1]) == 1


def test_empty_dead_letter_queue_raises_no_alarm() -> None:
    """A queue that nobody uses has no data after a while."""
    assert notices(alarm("DeadLettersAlarm"), [0, 0, 0, 0, 0], [], [0, 0]) == 0


def test_queue_emptied_and_filled_again_raises_a_second_alarm() -> None:
    assert notices(alarm("DeadLettersAlarm"), [1, 1], [0, 0], [0, 1]) == 2


def test_each_new_dead_letter_raises_an_alarm_while_earlier_ones_wait() -> None:
    """SQS counts what Lambda and EventBridge send to the queue: these are calls of SendMessage."""
    assert notices(alarm("NewDeadLettersAlarm"), [1], [], [0], [1], [], [2]) == 3


# --- throttling ---


def test_function_that_is_throttled_for_ten_minutes_raises_an_alarm() -> None:
    assert notices(alarm("ThrottlesAlarm"), [0], [5], [7], [2], [0]) == 1


def test_function_that_is_throttled_for_a_moment_raises_no_alarm() -> None:
    """Step Functions tries again for much longer."""
    assert notices(alarm("ThrottlesAlarm"), [5], [], [3], [0], [9]) == 0


# --- failed imports ---


def test_execution_that_failed_raises_an_alarm() -> None:
    """Step Functions counts executions as they end: 1 for each that failed, 0 for each other one."""
    failed = alarm("FailedImportsAlarm")
    assert (failed["Namespace"], failed["MetricName"]) in AWS_METRICS
    assert notices(failed, [0, 1, 0, 0]) == 1


def test_executions_that_succeeded_raise_no_alarm() -> None:
    assert notices(alarm("FailedImportsAlarm"), [0, 0], [], [0]) == 0


def test_next_failed_execution_raises_the_next_alarm() -> None:
    assert notices(alarm("FailedImportsAlarm"), [1], [], [1], [0], [1]) == 3


# --- rows unaccounted for, as the functions count them ---


def emitted(output: str, namespace: str, metric: str, dimensions: dict[str, str]) -> list[float]:
    """Return the values of a metric in what functions wrote: CloudWatch's embedded metric format."""
    values: list[float] = []
    for line in output.splitlines():
        record: Json = json.loads(line) if '"_aws"' in line else {"_aws": {"CloudWatchMetrics": []}}
        for group in record["_aws"]["CloudWatchMetrics"]:
            of_group = [{name: record[name] for name in names} for names in group["Dimensions"]]
            names = [definition["Name"] for definition in group["Metrics"]]
            if group["Namespace"] == namespace and dimensions in of_group and metric in names:
                values += record[metric] if isinstance(record[metric], list) else [record[metric]]
    return values


def watched(alarm_: Json, output: str) -> list[float]:
    """Return the values that an alarm sees of what functions wrote."""
    dimensions = {dimension["Name"]: resolved(dimension["Value"]) for dimension in alarm_["Dimensions"]}
    return emitted(output, alarm_["Namespace"], alarm_["MetricName"], dimensions)


def split(application: Application, file: bytes = FILE) -> str:
    import_id: str = application.invoke("split_file", application.drop(file))["importId"]
    return import_id


def lose_a_batch(import_id: str) -> None:
    """Remove a batch with two rows from the ledger, behind the application's back."""
    key = {"pk": f"IMPORT#{import_id}", "sk": "BATCH#00001"}
    table = boto3.resource("dynamodb").Table(IMPORTS_TABLE)
    assert "Item" in table.get_item(Key=key)
    table.delete_item(Key=key)


def finished(application: Application, *, lost: bool) -> None:
    import_id = split(application)
    if lost:
        lose_a_batch(import_id)
    application.invoke("finish_import", {"importId": import_id})


def swept(application: Application, *, lost: bool) -> None:
    import_id = split(application)
    if lost:
        lose_a_batch(import_id)
    application.clock.reach(datetime.now(UTC) + timedelta(hours=1))  # S3 tells the time by itself
    application.invoke("sweep_imports", {})


def parked(application: Application) -> None:
    """Let Target refuse the token of an import."""
    application.target.script(simulator.fault("unauthorized", times=2))
    application.invoke("upload_batch", {"importId": split(application), "batch": 1})


EMITTERS = pytest.mark.parametrize("emitter", [finished, swept])


@EMITTERS
def test_lost_rows_raise_the_alarm_of_unaccounted_rows(
    application: Application, capsys: pytest.CaptureFixture[str], emitter: Any
) -> None:
    """Whoever reconciles an import counts the difference where the alarm looks for it."""
    emitter(application, lost=True)
    values = watched(alarm("UnaccountedRowsAlarm"), capsys.readouterr().out)
    assert values == [2]
    assert notices(alarm("UnaccountedRowsAlarm"), [0, *values, 0]) == 1


@EMITTERS
def test_import_that_adds_up_raises_no_alarm(
    application: Application, capsys: pytest.CaptureFixture[str], emitter: Any
) -> None:
    emitter(application, lost=False)
    values = watched(alarm("UnaccountedRowsAlarm"), capsys.readouterr().out)
    assert values == [0]
    assert notices(alarm("UnaccountedRowsAlarm"), values, [], values) == 0


def test_next_lost_row_raises_the_next_alarm() -> None:
    assert notices(alarm("UnaccountedRowsAlarm"), [1], [], [1], [0], [1]) == 3


def test_rejected_file_is_counted(application: Application, capsys: pytest.CaptureFixture[str]) -> None:
    """It starts no execution, and docs/operating.md names this metric."""
    split(application, b"no key column\n")
    dimensions = {"service": resolved(common_variables()["POWERTOOLS_SERVICE_NAME"])}
    output = capsys.readouterr().out
    assert emitted(output, "BulkProfiles", "ImportsRejected", dimensions) == [1]
    assert watched(alarm("UnaccountedRowsAlarm"), output) == [0]


def test_rejected_file_raises_one_alarm(application: Application, capsys: pytest.CaptureFixture[str]) -> None:
    """That of its execution, which fails, as does that of an import with too many rejects."""
    split(application, b"thirdPartyId,name\n,Nobody\n")
    output = capsys.readouterr().out
    raised = [
        name
        for name, properties in resources("CloudWatch::Alarm").items()
        if properties["Namespace"] == "BulkProfiles"
        and notices(properties, [0], watched(properties, output), [0])
    ]
    assert raised == []
    assert alarm("FailedImportsAlarm")["MetricName"] == "ExecutionsFailed"


# --- the sweep ---


def test_sweep_that_cannot_work_on_an_import_raises_an_alarm_the_second_time(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    dropped = application.drop(FILE, "drop/default/broken.csv")
    key = {"pk": f"IMPORT#{application.invoke('split_file', dropped)['importId']}", "sk": "IMPORT"}
    table = boto3.resource("dynamodb").Table(IMPORTS_TABLE)
    table.put_item(Item={**key, "status": "nonsense"})
    swept(application, lost=False)
    values = watched(alarm("SweepFailuresAlarm"), capsys.readouterr().out)
    assert values == [1]
    assert notices(alarm("SweepFailuresAlarm"), [0], values, [0]) == 0
    assert notices(alarm("SweepFailuresAlarm"), [0], values, values) == 1


def test_sweep_that_stays_away_for_three_hours_raises_an_alarm() -> None:
    silent = alarm("SilentSweepAlarm")
    assert silent["Period"] == 3600
    assert notices(silent, [1], [], [], [1]) == 0
    assert notices(silent, [1], [], [], []) == 1


# --- notices, and what people stop ---


def test_notice_that_sns_refuses_raises_an_alarm(
    application: Application, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(application, lost=False)
    assert watched(alarm("NoticesFailedAlarm"), capsys.readouterr().out) == [0]

    def refuse(*_: Any) -> None:
        raise NoticeError("SNS did not take the message: Throttling.")

    monkeypatch.setattr(Notices, "publish", refuse)
    finished(application, lost=False)
    values = watched(alarm("NoticesFailedAlarm"), capsys.readouterr().out)
    assert notices(alarm("NoticesFailedAlarm"), [0], values, [0]) == 1


def test_execution_that_was_stopped_raises_an_alarm() -> None:
    assert notices(alarm("StoppedImportsAlarm"), [0, 1, 0], [0]) == 1
    assert notices(alarm("StoppedImportsAlarm"), [0], [], [0]) == 0


# --- the token ---


@pytest.mark.fault(30, "a token that Target does not accept raises an alarm, at submissions and status calls")
@pytest.mark.parametrize("on", ["submit", "status"])
def test_batch_that_waits_for_a_token_raises_an_alarm(
    application: Application,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    on: str,
) -> None:
    """As long as batches wait, it goes on, and notifies once."""
    application.target.script(simulator.fault("unauthorized", on=on, times=2))
    import_id = split(application)
    application.walk({"importId": import_id, "batch": 1})
    output = capsys.readouterr().out
    values = watched(alarm("TokenAlarm"), output)
    assert values
    assert set(values) == {1}
    assert notices(alarm("TokenAlarm"), [], values[:1], values[1:], []) == 1
    logged = [vars(record) for record in caplog.records if hasattr(record, "why")]
    assert {record["why"] for record in logged} == {"token"}
    assert all("set TokenSecretArn" in record["says"] for record in logged)


def test_batch_that_waits_for_nothing_raises_no_alarm_of_the_token(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    application.run(FILE)
    assert watched(alarm("TokenAlarm"), capsys.readouterr().out) == []


def test_runbook_says_of_every_alarm_when_it_is_raised_and_what_to_do() -> None:
    operating = (ROOT / "docs/operating.md").read_text()
    lines = re.findall(r"^\| `(\w+Alarm)` \| (.+) \| (.+) \|$", operating, re.MULTILINE)
    assert sorted(name for name, _, _ in lines) == sorted(resources("CloudWatch::Alarm"))
    anchors = {
        re.sub(r"\W+", "-", title.lower()) for title in re.findall(r"^#+ (.+)$", operating, re.MULTILINE)
    }
    for _, raised, remedy in lines:
        assert raised
        assert remedy
        assert {*re.findall(r"\(#([\w-]+)\)", remedy)} <= anchors
