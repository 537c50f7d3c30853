"""What is stored stays as long as it is needed, is closed to others, and outlives the stack."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import pytest

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.profiles_table import profile_puts
from bulk_profiles.core import names
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
from bulk_profiles.steps.sweep_imports import _LOOK_BACK
from tests.worlds.deployable import ROOT, Json, condition, default, parameters, resources, template

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
RETENTION = {"Ref": "RetentionDays"}
EACH_BUCKET = pytest.mark.parametrize("bucket", resources("S3::Bucket"))
EACH_TABLE = pytest.mark.parametrize("table", resources("DynamoDB::Table"))


@pytest.mark.parametrize("name", [*resources("S3::Bucket"), *resources("DynamoDB::Table")])
def test_data_outlives_the_stack_and_its_replacement(name: str) -> None:
    """A first deployment that fails removes what it made."""
    resource = template()["Resources"][name]
    assert resource["DeletionPolicy"] in {"Retain", "RetainExceptOnCreate"}
    assert resource["UpdateReplacePolicy"] == "Retain"


# --- buckets ---


@EACH_BUCKET
def test_bucket_is_private(bucket: str) -> None:
    properties = resources("S3::Bucket")[bucket]
    assert properties["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


@EACH_BUCKET
def test_bucket_is_encrypted(bucket: str) -> None:
    [rule] = resources("S3::Bucket")[bucket]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in {"AES256", "aws:kms"}


@EACH_BUCKET
def test_bucket_keeps_overwritten_versions(bucket: str) -> None:
    """An import is of one version of a dropped file, whatever is dropped over it."""
    assert resources("S3::Bucket")[bucket]["VersioningConfiguration"] == {"Status": "Enabled"}


@EACH_BUCKET
def test_bucket_refuses_requests_without_tls(bucket: str) -> None:
    policies = resources("S3::BucketPolicy").values()
    [policy] = [policy for policy in policies if policy["Bucket"] == {"Ref": bucket}]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert {name: statement[name] for name in ("Effect", "Principal", "Action", "Resource", "Condition")} == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [{"Fn::GetAtt": [bucket, "Arn"]}, {"Fn::Sub": f"${{{bucket}.Arn}}/*"}],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def lifecycle(bucket: str) -> Json:
    """Return what a bucket's lifecycle rules do, as one mapping; those that are switched off do nothing."""
    merged: Json = {}
    for rule in resources("S3::Bucket")[bucket]["LifecycleConfiguration"]["Rules"]:
        if rule["Status"] == "Enabled":
            merged |= rule
    return merged


@EACH_BUCKET
def test_bucket_expires_objects_after_the_retention(bucket: str) -> None:
    assert lifecycle(bucket)["ExpirationInDays"] == RETENTION


@EACH_BUCKET
def test_bucket_removes_what_expired_objects_leave_behind(bucket: str) -> None:
    """Noncurrent versions, delete markers, and the parts of uploads that were never completed."""
    rules = lifecycle(bucket)
    assert 1 <= default(rules["NoncurrentVersionExpiration"]["NoncurrentDays"]) <= default(RETENTION)
    assert rules["ExpiredObjectDeleteMarker"] is True
    assert 1 <= rules["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] <= 7


def test_dropped_file_stays_until_the_sweep_has_looked_for_it() -> None:
    """The sweep finds a version whose event was lost, also one that was overwritten since."""
    look_back = _LOOK_BACK.days
    rules = lifecycle("DropBucket")
    assert default(rules["ExpirationInDays"]) > look_back
    assert default(rules["NoncurrentVersionExpiration"]["NoncurrentDays"]) >= look_back


def test_dropped_files_expire_whatever_their_key() -> None:
    rules = resources("S3::Bucket")["DropBucket"]["LifecycleConfiguration"]["Rules"]
    filtered = [rule for rule in rules if {"Prefix", "TagFilters", "ObjectSizeGreaterThan"} & set(rule)]
    every = [rule for rule in rules if rule not in filtered and rule["Status"] == "Enabled"]
    assert [rule["ExpirationInDays"] for rule in every if "ExpirationInDays" in rule] == [RETENTION]
    assert [rule["Prefix"] for rule in filtered] == [names.RESULTS_PREFIX]  # these expire as the files do
    assert filtered[0]["ExpirationInDays"] == RETENTION


def test_results_expire_and_feeds_stay() -> None:
    rules = resources("S3::Bucket")["DataBucket"]["LifecycleConfiguration"]["Rules"]
    [prefix] = [rule["Prefix"] for rule in rules if "ExpirationInDays" in rule]
    assert names.object_key("customers-0a1b2c3d4e5f", names.SUMMARY).startswith(prefix)
    assert not names.feed_key("default").startswith(prefix)


# --- tables, as the code writes to them ---


@EACH_TABLE
def test_table_grows_with_its_use_and_is_protected(table: str) -> None:
    properties = resources("DynamoDB::Table")[table]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}


