"""S3: source files in, everything of an import out and back in.

Objects of an import overwrite by name, because a split that is tried again gives the same bytes;
only the manifest is written once and for all.
"""

from __future__ import annotations

import io
import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import smart_open.s3
from botocore.exceptions import BotoCoreError, ClientError

from .errors import ExistingObjectError, MissingObjectError, StorageError
from .identity import DROP_PREFIX, SCRATCH, object_key
from .models import Json, Source, timestamp

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

_READ_AHEAD = 1024 * 1024
_PART_SIZE = 8 * 1024 * 1024
_PARTS_IN_FLIGHT = 2
_GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NoSuchBucket", "NotFound"})


class S3SourceFile:
    """A source file in S3, pinned by its version."""

    def __init__(self, client: S3Client, source: Source) -> None:
        self._client = client
        self._source = source
        self.name = source.key.rsplit("/", 1)[-1]
        self.size = source.size

    def open(self, start: int = 0) -> BinaryIO:
        """Open the object for reading from byte `start` on."""
        with _errors("read", self._source.key):
            # Not smart_open.open: it would read a key such as `a?versionId=b` as an address.
            reader = smart_open.s3.open(
                self._source.bucket,
                self._source.key,
                "rb",
                version_id=self._source.version_id or None,
                buffer_size=_READ_AHEAD,
                defer_seek=start > 0,
                client=self._client,
            )
            if start:
                reader.seek(start)
        return cast("BinaryIO", reader)


