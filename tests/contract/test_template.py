"""The template, the settings and the code agree."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from bulk_profiles.accounting.summary import reject
from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.profiles_table import profile_items
from bulk_profiles.budget.local_time import UploadWindow
from bulk_profiles.core import names
from bulk_profiles.core.feeds import SeparatorInValue
from bulk_profiles.core.models import (
    ApiVersion,
    Basis,
    ImportStatus,
    KeyColumn,
    ProfileResult,
    ProfileResultsPolicy,
    ProfileStatus,
    Source,
)
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.settings import UnknownPolicy, load
from tests.worlds.deployable import (
    FUNCTIONS,
    ROOT,
    SETTINGS,
    Json,
    environment,
    function,
    function_name,
    parameters,
    resources,
    template,
    variables,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ENTRY = ImportEntry(
    import_id="customers-0a1b2c3d4e5f",
    status=ImportStatus.SPLITTING,
    source=Source("drop", "drop/default/customers.csv", "1"),
    feed="default",
    client_code="demo",
    api_version=ApiVersion.V2,
    started_at=NOW,
)
EACH_FUNCTION = pytest.mark.parametrize("folder", FUNCTIONS)
EACH_PARAMETER = pytest.mark.parametrize("name", parameters())


def references(node: Any) -> set[str]:
    """Give every name that a piece of the template refers to."""
    if isinstance(node, list):
        return set[str]().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    found = references(list(node.values()))
    if "Ref" in node:
        found.add(node["Ref"])
    if isinstance(node.get("Fn::Sub"), str):
        found |= set(re.findall(r"\$\{([\w:]+)", node["Fn::Sub"]))
    return found


# --- functions and their settings ---


def test_folders_functions_and_settings_are_the_same() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert folders == set(FUNCTIONS)
    assert set(resources("Serverless::Function")) == {function_name(folder) for folder in FUNCTIONS}


@EACH_FUNCTION
def test_a_function_runs_its_folder(folder: str) -> None:
    assert function(folder)["CodeUri"] == f"functions/{folder}"


@EACH_FUNCTION
def test_a_function_is_given_what_its_settings_read_and_no_more(folder: str) -> None:
    read = {field.name.upper() for field in dataclasses.fields(SETTINGS[folder])}
    assert set(variables(folder)) == read


@EACH_FUNCTION
def test_the_defaults_make_sense_to_a_function(folder: str) -> None:
    settings: Any = load(SETTINGS[folder], environment(folder))
    assert getattr(settings, "client_code", "demo") == "demo"


@EACH_FUNCTION
def test_a_function_has_a_log_that_ends(folder: str) -> None:
    group = function(folder)["LoggingConfig"]["LogGroup"]["Ref"]
    assert group == function_name(folder).replace("Function", "LogGroup")
    assert resources("Logs::LogGroup")[group]["RetentionInDays"]


def test_an_upload_ends_before_its_function() -> None:
    most = parameters()["UploadTimeoutSeconds"]["MaxValue"]
    assert most + 30 < function("upload_batch")["Timeout"]


# --- permissions ---


def statements() -> list[Json]:
    """Give every statement that the template grants to its functions and its machine."""
    policies = [
        policy
        for kind in ("Serverless::Function", "Serverless::StateMachine")
        for properties in resources(kind).values()
        for policy in properties["Policies"]
    ]
    documents = [policy["Fn::If"][1] if "Fn::If" in policy else policy for policy in policies]
    documents += [properties["PolicyDocument"] for properties in resources("IAM::Policy").values()]
    return [statement for document in documents for statement in document["Statement"]]


@pytest.mark.parametrize("statement", statements(), ids=lambda statement: statement["Sid"])
def test_a_permission_is_narrow(statement: Json) -> None:
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    assert not [action for action in actions if "*" in action]
    logs_only = all(action.startswith("logs:") for action in actions)
    assert statement["Resource"] != "*" or logs_only


def test_tls_is_asked_of_whoever_comes() -> None:
    closed = {
        properties["Bucket"]["Ref"]
        for properties in resources("S3::BucketPolicy").values()
        for statement in properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and statement["Action"] == "s3:*"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        and len(statement["Resource"]) == 2
    }
    assert closed == set(resources("S3::Bucket"))


@pytest.mark.parametrize("bucket", resources("S3::Bucket"))
def test_a_bucket_is_closed_encrypted_versioned_and_emptied(bucket: str) -> None:
    properties = resources("S3::Bucket")[bucket]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert properties["BucketEncryption"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    expiring = properties["LifecycleConfiguration"]["Rules"][0]
    assert expiring["ExpirationInDays"] == {"Ref": "RetentionDays"}


def test_results_expire_and_feeds_stay() -> None:
    rule = resources("S3::Bucket")["DataBucket"]["LifecycleConfiguration"]["Rules"][0]
    assert names.object_key("customers-0a1b2c3d4e5f", names.SUMMARY).startswith(rule["Prefix"])
    assert not names.feed_key("default").startswith(rule["Prefix"])


# --- tables, as the code writes to them ---


@pytest.mark.parametrize("table", resources("DynamoDB::Table"))
def test_a_table_can_be_restored_and_protected(table: str) -> None:
    properties = resources("DynamoDB::Table")[table]
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


def made(name: str) -> Table:
    """Make a table of the template in this process."""
    properties = resources("DynamoDB::Table")[name]
    return boto3.resource("dynamodb").create_table(
        TableName=name,
        **{key: properties[key] for key in ("BillingMode", "AttributeDefinitions", "KeySchema")},
    )


def expiry(name: str) -> str:
    attribute: str = resources("DynamoDB::Table")[name]["TimeToLiveSpecification"]["AttributeName"]
    return attribute


def test_the_ledger_fits_its_table(aws: None) -> None:  # noqa: ARG001  # the table is made in it
    table = made("ImportsTable")
    Ledger(VersionedTable(table, timedelta(days=1))).claim_import(ENTRY, NOW)
    [item] = table.scan()["Items"]
    assert item[expiry("ImportsTable")] == int(NOW.timestamp()) + 24 * 3600


def test_a_profile_result_fits_its_table(aws: None) -> None:  # noqa: ARG001  # the table is made in it
    table = made("ProfilesTable")
    [item] = profile_items(
        [ProfileResult("id-1", ProfileStatus.ERROR, Basis.REPORTED)],
        ProfileResultsPolicy.ALL,
        client_code="demo",
        key_column=KeyColumn.THIRD_PARTY_ID,
        import_id=ENTRY.import_id,
        number=1,
        now=NOW,
        expires_at=1_800_000_000,
    )
    boto3.client("dynamodb").put_item(TableName=table.name, Item=item)
    [stored] = table.scan()["Items"]
    assert stored[expiry("ProfilesTable")] == 1_800_000_000


# --- parameters ---


@EACH_PARAMETER
def test_a_parameter_is_used(name: str) -> None:
    parts = [template()[part] for part in ("Conditions", "Globals", "Resources")]
    assert name in references(parts)


@EACH_PARAMETER
def test_a_parameter_is_described_and_bounded(name: str) -> None:
    parameter = parameters()[name]
    assert re.fullmatch(r"\S.*\.", parameter["Description"], re.DOTALL)
    if parameter["Type"] == "Number":
        assert parameter["MinValue"] <= parameter["Default"] <= parameter["MaxValue"]
    elif "AllowedValues" in parameter:
        assert parameter["Default"] in parameter["AllowedValues"]
    else:
        assert parameter["ConstraintDescription"]
        assert "Default" not in parameter or allowed(name, parameter["Default"])


def test_only_the_client_code_has_to_be_said() -> None:
    assert [name for name in parameters() if "Default" not in parameters()[name]] == ["ClientCode"]


def allowed(name: str, value: str) -> bool:
    return re.fullmatch(parameters()[name]["AllowedPattern"], value) is not None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ApiVersion", ApiVersion),
        ("UnknownPolicy", UnknownPolicy),
        ("ProfileResults", ProfileResultsPolicy),
        ("SeparatorInValue", SeparatorInValue),
    ],
)
def test_a_choice_offers_the_words_of_the_code(name: str, words: type[StrEnum]) -> None:
    assert parameters()[name]["AllowedValues"] == [word.value for word in words]


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://{client}.tt.omtrdc.net",
        "https://target.example.com",
        "https://127.0.0.1:8443",
        "http://127.0.0.1:9000",
        "http://localhost:9000/",
        "http://[::1]:9000",
    ],
)
def test_takes_an_endpoint(endpoint: str) -> None:
    assert allowed("TargetEndpoint", endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://{client}.tt.omtrdc.net",
        "http://192.0.2.1:9000",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "https://user@example.com",
        "https://{other}.example.com",
        "https://example.com/path",
        "ftp://example.com",
        "",
    ],
)
def test_refuses_an_endpoint(endpoint: str) -> None:
    assert not allowed("TargetEndpoint", endpoint)


@pytest.mark.parametrize("window", ["20:00-06:00", "Mon-Fri 20:00-06:00", "Sat,Sun 00:00-24:00"])
def test_takes_an_upload_window_that_the_code_takes(window: str) -> None:
    assert allowed("UploadWindow", window)
    assert UploadWindow.parse(window)


@pytest.mark.parametrize("window", ["20-06", "24:00-06:00", "Monday 20:00-06:00", "20:00-06:60", "always"])
def test_refuses_an_upload_window(window: str) -> None:
    assert not allowed("UploadWindow", window)


def test_takes_the_arn_of_a_secret_or_nothing() -> None:
    assert allowed("TokenSecretArn", "")
    assert allowed(
        "TokenSecretArn", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:target/demo-AbC123"
    )
    assert not allowed("TokenSecretArn", "target/demo")


# --- names, alarms, outputs ---


def test_no_physical_name_is_fixed() -> None:
    kinds = "Bucket|Table|Function|Queue|Topic|StateMachine|Role|LogGroup|Alarm|Rule|Layer"
    named = [
        value
        for resource in template()["Resources"].values()
        for key, value in resource.get("Properties", {}).items()
        if re.fullmatch(f"({kinds})?Name", key)
    ]
    assert all("AWS::StackName" in references(value) for value in named)


def test_the_alarm_watches_a_metric_that_exists() -> None:
    alarm = resources("CloudWatch::Alarm")["UnaccountedRowsAlarm"]
    common = template()["Globals"]["Function"]["Environment"]["Variables"]
    assert alarm["MetricName"] in reject(ENTRY, "The file is empty.", NOW).metrics()
    assert alarm["Namespace"] == common["POWERTOOLS_METRICS_NAMESPACE"]
    assert alarm["Dimensions"] == [{"Name": "service", "Value": common["POWERTOOLS_SERVICE_NAME"]}]


@pytest.mark.fault(61, "a message in the dead-letter queue raises an alarm that is told")
@pytest.mark.parametrize("alarm", resources("CloudWatch::Alarm"))
def test_every_alarm_is_told(alarm: str) -> None:
    assert resources("CloudWatch::Alarm")[alarm]["AlarmActions"] == [{"Ref": "ImportsTopic"}]


@pytest.mark.parametrize("name", template()["Outputs"])
def test_an_output_is_described(name: str) -> None:
    assert template()["Outputs"][name]["Description"].endswith(".")


def test_the_drop_address_is_the_default_feed() -> None:
    address = template()["Outputs"]["DropUri"]["Value"]["Fn::Sub"]
    key = address.removeprefix("s3://${DropBucket}/") + "customers.csv"
    assert key.startswith(names.DROP_PREFIX)
    assert names.feed_name(key) == names.DEFAULT_FEED


# --- samconfig.toml ---


def test_the_deployment_asks_for_the_right_to_make_roles() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    deploy = config["default"]["deploy"]["parameters"]
    assert deploy["capabilities"] == "CAPABILITY_IAM"
    assert deploy["resolve_s3"] is True
