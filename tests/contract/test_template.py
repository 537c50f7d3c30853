"""The template agrees with the settings and the code, and is closed where it should be."""

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
    """Return all names that a piece of the template refers to."""
    if isinstance(node, list):
        return set[str]().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    names_ = references(list(node.values()))
    if "Ref" in node:
        names_.add(node["Ref"])
    if isinstance(node.get("Fn::Sub"), str):
        names_ |= set(re.findall(r"\$\{([\w:]+)", node["Fn::Sub"]))
    return names_


# --- functions and their settings ---


def test_every_function_has_a_folder_and_settings() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert folders == set(FUNCTIONS)
    assert set(resources("Serverless::Function")) == {function_name(folder) for folder in FUNCTIONS}


@EACH_FUNCTION
def test_function_code_is_its_folder(folder: str) -> None:
    assert function(folder)["CodeUri"] == f"functions/{folder}"


@EACH_FUNCTION
def test_function_environment_equals_its_settings(folder: str) -> None:
    read = {field.name.upper() for field in dataclasses.fields(SETTINGS[folder])}
    assert set(variables(folder)) == read


@EACH_FUNCTION
def test_function_settings_load_from_the_defaults(folder: str) -> None:
    settings: Any = load(SETTINGS[folder], environment(folder))
    assert getattr(settings, "client_code", "demo") == "demo"


@EACH_FUNCTION
def test_function_log_has_a_retention(folder: str) -> None:
    group = function(folder)["LoggingConfig"]["LogGroup"]["Ref"]
    assert group == function_name(folder).replace("Function", "LogGroup")
    assert resources("Logs::LogGroup")[group]["RetentionInDays"]


def test_upload_timeout_is_shorter_than_that_of_its_function() -> None:
    most = parameters()["UploadTimeoutSeconds"]["MaxValue"]
    assert most + 30 < function("upload_batch")["Timeout"]


# --- permissions ---


def statements() -> list[Json]:
    """Return all policy statements of the functions and the state machine."""
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
def test_permission_has_no_wildcard_but_for_logs(statement: Json) -> None:
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    assert not [action for action in actions if "*" in action]
    logs_only = all(action.startswith("logs:") for action in actions)
    assert statement["Resource"] != "*" or logs_only


