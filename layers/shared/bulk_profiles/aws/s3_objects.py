"""Objects in S3 as streams: source files to read, objects to write in parts."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO, cast

from bulk_profiles.core.errors import ExistingObjectError, MissingObjectError, StorageError
from bulk_profiles.core.models import Source
from bulk_profiles.core.streams import PieceReader

from .errors import translated

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

READ_AHEAD = 1024 * 1024
PARTS_IN_FLIGHT = 2
_PART_SIZE = 8 * 1024 * 1024
_MISSING = ("404", "NoSuchKey", "NoSuchVersion", "NoSuchBucket", "NotFound")
_EXISTING = ("PreconditionFailed", "ConditionalRequestConflict", "412")


class S3SourceFile:
    """A source file in S3, pinned by its version."""

    def __init__(self, client: S3Client, source: Source) -> None:
        self._client = client
        self._source = source
        self.name = source.key.rsplit("/", 1)[-1]
        self.size = source.size

    def open(self, start: int = 0) -> BinaryIO:
        """Open the object for reading from byte `start` on."""
        import smart_open.s3  # noqa: PLC0415 a tenth of the cold start, and only split_file reads a source file

        with s3_errors("read", self._source.key):
            # Not smart_open.open: it would read a key such as `a?versionId=b` as an address.
            reader = smart_open.s3.open(
                self._source.bucket,
                self._source.key,
                "rb",
                version_id=self._source.version_id or None,
                buffer_size=READ_AHEAD,
                defer_seek=start > 0,
                client=self._client,
            )
            if start:
                reader.seek(start)
        return cast("BinaryIO", reader)


class S3Sink:
    """An object that is being written. Parts are uploaded meanwhile; the object exists after `commit`."""

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
        """Append bytes."""
        self._buffer += data
        while len(self._buffer) >= _PART_SIZE:
            self._send(bytes(memoryview(self._buffer)[:_PART_SIZE]))
            del self._buffer[:_PART_SIZE]
        return len(data)

    def commit(self) -> None:
        """Complete the object: from now on it exists, whole."""
        with s3_errors("write", self._key):
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
        """Drop what was written."""
        self._buffer.clear()
        if not self._upload_id:
            return
        with s3_errors("abort writing", self._key):
            for part in self._in_flight:
                part.cancel()
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._upload_id)

    def _send(self, body: bytes) -> None:
        with s3_errors("write", self._key):
            if not self._upload_id:
                upload = self._client.create_multipart_upload(Bucket=self._bucket, Key=self._key)
                self._upload_id = upload["UploadId"]
            if len(self._in_flight) >= PARTS_IN_FLIGHT:
                self._parts.append(self._in_flight.popleft().result())
            self._number += 1
            self._in_flight.append(self._pool.submit(self._upload_part, self._number, body))

    def _upload_part(self, number: int, body: bytes) -> CompletedPartTypeDef:
        response = self._client.upload_part(
            Bucket=self._bucket, Key=self._key, UploadId=self._upload_id, PartNumber=number, Body=body
        )
        return {"PartNumber": number, "ETag": response["ETag"]}


class ObjectReader(PieceReader):
    """An object's bytes; raises `StorageError` where S3 does not send them."""

    def __init__(self, body: StreamingBody, key: str) -> None:
        super().__init__(body)
        self._body = body
        self._key = key

    def read_piece(self, size: int) -> bytes:  # noqa: D102 as in the base class
        with s3_errors("read", self._key):
            return self._body.read(size)


def s3_errors(action: str, key: str) -> AbstractContextManager[None]:
    """Raise `StorageError` where a call to S3 for the object `key` fails inside the `with` block.

    A missing object raises `MissingObjectError`, an existing one `ExistingObjectError`.
    """
    missing = MissingObjectError(f"S3 has no object {key!r} (any more).")
    existing = ExistingObjectError(f"S3 has an object {key!r} already.")
    meanings = dict.fromkeys(_MISSING, missing) | dict.fromkeys(_EXISTING, existing)
    return translated(f"S3 did not {action} {key!r}", StorageError, meanings)
