"""A file of this machine, uploaded to S3: in parts where it is large, by boto3's own transfer manager."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from bulk_profiles.core.errors import StorageError

from .clients import client
from .errors import translated


def upload(path: Path, bucket: str, key: str, on_sent: Callable[[int], None] | None = None) -> str:
    """Upload a file; return the version id of the object. Raises `StorageError`.

    `on_sent` is called with the bytes that were sent since the last call, from other threads.
    """
    s3 = client("s3")
    with translated(f"S3 did not take the file into the bucket {bucket}", StorageError):
        try:
            s3.upload_file(str(path), bucket, key, Callback=on_sent)
        except S3UploadFailedError as error:  # raised while S3's answer was handled
            answer = error.__context__
            raise (answer if isinstance(answer, ClientError) else OSError(str(error))) from error
        head = s3.head_object(Bucket=bucket, Key=key)
    return str(head.get("VersionId", ""))
