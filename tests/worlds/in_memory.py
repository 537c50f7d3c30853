"""The whole application on fakes in memory: ten times as fast as moto, and as strict as AWS.

What the fakes do not show is in `docs/fakes.md`.
"""

from __future__ import annotations

import functools
from datetime import timedelta

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.profiles_table import ProfilesTable
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.ledger.ledger import Ledger
from tests.worlds.aws.dynamodb import DynamoDB
from tests.worlds.aws.s3 import S3
from tests.worlds.aws.service import Service
from tests.worlds.deployment import (
    DATA_BUCKET,
    DROP_BUCKET,
    IMPORTS_TABLE,
    PROFILES_TABLE,
    Clock,
    Deployment,
)


class InMemoryDeployment(Deployment):
    """A deployment of which every service is a fake."""

    def __init__(self, endpoint: str) -> None:
        clock = Clock()
        self.bucket_store = S3(clock, (DROP_BUCKET, DATA_BUCKET))
        self.tables = DynamoDB({IMPORTS_TABLE: ("pk", "sk"), PROFILES_TABLE: ("profile", "batch")})
        super().__init__(endpoint, self.bucket_store, clock=clock)  # type: ignore[arg-type]  # stands at the boundary

    @property
    def services(self) -> tuple[Service, ...]:
        """All fakes."""
        return self.bucket_store, self.tables, self.machine, self.topic, self.functions

    @functools.cached_property
    def storage(self) -> Storage:
        return Storage(self.s3, DATA_BUCKET)

    @functools.cached_property
    def ledger(self) -> Ledger:
        table = self.tables.table(IMPORTS_TABLE)
        retention = timedelta(days=self.split_settings.retention_days)
        return Ledger(VersionedTable(table, retention))  # type: ignore[arg-type]  # stands at the boundary

    @functools.cached_property
    def profiles_table(self) -> ProfilesTable:
        return ProfilesTable(self.tables, PROFILES_TABLE)  # type: ignore[arg-type]  # stands at the boundary