def test_profiles_table_is_warmed_for_the_writes_that_the_operator_pays_for() -> None:
    """And is left as AWS makes it by default: what is asked for has a price, and can never be lowered."""
    asked = resources("DynamoDB::Table")["ProfilesTable"]["WarmThroughput"]
    assert asked == {
        "Fn::If": [
            "IsPreWarmed",
            {"WriteUnitsPerSecond": {"Ref": "WarmWritesPerSecond"}},
            {"Ref": "AWS::NoValue"},
        ]
    }
    assert not condition("IsPreWarmed")
    assert condition("IsPreWarmed", WarmWritesPerSecond="40000")
    # What a new on-demand table takes, below which AWS refuses a value, and a table's quota.
    parameter = parameters()["WarmWritesPerSecond"]
    bounds = (parameter["Default"], parameter["MinValue"], parameter["MaxValue"])
    assert bounds == (4_000, 4_000, 40_000)


def test_ledger_is_recoverable_to_any_second() -> None:
    """Nothing else holds what was sent; profile results are in files, too."""
    recovery = resources("DynamoDB::Table")["ImportsTable"]["PointInTimeRecoverySpecification"]
    assert recovery["PointInTimeRecoveryEnabled"] is True


@EACH_TABLE
def test_table_removes_items_that_expired(table: str) -> None:
    expiry = resources("DynamoDB::Table")[table]["TimeToLiveSpecification"]
    assert expiry == {"AttributeName": "expiresAt", "Enabled": True}


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


def partition_key(name: str) -> str:
    keys = resources("DynamoDB::Table")[name]["KeySchema"]
    [attribute] = [key["AttributeName"] for key in keys if key["KeyType"] == "HASH"]
    return str(attribute)


def test_ledger_item_fits_the_imports_table(aws: None) -> None:  # noqa: ARG001  # the table is created in it
    table = create("ImportsTable")
    ledger = Ledger(VersionedTable(table, timedelta(days=1)))
    ledger.claim_import(ENTRY, NOW)
    ledger.change_import(ENTRY.import_id, NOW, lambda entry: replace(entry, status=ImportStatus.REJECTED))
    [item] = table.scan()["Items"]
    assert item[expiry("ImportsTable")] == int(NOW.timestamp()) + 24 * 3600


def test_batches_of_an_import_are_read_with_one_query() -> None:
    """All items of an import have one partition key."""
    assert partition_key("ImportsTable") == "pk"


def test_profile_result_fits_the_profiles_table(aws: None) -> None:  # noqa: ARG001  # the table is created in it
    table = create("ProfilesTable")
    [put] = profile_puts(
        [ProfileResult("id-1", ProfileStatus.ERROR, Basis.REPORTED)],
        ProfileResultsPolicy.ALL,
        client_code="demo",
        key_column=KeyColumn.THIRD_PARTY_ID,
        import_id=ENTRY.import_id,
        number=1,
        now=NOW,
        expires_at=1_800_000_000,
    )
    boto3.client("dynamodb").put_item(TableName=table.name, Item=json.loads(put)["PutRequest"]["Item"])
    [stored] = table.scan()["Items"]
    assert stored[expiry("ProfilesTable")] == 1_800_000_000


def test_profile_results_of_a_batch_spread_over_partitions() -> None:
    """500,000 results under one partition key would be throttled for minutes."""
    assert partition_key("ProfilesTable") == "profile"


# --- logs ---


@pytest.mark.parametrize("group", resources("Logs::LogGroup"))
def test_log_is_kept_for_as_long_as_documented(group: str) -> None:
    days = resources("Logs::LogGroup")[group]["RetentionInDays"]
    operating = (ROOT / "docs/operating.md").read_text()
    assert re.search(rf"^\| logs \| kept for {days} days \|$", operating, re.MULTILINE)
