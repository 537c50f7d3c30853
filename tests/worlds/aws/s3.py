"""S3, as far as the code calls it: versions, ranges, conditional writes, multipart uploads, pages."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.response import StreamingBody

from .service import KIB, Paginator, Service, error

MOST_KEY_BYTES = 1024
MOST_PAGE_KEYS = 1000
MOST_PARTS = 10_000
LEAST_PART_BYTES = 5 * KIB * KIB  # but for the last one
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)")


@dataclass(frozen=True)
class Version:
    """One version of an object. Without a body it is a delete marker."""

    version_id: str
    body: bytes | None
    modified_at: datetime  # to the second, as S3 says it

    @property
    def etag(self) -> str:
        """The digest of the body, in quotes."""
        return f'"{hashlib.md5(self.body or b"", usedforsecurity=False).hexdigest()}"'


@dataclass
class S3(Service):
    """The low-level client, with versioned buckets by name."""

    clock: Callable[[], datetime]
    names: tuple[str, ...]
    page: int = MOST_PAGE_KEYS
    _buckets: dict[str, dict[str, list[Version]]] = field(default_factory=dict)  # the newest version last
    _uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    _completed: dict[str, str] = field(default_factory=dict)  # upload to its version: it may be asked again
    _count: int = 0

    def __post_init__(self) -> None:
        self._buckets = {name: {} for name in self.names}

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes,
        ContentType: str = "binary/octet-stream",  # noqa: ARG002  # nobody reads it back
        IfNoneMatch: str | None = None,
    ) -> Any:
        """Write a new version; with `IfNoneMatch="*"`, only where there is no object."""

        def put() -> Any:
            if not 0 < len(Key.encode()) <= MOST_KEY_BYTES:
                raise error("PutObject", "KeyTooLongError")
            if IfNoneMatch is not None:
                assert IfNoneMatch == "*", "S3 takes no other value"
                if self._newest(Bucket, Key) is not None:
                    raise error("PutObject", "PreconditionFailed")
            return {"VersionId": self._add(Bucket, Key, bytes(Body)).version_id}

        return self.call("PutObject", put)

    def upload_file(
        self, Filename: str, Bucket: str, Key: str, Callback: Callable[[int], None] | None = None
    ) -> None:
        """Put a file, and tell the callback of its bytes."""
        body = Path(Filename).read_bytes()
        self.put_object(Bucket=Bucket, Key=Key, Body=body)
        if Callback:
            Callback(len(body))

    def get_object(
        self, *, Bucket: str, Key: str, VersionId: str = "", Range: str = "", IfMatch: str = ""
    ) -> Any:
        """Return a version's body as a stream from a byte on; with `IfMatch`, if it is still the same."""

        def get() -> Any:
            version = self._version("GetObject", Bucket, Key, VersionId)
            if IfMatch and IfMatch != version.etag:
                raise error("GetObject", "PreconditionFailed")
            body = version.body or b""
            headers: dict[str, Any] = {}
            status = 206 if Range else 200
            if Range:
                match = _RANGE.fullmatch(Range)
                assert match, f"no test asks for {Range}"
                start, end = int(match[1]), int(match[2] or len(body) - 1)
                if start >= len(body):
                    raise error("GetObject", "InvalidRange", ActualObjectSize=str(len(body)))
                headers["ContentRange"] = f"bytes {start}-{min(end, len(body) - 1)}/{len(body)}"
                body = body[start : end + 1]
            return {
                **self._head(version),
                **headers,
                "ContentLength": len(body),
                "Body": StreamingBody(io.BytesIO(body), len(body)),
                "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": 0},
            }

        return self.call("GetObject", get)

    def copy_object(
        self,
        *,
        Bucket: str,
        Key: str,
        CopySource: Any,
        MetadataDirective: str = "COPY",
        ContentType: str = "",
    ) -> Any:
        """Copy an object; onto itself, that makes a new version."""

        def copy() -> Any:
            if not 0 < len(Key.encode()) <= MOST_KEY_BYTES:
                raise error("CopyObject", "KeyTooLongError")
            if CopySource == {"Bucket": Bucket, "Key": Key}:
                assert ContentType
                if MetadataDirective != "REPLACE":
                    raise error("CopyObject", "InvalidRequest")
            body = self._version("CopyObject", CopySource["Bucket"], CopySource["Key"], "").body
            return {"VersionId": self._add(Bucket, Key, body).version_id}

        return self.call("CopyObject", copy)

    def head_object(self, *, Bucket: str, Key: str, VersionId: str = "") -> Any:
        """Return what is known of a version. An answer to HEAD has no body: its errors are bare numbers."""
        return self.call(
            "HeadObject", lambda: self._head(self._version("HeadObject", Bucket, Key, VersionId))
        )

    def delete_object(self, *, Bucket: str, Key: str, VersionId: str = "") -> Any:
        """Remove a version, or add a delete marker, whether there is an object or not."""

        def delete() -> Any:
            if not VersionId:
                return {"DeleteMarker": True, "VersionId": self._add(Bucket, Key, None).version_id}
            versions = self._buckets[Bucket].get(Key, [])
            versions[:] = [version for version in versions if version.version_id != VersionId]
            return {"VersionId": VersionId}

        return self.call("DeleteObject", delete)

    def list_objects_v2(self, *, Bucket: str, Prefix: str = "", ContinuationToken: str = "") -> Any:
        """Return one page of the objects below a prefix, in the order of their keys."""

        def page() -> Any:
            keys = sorted(key for key in self._buckets[Bucket] if key.startswith(Prefix))
            newest = {key: version for key in keys if (version := self._newest(Bucket, key))}
            remaining = [key for key in newest if key > ContinuationToken]
            contents = [{"Key": key, **self._listed(newest[key])} for key in remaining[: self.page]]
            more = len(remaining) > self.page
            answer = {"Contents": contents} if contents else {}  # S3 leaves an empty list out
            return answer | ({"NextContinuationToken": contents[-1]["Key"]} if more else {})

        return self.call("ListObjectsV2", page)

    def list_object_versions(self, *, Bucket: str, Prefix: str = "", Marker: int = 0) -> Any:
        """Return one page of all versions and delete markers, by key, the newest first."""

        def page() -> Any:
            versions = [
                (key, version, version is versions[-1])
                for key, versions in sorted(self._buckets[Bucket].items())
                if key.startswith(Prefix)
                for version in reversed(versions)
            ]
            part = versions[Marker : Marker + self.page]
            answer: Any = {}
            for key, version, latest in part:
                kind = "DeleteMarkers" if version.body is None else "Versions"
                listed = {"Key": key, "VersionId": version.version_id, "IsLatest": latest}
                answer.setdefault(kind, []).append(listed | self._listed(version))
            more = Marker + self.page < len(versions)
            return answer | ({"NextMarker": Marker + self.page} if more else {})

        return self.call("ListObjectVersions", page)

    def get_paginator(self, operation: str) -> Paginator:
        """Return the paginator of an operation."""
        if operation == "list_objects_v2":
            return Paginator(self.list_objects_v2, "NextContinuationToken", "ContinuationToken")
        assert operation == "list_object_versions"
        return Paginator(self.list_object_versions, "NextMarker", "Marker")

    def create_multipart_upload(self, *, Bucket: str, Key: str) -> Any:
        """Begin an upload in parts."""

        def create() -> Any:
            upload_id = self._new_id()
            self._uploads[f"{upload_id} {Bucket} {Key}"] = {}
            return {"UploadId": upload_id}

        return self.call("CreateMultipartUpload", create)

    def upload_part(self, *, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes) -> Any:
        """Upload one part."""

        def upload() -> Any:
            if not 1 <= PartNumber <= MOST_PARTS:
                raise error("UploadPart", "InvalidArgument")
            self._parts("UploadPart", Bucket, Key, UploadId)[PartNumber] = Body
            return {"ETag": _etag(Body)}

        return self.call("UploadPart", upload)

    def complete_multipart_upload(
        self,
        *,
        Bucket: str,
        Key: str,
        UploadId: str,
        MultipartUpload: Any,
    ) -> Any:
        """Make a version of the parts that are named, in their order."""

        def complete() -> Any:
            upload = f"{UploadId} {Bucket} {Key}"
            if upload in self._completed:
                return {"VersionId": self._completed[upload]}
            parts = self._parts("CompleteMultipartUpload", Bucket, Key, UploadId)
            numbers = [part["PartNumber"] for part in MultipartUpload["Parts"]]
            if not numbers or numbers != sorted(set(numbers)):
                raise error("CompleteMultipartUpload", "InvalidPartOrder")
            for part in MultipartUpload["Parts"]:
                if _etag(parts.get(part["PartNumber"], b"")) != part["ETag"]:
                    raise error("CompleteMultipartUpload", "InvalidPart")
            bodies = [parts[number] for number in numbers]
            if any(len(body) < LEAST_PART_BYTES for body in bodies[:-1]):
                raise error("CompleteMultipartUpload", "EntityTooSmall")
            del self._uploads[upload]
            self._completed[upload] = self._add(Bucket, Key, b"".join(bodies)).version_id
            return {"VersionId": self._completed[upload]}

        return self.call("CompleteMultipartUpload", complete)

    def abort_multipart_upload(self, *, Bucket: str, Key: str, UploadId: str) -> Any:
        """Drop an upload and its parts."""

        def abort() -> Any:
            self._parts("AbortMultipartUpload", Bucket, Key, UploadId)
            del self._uploads[f"{UploadId} {Bucket} {Key}"]
            return {}

        return self.call("AbortMultipartUpload", abort)

    def expire(self, bucket: str, prefix: str, before: datetime) -> None:
        """Delete the versions that were written before a moment, as a lifecycle rule does."""
        for key, versions in self._buckets[bucket].items():
            if key.startswith(prefix):
                versions[:] = [version for version in versions if version.modified_at >= before]

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Return the newest bodies of all objects that are not deleted, by key."""
        newest = {key: self._newest(bucket, key) for key in sorted(self._buckets[bucket])}
        return {key: version.body for key, version in newest.items() if version and version.body is not None}

    def _add(self, bucket: str, key: str, body: bytes | None) -> Version:
        version = Version(self._new_id(), body, self.clock().replace(microsecond=0))
        self._buckets[bucket].setdefault(key, []).append(version)
        return version

    def _new_id(self) -> str:
        self._count += 1
        return f"id-{self._count:06d}"

    def _newest(self, bucket: str, key: str) -> Version | None:
        versions = self._buckets[bucket].get(key)
        return versions[-1] if versions and versions[-1].body is not None else None

    def _version(self, operation: str, bucket: str, key: str, version_id: str) -> Version:
        head = operation == "HeadObject"
        if bucket not in self._buckets:
            raise error(operation, "404" if head else "NoSuchBucket")
        versions = self._buckets[bucket].get(key, [])
        if not version_id:
            newest = self._newest(bucket, key)
            if newest is None:
                raise error(operation, "404" if head else "NoSuchKey")
            return newest
        version = next((each for each in versions if each.version_id == version_id), None)
        if version is None:
            raise error(operation, "404" if head else "NoSuchVersion")
        if version.body is None:
            raise error(operation, "405" if head else "MethodNotAllowed")
        return version

    def _parts(self, operation: str, bucket: str, key: str, upload_id: str) -> dict[int, bytes]:
        parts = self._uploads.get(f"{upload_id} {bucket} {key}")
        if parts is None:
            raise error(operation, "NoSuchUpload")
        return parts

    @staticmethod
    def _head(version: Version) -> Any:
        return {
            "ContentLength": len(version.body or b""),
            "VersionId": version.version_id,
            "LastModified": version.modified_at,
            "ETag": version.etag,
        }

    @staticmethod
    def _listed(version: Version) -> Any:
        listed = {"LastModified": version.modified_at}
        return listed if version.body is None else listed | {"Size": len(version.body), "ETag": version.etag}


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
