"""What the tests of the command line share."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import boto3
import pytest

from bulk_profiles.aws.stack import StackDescription
from bulk_profiles.cli import stack as cli_stack
from tests.worlds.deployment import DATA_BUCKET, DROP_BUCKET, IMPORTS_TABLE, PROFILES_TABLE
from tests.worlds.in_memory import InMemoryDeployment

OUTPUTS = {
    "DataBucketName": DATA_BUCKET,
    "DropBucketName": DROP_BUCKET,
    "ImportsTableName": IMPORTS_TABLE,
    "ProfilesTableName": PROFILES_TABLE,
    "ResultsUri": "s3://data-bucket/imports/",
    "StateMachineArn": "arn",
}
PARAMETERS = {
    "ClientCode": "demo",
    "CallsPerMinute": "50",
    "MaxInFlight": "10",
    "RowsPerDay": "3",
    "RetentionDays": "30",
    "VerifyDelayMinutes": "60",
    "ResetHour": "0",
    "TimeZone": "UTC",
    "UploadWindow": "",
}


@pytest.fixture
def deployment(deployment: InMemoryDeployment, monkeypatch: pytest.MonkeyPatch) -> InMemoryDeployment:
    """The deployment, whose services are what the clients of the command line reach."""

    class Fakes:
        Session = boto3.Session

        @staticmethod
        def client(service: str) -> Any:
            return {"s3": deployment.bucket_store, "dynamodb": deployment.tables}[service]

        @staticmethod
        def resource(service: str) -> Any:
            assert service == "dynamodb"
            return types.SimpleNamespace(Table=deployment.tables.table)

    monkeypatch.setattr("bulk_profiles.aws.clients._boto3", Fakes)
    return deployment


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    """A file of four rows: one without an id, and two of one id."""
    path = tmp_path / "customers.csv"
    path.write_bytes(b"thirdPartyId,a\n1,x\n,y\n2,z\n1,w\n")
    return path


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> StackDescription:
    """A stack of the deployment in this process."""
    described = StackDescription(dict(OUTPUTS), dict(PARAMETERS))
    monkeypatch.setattr(cli_stack, "describe_stack", {"ours": described}.get)
    monkeypatch.setenv("BULK_PROFILES_STACK", "ours")
    return described