def test_every_bucket_denies_requests_without_tls() -> None:
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
def test_bucket_is_private_encrypted_versioned_and_expires(bucket: str) -> None:
    properties = resources("S3::Bucket")[bucket]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert properties["BucketEncryption"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    expiring = properties["LifecycleConfiguration"]["Rules"][0]
    assert expiring["ExpirationInDays"] == {"Ref": "RetentionDays"}


def test_data_bucket_expires_results_but_not_feeds() -> None:
    rule = resources("S3::Bucket")["DataBucket"]["LifecycleConfiguration"]["Rules"][0]
    assert names.object_key("customers-0a1b2c3d4e5f", names.SUMMARY).startswith(rule["Prefix"])
    assert not names.feed_key("default").startswith(rule["Prefix"])


# --- tables, as the code writes to them ---


@pytest.mark.parametrize("table", resources("DynamoDB::Table"))
def test_table_is_recoverable_encrypted_and_protected(table: str) -> None:
    properties = resources("DynamoDB::Table")[table]
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


def create(name: str) -> Table:
    """Create a table of the template in this process."""
    properties = resources("DynamoDB::Table")[name]
    return boto3.resource("dynamodb").create_table(
        TableName=name,
        **{key: properties[key] for key in ("BillingMode", "AttributeDefinitions", "KeySchema")},
    )


def expiry(name: str) -> str:
    attribute: str = resources("DynamoDB::Table")[name]["TimeToLiveSpecification"]["AttributeName"]
    return attribute


def test_ledger_item_fits_the_imports_table(aws: None) -> None:  # noqa: ARG001  # the table is created in it
    table = create("ImportsTable")
    Ledger(VersionedTable(table, timedelta(days=1))).claim_import(ENTRY, NOW)
    [item] = table.scan()["Items"]
    assert item[expiry("ImportsTable")] == int(NOW.timestamp()) + 24 * 3600


def test_profile_result_fits_the_profiles_table(aws: None) -> None:  # noqa: ARG001  # the table is created in it
    table = create("ProfilesTable")
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
def test_parameter_is_used(name: str) -> None:
    parts = [template()[part] for part in ("Conditions", "Globals", "Resources")]
    assert name in references(parts)


@EACH_PARAMETER
def test_parameter_has_a_description_and_bounds(name: str) -> None:
    parameter = parameters()[name]
    assert re.fullmatch(r"\S.*\.", parameter["Description"], re.DOTALL)
    if parameter["Type"] == "Number":
        assert parameter["MinValue"] <= parameter["Default"] <= parameter["MaxValue"]
    elif "AllowedValues" in parameter:
        assert parameter["Default"] in parameter["AllowedValues"]
    else:
        assert parameter["ConstraintDescription"]
        assert "Default" not in parameter or allowed(name, parameter["Default"])


def test_only_client_code_has_no_default() -> None:
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
def test_allowed_values_equal_the_words_of_the_code(name: str, words: type[StrEnum]) -> None:
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
def test_target_endpoint_accepts_https_and_local_http(endpoint: str) -> None:
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
def test_target_endpoint_refuses_other_urls(endpoint: str) -> None:
    assert not allowed("TargetEndpoint", endpoint)


@pytest.mark.parametrize("window", ["20:00-06:00", "Mon-Fri 20:00-06:00", "Sat,Sun 00:00-24:00"])
def test_upload_window_accepts_what_the_code_parses(window: str) -> None:
    assert allowed("UploadWindow", window)
    assert UploadWindow.parse(window)


@pytest.mark.parametrize("window", ["20-06", "24:00-06:00", "Monday 20:00-06:00", "20:00-06:60", "always"])
def test_upload_window_refuses_other_texts(window: str) -> None:
    assert not allowed("UploadWindow", window)


def test_token_secret_arn_accepts_an_arn_or_nothing() -> None:
    assert allowed("TokenSecretArn", "")
    assert allowed(
        "TokenSecretArn", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:target/demo-AbC123"
    )
    assert not allowed("TokenSecretArn", "target/demo")


# --- names, alarms, outputs ---


def test_physical_names_contain_the_stack_name() -> None:
    kinds = "Bucket|Table|Function|Queue|Topic|StateMachine|Role|LogGroup|Alarm|Rule|Layer"
    named = [
        value
        for resource in template()["Resources"].values()
        for key, value in resource.get("Properties", {}).items()
        if re.fullmatch(f"({kinds})?Name", key)
    ]
    assert all("AWS::StackName" in references(value) for value in named)


def test_unaccounted_rows_alarm_watches_an_emitted_metric() -> None:
    alarm = resources("CloudWatch::Alarm")["UnaccountedRowsAlarm"]
    common = template()["Globals"]["Function"]["Environment"]["Variables"]
    assert alarm["MetricName"] in reject(ENTRY, "The file is empty.", NOW).metrics()
    assert alarm["Namespace"] == common["POWERTOOLS_METRICS_NAMESPACE"]
    assert alarm["Dimensions"] == [{"Name": "service", "Value": common["POWERTOOLS_SERVICE_NAME"]}]


@pytest.mark.fault(61, "a message in the dead-letter queue raises an alarm that is told")
@pytest.mark.parametrize("alarm", resources("CloudWatch::Alarm"))
def test_every_alarm_notifies_the_topic(alarm: str) -> None:
    assert resources("CloudWatch::Alarm")[alarm]["AlarmActions"] == [{"Ref": "ImportsTopic"}]


@pytest.mark.parametrize("name", template()["Outputs"])
def test_output_has_a_description(name: str) -> None:
    assert template()["Outputs"][name]["Description"].endswith(".")


def test_drop_uri_is_that_of_the_default_feed() -> None:
    address = template()["Outputs"]["DropUri"]["Value"]["Fn::Sub"]
    key = address.removeprefix("s3://${DropBucket}/") + "customers.csv"
    assert key.startswith(names.DROP_PREFIX)
    assert names.feed_name(key) == names.DEFAULT_FEED


# --- samconfig.toml ---


def test_samconfig_allows_roles_and_resolves_the_bucket() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    deploy = config["default"]["deploy"]["parameters"]
    assert deploy["capabilities"] == "CAPABILITY_IAM"
    assert deploy["resolve_s3"] is True
