"""S3 objects erased with all of their versions, as a deletion alone leaves them in a versioned bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .clients import client
from .s3_objects import s3_errors


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object, or the marker of a deletion."""

    bucket: str
    key: str
    version_id: str
    latest: bool

    def erase(self) -> None:
        """Delete this version for good."""
        with s3_errors("delete", self.key):
            client("s3").delete_object(Bucket=self.bucket, Key=self.key, VersionId=self.version_id)


def versions(bucket: str, prefix: str) -> Iterator[Version]:
    """Yield all versions of the objects whose keys begin with a prefix."""
    with s3_errors("list", prefix):
        pages = client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for found in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                yield Version(bucket, found["Key"], found["VersionId"], found["IsLatest"])
