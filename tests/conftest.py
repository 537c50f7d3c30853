"""What every layer of tests shares: invented names, and AWS in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import hypothesis
import pytest
from moto import mock_aws
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

import simulator
from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.ledger.ledger import Ledger
from tests.worlds import strict_moto
from tests.worlds.client_puts import ClientPuts
from tests.worlds.deployment import DATA_BUCKET, DROP_BUCKET, IMPORTS_TABLE, PROFILES_TABLE, Deployment
from tests.worlds.in_memory import InMemoryDeployment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytest_plugins = ["tests.faults.reliability"]

# How long an example takes says more of the machine than of the code; chance is for `make fuzz`.
hypothesis.settings.register_profile("patient", deadline=None, derandomize=True)
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=int(os.getenv("EXAMPLES", "300")))
hypothesis.settings.load_profile("patient")

_ENGINE = "tests/local/"


class _OneEngine(LoadFileScheduling):  # type: ignore[misc]  # of the class nothing is known
    """Schedule tests by file, and all tests of the local engine on one worker, because they share a stack."""

    def _split_scope(self, nodeid: str) -> str:
        return _ENGINE if nodeid.startswith(_ENGINE) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _OneEngine:
    return _OneEngine(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use one worker more than there are processors, because that of the engine mostly waits."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the engine, which takes longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(_ENGINE))


os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
)


@pytest.fixture(autouse=True)
def _strict_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse in moto what AWS refuses."""
    strict_moto.install(monkeypatch)


@pytest.fixture(autouse=True, scope="session")
def _puts_by_client() -> Iterator[None]:
    """Let the Profiles table write by its client, which moto and the fakes stand behind, and hardly wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bulk_profiles.aws.profiles_table.SignedPuts", ClientPuts)
        patch.setattr("bulk_profiles.aws.profiles_table._LONGEST_WAIT", 0.001)
        yield


@pytest.fixture(autouse=True, scope="session")
def _clients_are_kept() -> Iterator[None]:
    """Make each client of the application once for the same settings: that takes longer than most calls."""

    class Kept:
        Session = boto3.Session

        @staticmethod
        def client(service: str) -> Any:
            return _kept("client", service, _aws_settings())

        @staticmethod
        def resource(service: str) -> Any:
            return _kept("resource", service, _aws_settings())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bulk_profiles.aws.clients._boto3", Kept)
        yield


@cache
def _kept(kind: str, service: str, _settings: tuple[tuple[str, str], ...]) -> Any:
    return getattr(boto3, kind)(service)


def _aws_settings() -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))


@pytest.fixture
def aws() -> Iterator[None]:
    """AWS in this process, with the deployment's buckets and tables."""
    with mock_aws():
        s3 = boto3.client("s3")
        for bucket in (DROP_BUCKET, DATA_BUCKET):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        dynamodb = boto3.client("dynamodb")
        for table, keys in ((IMPORTS_TABLE, ("pk", "sk")), (PROFILES_TABLE, ("profile", "batch"))):
            dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[
                    {"AttributeName": keys[0], "KeyType": "HASH"},
                    {"AttributeName": keys[1], "KeyType": "RANGE"},
                ],
            )
        yield


@pytest.fixture
def s3(aws: None) -> S3Client:  # noqa: ARG001  # the buckets must be there
    """The S3 client of the deployment."""
    return boto3.client("s3")


@pytest.fixture
def storage(s3: S3Client) -> Storage:
    """The Data bucket."""
    return Storage(s3, DATA_BUCKET)


@pytest.fixture
def ledger(aws: None) -> Ledger:  # noqa: ARG001  # the table must be there
    """The Imports table."""
    return Ledger(VersionedTable(boto3.resource("dynamodb").Table(IMPORTS_TABLE), timedelta(days=30)))


@pytest.fixture
def target() -> Iterator[simulator.Simulator]:
    """A Target that is done with a batch at once and does not count calls: time is told, not waited for."""
    settings = simulator.Settings(completion_seconds=0, calls_per_minute=0)
    with simulator.running(settings) as running:
        yield running


@pytest.fixture
def deployment(target: simulator.Simulator) -> Iterator[InMemoryDeployment]:
    """The whole application in this process, on fakes in memory, with moto for secrets alone."""
    with mock_aws():
        yield InMemoryDeployment(target.url)


@pytest.fixture
def moto_deployment(s3: S3Client, target: simulator.Simulator) -> Deployment:
    """The same with the clients of boto3, on moto: ten times as slow."""
    return Deployment(target.url, s3)