class S3Sink:
    """One object being written; nothing is there until `commit`. Parts are uploaded while more is written."""

    def __init__(self, client: S3Client, pool: ThreadPoolExecutor, bucket: str, key: str) -> None:
        self._client = client
        self._pool = pool
        self._bucket = bucket
        self._key = key
        self._buffer = bytearray()
        self._upload_id = ""
        self._parts: list[CompletedPartTypeDef] = []
        self._in_flight: deque[Future[CompletedPartTypeDef]] = deque()
        self._number = 0

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Take some more bytes."""
        self._buffer += data
        while len(self._buffer) >= _PART_SIZE:
            self._send(bytes(memoryview(self._buffer)[:_PART_SIZE]))
            del self._buffer[:_PART_SIZE]
        return len(data)

    def commit(self) -> None:
        """Make the object exist, whole."""
        with _errors("write", self._key):
            if not self._upload_id:
                self._client.put_object(Bucket=self._bucket, Key=self._key, Body=bytes(self._buffer))
                return
            if self._buffer:
                self._send(bytes(self._buffer))
            while self._in_flight:
                self._parts.append(self._in_flight.popleft().result())
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload_id,
                MultipartUpload={"Parts": self._parts},
            )

    def abort(self) -> None:
        """Forget what was written."""
        self._buffer.clear()
        if not self._upload_id:
            return
        with _errors("abort writing", self._key):
            for part in self._in_flight:
                part.cancel()
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._upload_id)

    def _send(self, body: bytes) -> None:
        with _errors("write", self._key):
            if not self._upload_id:
                started = self._client.create_multipart_upload(Bucket=self._bucket, Key=self._key)
                self._upload_id = started["UploadId"]
            if len(self._in_flight) >= _PARTS_IN_FLIGHT:
                self._parts.append(self._in_flight.popleft().result())
            self._number += 1
            self._in_flight.append(self._pool.submit(self._upload_part, self._number, body))

    def _upload_part(self, number: int, body: bytes) -> CompletedPartTypeDef:
        answer = self._client.upload_part(
            Bucket=self._bucket, Key=self._key, UploadId=self._upload_id, PartNumber=number, Body=body
        )
        return {"PartNumber": number, "ETag": answer["ETag"]}


class Storage:
    """The Data bucket, and the metadata of dropped objects."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._pool = ThreadPoolExecutor(_PARTS_IN_FLIGHT)

    def source(self, bucket: str, key: str, version_id: str) -> Source:
        """Ask for an object's version and size; without `version_id`, the newest.

        Raises `MissingObjectError` where it is gone.
        """
        version: Any = {"VersionId": version_id} if version_id else {}
        with _errors("look up", key):
            head = self._client.head_object(Bucket=bucket, Key=key, **version)
        found = head.get("VersionId", version_id)
        return Source(
            bucket,
            key,
            "" if found == "null" else found,
            head["ContentLength"],
            modified_at=timestamp(head["LastModified"]),
        )

    def dropped(self, bucket: str, after: datetime, before: datetime) -> Iterator[Source]:
        """Give the versions of all objects below `drop/` that were dropped in a span of time."""
        with _errors("list", DROP_PREFIX):
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=bucket, Prefix=DROP_PREFIX
            )
            for page in pages:
                for found in page.get("Versions", []):
                    if after <= found["LastModified"] <= before:
                        yield Source(
                            bucket,
                            found["Key"],
                            found["VersionId"],
                            found["Size"],
                            modified_at=timestamp(found["LastModified"]),
                        )

    def source_file(self, source: Source) -> S3SourceFile:
        """Give a source file to read."""
        return S3SourceFile(self._client, source)

    def output(self, import_id: str) -> ImportOutput:
        """Give the folder of an import to write in."""
        return ImportOutput(self, import_id)

    def scratch(self, import_id: str) -> ImportScratch:
        """Give the folder of an import's split."""
        return ImportScratch(self, import_id)

    def sink(self, key: str) -> S3Sink:
        """Begin to write an object."""
        return S3Sink(self._client, self._pool, self._bucket, key)

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """Open an object of the Data bucket to read it as a stream from byte `start` on."""
        part: Any = {"Range": f"bytes={start}-"} if start else {}
        try:
            with _errors("read", key):
                body = self._client.get_object(Bucket=self._bucket, Key=key, **part)["Body"]
        except StorageError as error:
            if start and "InvalidRange" in str(
                error
            ):  # S3's word for an object's end; a file just ends there
                return io.BytesIO()
            raise
        return io.BufferedReader(_ObjectReader(body, key), _READ_AHEAD)

    def read_json(self, key: str) -> Json | None:
        """Give a JSON object, or None where there is no such key."""
        try:
            with self.open(key) as stream:
                data: Json = json.loads(stream.read())
        except MissingObjectError:
            return None
        except ValueError as error:
            raise StorageError(f"s3://{self._bucket}/{key} is not JSON.") from error
        return data

    def names(self, import_id: str, folder: str) -> list[str]:
        """Give the names of an import's objects in one of its folders."""
        prefix = object_key(import_id, folder)
        with _errors("list", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return [
                folder + found["Key"][len(prefix) :] for page in pages for found in page.get("Contents", [])
            ]

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error."""
        with _errors("delete", key):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def write(self, key: str, body: bytes, content_type: str, *, once: bool = False) -> None:
        """Write a small object. Raises `ExistingObjectError` with `once` where the key is taken."""
        condition: Any = {"IfNoneMatch": "*"} if once else {}
        with _errors("write", key):
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType=content_type, **condition
            )

    def write_json(self, key: str, data: Json, *, once: bool = False) -> None:
        """Write a JSON object for programs and people."""
        body = json.dumps(data, indent=2, ensure_ascii=False).encode() + b"\n"
        self.write(key, body, "application/json", once=once)


class _ObjectReader(io.RawIOBase):
    """An object's bytes; what goes wrong on the way is a `StorageError`."""

    def __init__(self, body: StreamingBody, key: str) -> None:
        self._body = body
        self._key = key

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        with _errors("read", self._key):
            piece = self._body.read(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._body.close()
        super().close()


class ImportOutput:
    """The folder of an import: what a split writes to."""

    def __init__(self, storage: Storage, import_id: str) -> None:
        self._storage = storage
        self._import_id = import_id

    def open(self, name: str) -> S3Sink:
        """Begin to write one of the import's objects."""
        return self._storage.sink(object_key(self._import_id, name))


class ImportScratch:
    """What a split keeps for itself, below the import's folder, so that another invocation can go on."""

    def __init__(self, storage: Storage, import_id: str) -> None:
        self._storage = storage
        self._import_id = import_id

    def write(self, name: str) -> S3Sink:
        """Begin to write an object."""
        return self._storage.sink(self._key(name))

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """Open an object for reading from byte `start` on."""
        return self._storage.open(self._key(name), start)

    def _key(self, name: str) -> str:
        return object_key(self._import_id, SCRATCH + name)


@contextmanager
def _errors(doing: str, key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _GONE:
            raise MissingObjectError(f"S3 has no object {key!r} (any more).") from error
        if code in {"PreconditionFailed", "ConditionalRequestConflict", "412"}:
            raise ExistingObjectError(f"S3 has an object {key!r} already.") from error
        raise StorageError(f"S3 did not {doing} {key!r}: {code}.") from error
    except (BotoCoreError, OSError) as error:
        raise StorageError(f"S3 did not {doing} {key!r}: {type(error).__name__}.") from error
