"""S3: the Data bucket, and the objects in the Drop bucket.

A write replaces an object of the same name: a split that is repeated writes the same bytes. Only the manifest
is written with the condition that it does not exist.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from bulk_profiles.core.errors import InvalidJsonError, MissingObjectError
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import Source
from bulk_profiles.core.names import (
    BATCHES,
    CLIENTS,
    CONFIGURATION_SUFFIX,
    DROP_PREFIX,
    FEEDS,
    FOLLOW_UPS,
    MANIFEST,
    SCRATCH,
    object_key,
)
from bulk_profiles.core.timestamps import timestamp

from .s3_objects import PARTS_IN_FLIGHT, READ_AHEAD, ObjectReader, S3Sink, S3SourceFile, s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SCRATCH_READ_AHEAD = 64 * 1024  # a merge has hundreds of objects open
_MOST_RENEWED = 1_000  # objects of an import in one go: with copies of half a second, about a minute


class Storage:
    """The Data bucket, and the metadata of dropped objects."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self.bucket = bucket  # the Data bucket
        self._pool = ThreadPoolExecutor(PARTS_IN_FLIGHT)

    def source(self, bucket: str, key: str, version_id: str) -> Source:
        """Return what S3 knows of an object's version; without `version_id`, of the newest one.

        Raises `MissingObjectError` where it does not exist any more.
        """
        version: Any = {"VersionId": version_id} if version_id else {}
        with s3_errors("look up", key, source=True):
            head = self._client.head_object(Bucket=bucket, Key=key, **version)
        actual = head.get("VersionId", version_id)
        return Source(
            bucket,
            key,
            "" if actual == "null" else actual,  # S3's word where versioning was never on
            head["ContentLength"],
            modified_at=timestamp(head["LastModified"]),
        )

    def dropped(self, bucket: str, after: datetime, before: datetime) -> Iterator[Source]:
        """Yield all versions of objects below `drop/` that were written from `after` to `before`."""
        with s3_errors("list", DROP_PREFIX):
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=bucket, Prefix=DROP_PREFIX
            )
            for page in pages:
                for version in page.get("Versions", []):
                    if after <= version["LastModified"] <= before:
                        yield Source(
                            bucket,
                            version["Key"],
                            version["VersionId"],
                            version["Size"],
                            modified_at=timestamp(version["LastModified"]),
                        )

    def source_file(self, source: Source) -> S3SourceFile:
        """Return a source file for the split to read."""
        return S3SourceFile(self._client, source)

    def output(self, import_id: str) -> ImportOutput:
        """Return the folder of an import, for its objects."""
        return ImportOutput(self, import_id)

    def scratch(self, import_id: str) -> ImportScratch:
        """Return the folder of an import, for what only its split reads."""
        return ImportScratch(self, import_id)

    def sink(self, key: str) -> S3Sink:
        """Start to write an object."""
        return S3Sink(self._client, self._pool, self.bucket, key)

    def open(self, key: str, start: int = 0, *, read_ahead: int = READ_AHEAD) -> BinaryIO:
        """Open an object of the Data bucket as a stream from byte `start` on."""
        return io.BufferedReader(ObjectReader(self._client, self.bucket, key, start), read_ahead)

    def read_json(self, key: str) -> Json | None:
        """Return the JSON of an object, or None where the object does not exist.

        Raises `InvalidJsonError`, also for `null`, which would pass for an object that is not there.
        """
        try:
            with self.open(key) as stream:
                content = stream.read()
        except MissingObjectError:
            return None
        try:
            data: Json = json.loads(content)
        except (ValueError, RecursionError) as error:  # the latter for thousands of nested lists
            raise InvalidJsonError(f"s3://{self.bucket}/{key} is not JSON.") from error
        if data is None:
            raise InvalidJsonError(f"s3://{self.bucket}/{key} is null.")
        return data

    def names(self, import_id: str, folder: str) -> list[str]:
        """Return the names of an import's objects in one of its folders, or that begin with some text."""
        prefix = object_key(import_id, folder)
        with s3_errors("list", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            return [
                folder + item["Key"][len(prefix) :] for page in pages for item in page.get("Contents", [])
            ]

    def feeds(self) -> list[str]:
        """Return the names of the feeds that have a configuration."""
        return self._configured(FEEDS)

    def clients(self) -> list[str]:
        """Return the client codes that have limits of their own."""
        return self._configured(CLIENTS)

    def _configured(self, folder: str) -> list[str]:
        with s3_errors("list", folder):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=folder)
            keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [
            key.removeprefix(folder).removesuffix(CONFIGURATION_SUFFIX)
            for key in keys
            if key.endswith(CONFIGURATION_SUFFIX)
        ]

    def renew(self, import_id: str, before: datetime) -> None:
        """Write again what an import still needs and what was written before a moment.

        S3's lifecycle counts from the last write. At most `_MOST_RENEWED` objects are written, so that
        many imports have their turn: whoever calls comes back.
        """
        prefixes = [object_key(import_id, name) for name in (MANIFEST, BATCHES, FOLLOW_UPS)]
        old = (key for prefix in prefixes for key in self._older(prefix, before))
        for _ in self._pool.map(self._copy_in_place, itertools.islice(old, _MOST_RENEWED)):
            pass

    def _older(self, prefix: str, before: datetime) -> Iterator[str]:
        with s3_errors("list", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            for page in pages:
                for item in page.get("Contents", []):
                    if item["LastModified"] < before:
                        yield item["Key"]

    def _copy_in_place(self, key: str) -> None:
        kind = "application/json" if key.endswith(".json") else "binary/octet-stream"
        with s3_errors("renew", key):
            self._client.copy_object(
                Bucket=self.bucket,
                Key=key,
                CopySource={"Bucket": self.bucket, "Key": key},
                MetadataDirective="REPLACE",  # S3 refuses a copy onto itself that changes nothing
                ContentType=kind,
            )

    def copy(self, key: str, bucket: str, target: str) -> None:
        """Copy an object of the Data bucket to another bucket; one of more than 5 GB cannot be copied."""
        with s3_errors("copy", key):
            self._client.copy_object(
                CopySource={"Bucket": self.bucket, "Key": key}, Bucket=bucket, Key=target
            )

    def delete(self, key: str, bucket: str = "") -> None:
        """Delete an object of the Data bucket, or of another one, if it exists."""
        with s3_errors("delete", key):
            self._client.delete_object(Bucket=bucket or self.bucket, Key=key)

    def write(self, key: str, body: bytes, content_type: str, *, once: bool = False) -> None:
        """Write a small object. With `once`, raises `ExistingObjectError` where it exists already."""
        condition: Any = {"IfNoneMatch": "*"} if once else {}
        with s3_errors("write", key):
            self._client.put_object(
                Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, **condition
            )

    def write_json(self, key: str, data: Json, *, once: bool = False) -> None:
        """Write JSON as an object that people can read too."""
        body = json.dumps(data, indent=2, ensure_ascii=False).encode() + b"\n"
        self.write(key, body, "application/json", once=once)


class ImportOutput:
    """The folder of an import, as the `Output` of a split."""

    def __init__(self, storage: Storage, import_id: str) -> None:
        self._storage = storage
        self._import_id = import_id

    def create(self, name: str) -> S3Sink:
        """Start to write one of the import's objects."""
        return self._storage.sink(object_key(self._import_id, name))


class ImportScratch:
    """The objects that only a split reads, as its `Scratch`: another invocation can continue from them."""

    def __init__(self, storage: Storage, import_id: str) -> None:
        self._storage = storage
        self._import_id = import_id

    def create(self, name: str) -> S3Sink:
        """Start to write an object."""
        return self._storage.sink(self._key(name))

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """Open an object for reading from byte `start` on."""
        return self._storage.open(self._key(name), start, read_ahead=_SCRATCH_READ_AHEAD)

    def _key(self, name: str) -> str:
        return object_key(self._import_id, SCRATCH + name)
