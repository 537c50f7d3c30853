"""Objects in S3 as streams: source files to read, objects to write in parts."""

from __future__ import annotations

import io
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from botocore.exceptions import ClientError

from bulk_profiles.core.errors import (
    BulkProfilesError,
    DeniedObjectError,
    ExistingObjectError,
    MissingObjectError,
    StorageError,
)
from bulk_profiles.core.models import Source
from bulk_profiles.core.streams import PieceReader

from .errors import translated

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

READ_AHEAD = 1024 * 1024
PARTS_IN_FLIGHT = 2
_RECONNECTS = 3  # of one read
_PART_SIZE = 8 * 1024 * 1024
_MISSING = ("404", "NoSuchKey", "NoSuchVersion", "NoSuchBucket", "NotFound")
# HEAD has no body: its only code is the number. What a key of KMS forbids is AccessDenied, too.
_DENIED = (
    "AccessDenied",
    "403",
    "Forbidden",
    "InvalidObjectState",
    "KMS.DisabledException",
    "KMS.NotFoundException",
)
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

        with s3_errors("read", self._source.key, source=True):
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
    """An object's bytes from byte `start` on. Raises `StorageError` where S3 does not send them.

    S3 closes a connection that is read slowly, as when a table is filled from the object meanwhile. Reading
    then goes on from the byte that is next, on a new connection, as long as the object is the same.
    """

    def __init__(self, client: S3Client, bucket: str, key: str, start: int) -> None:
        super().__init__()
        self._client = client
        self._bucket = bucket
        self._key = key
        self._position = start
        self._same: dict[str, Any] = {}  # holds a later connection to the bytes of the first
        self._body: StreamingBody | io.BytesIO = io.BytesIO()
        self._body = self._connect()

    def read_piece(self, size: int) -> bytes:  # noqa: D102 as in the base class
        failures = 0
        while True:
            try:
                with s3_errors("read", self._key):
                    piece = self._body.read(size)
            except StorageError:
                failures += 1
                if failures > _RECONNECTS:
                    raise
                self._body.close()
                self._body = self._connect()
            else:
                self._position += len(piece)
                return piece

    def close(self) -> None:  # noqa: D102 as in the base class
        if not self.closed:
            self._body.close()
        super().close()

    def _connect(self) -> StreamingBody | io.BytesIO:
        part: Any = {"Range": f"bytes={self._position}-"} if self._position else {}
        try:
            with s3_errors("read", self._key):
                response = self._client.get_object(Bucket=self._bucket, Key=self._key, **part, **self._same)
        except StorageError as error:
            # S3 refuses to read from an object's end on; in a file there is nothing more to read.
            if part and _code(error) == "InvalidRange":
                return io.BytesIO()
            if isinstance(error, ExistingObjectError):  # as S3 answers where the condition does not hold
                raise StorageError(f"S3 has another object {self._key!r} than when reading began.") from error
            raise
        self._same = {"IfMatch": response["ETag"]}
        return response["Body"]


def _code(error: BaseException) -> str:
    cause = error.__cause__
    return str(cause.response["Error"]["Code"]) if isinstance(cause, ClientError) else ""


def s3_errors(action: str, key: str, *, source: bool = False) -> AbstractContextManager[None]:
    """Raise `StorageError` where a call to S3 for the object `key` fails inside the `with` block.

    A missing object raises `MissingObjectError`, an existing one `ExistingObjectError`. A `source` file that
    S3 will not give however often it is asked raises `DeniedObjectError`: whoever dropped it must act. Where
    the application's own bucket is refused, the operator must, and the file is not to blame.
    """
    missing = MissingObjectError(f"S3 has no object {key!r} (any more).")
    existing = ExistingObjectError(f"S3 has an object {key!r} already.")
    failure = f"S3 did not {action} {key!r}"
    meanings: dict[str, BulkProfilesError] = dict.fromkeys(_MISSING, missing) | dict.fromkeys(
        _EXISTING, existing
    )
    if source:
        meanings |= {code: DeniedObjectError(f"{failure}: {code}.") for code in _DENIED}
    return translated(failure, StorageError, meanings)
