"""The fake of S3: what it refuses, and where it agrees with moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.worlds.aws.s3 import LEAST_PART_BYTES, S3

NOW = datetime(2026, 11, 24, 9, 0, 0, 123, tzinfo=UTC)

type Refused = Callable[[Callable[[], object]], str]


@pytest.fixture(params=["fake", "moto"])
def s3(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "fake":
        yield S3(lambda: NOW, ("bucket",))
        return
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")
        client.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
        yield client


def read(s3: Any, **parameters: str) -> bytes:
    body: bytes = s3.get_object(Bucket="bucket", Key="k", **parameters)["Body"].read()
    return body


def test_versions_stay_readable(s3: Any) -> None:
    first = s3.put_object(Bucket="bucket", Key="k", Body=b"one")["VersionId"]
    second = s3.put_object(Bucket="bucket", Key="k", Body=b"two")["VersionId"]

    assert first != second
    assert (read(s3), read(s3, VersionId=first)) == (b"two", b"one")
    assert s3.head_object(Bucket="bucket", Key="k")["ContentLength"] == 3


def test_deleted_object_is_missing_and_its_versions_are_not(s3: Any, refused: Refused) -> None:
    version = s3.put_object(Bucket="bucket", Key="k", Body=b"one")["VersionId"]
    s3.delete_object(Bucket="bucket", Key="k")

    assert refused(lambda: read(s3)) == "NoSuchKey"
    assert refused(lambda: s3.head_object(Bucket="bucket", Key="k")) == "404"
    assert read(s3, VersionId=version) == b"one"
    assert "Contents" not in s3.list_objects_v2(Bucket="bucket")


def test_removed_version_is_gone_and_the_one_before_is_read(s3: Any, refused: Refused) -> None:
    first = s3.put_object(Bucket="bucket", Key="k", Body=b"one")["VersionId"]
    second = s3.put_object(Bucket="bucket", Key="k", Body=b"two")["VersionId"]
    s3.delete_object(Bucket="bucket", Key="k", VersionId=second)
    s3.delete_object(Bucket="bucket", Key="k", VersionId=second)

    assert refused(lambda: read(s3, VersionId=second)) == "NoSuchVersion"
    assert (read(s3), read(s3, VersionId=first)) == (b"one", b"one")


def test_uploaded_file_is_read_and_its_bytes_are_told(s3: Any, tmp_path: Path) -> None:
    path, told = tmp_path / "a.csv", list[int]()
    path.write_bytes(b"one")
    s3.upload_file(str(path), "bucket", "k", Callback=told.append)
    assert (read(s3), sum(told)) == (b"one", 3)


@pytest.mark.parametrize(("start", "rest"), [(0, b"abc"), (2, b"c")])
def test_range_reads_the_rest(s3: Any, start: int, rest: bytes) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"abc")
    assert read(s3, Range=f"bytes={start}-") == rest


def test_range_from_the_end_on_is_refused(s3: Any, refused: Refused) -> None:
    s3.put_object(Bucket="bucket", Key="k", Body=b"abc")
    assert refused(lambda: read(s3, Range="bytes=3-")) == "InvalidRange"


def test_conditional_write_replaces_nothing(s3: Any, refused: Refused) -> None:
    def write() -> None:
        s3.put_object(Bucket="bucket", Key="k", Body=b"one", IfNoneMatch="*")

    write()
    assert refused(write) == "PreconditionFailed"
    s3.delete_object(Bucket="bucket", Key="k")
    write()


def test_key_of_more_than_1024_bytes_is_refused(s3: Any, refused: Refused) -> None:
    s3.put_object(Bucket="bucket", Key="k" * 1024, Body=b"")
    assert refused(lambda: s3.put_object(Bucket="bucket", Key="k" * 1025, Body=b"")) == "KeyTooLongError"


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_object_versions"])
def test_a_page_has_1000_keys(s3: Any, operation: str) -> None:
    for number in range(1001):
        s3.put_object(Bucket="bucket", Key=f"p/{number:04d}", Body=b"")
    s3.put_object(Bucket="bucket", Key="q", Body=b"")

    pages = list(s3.get_paginator(operation).paginate(Bucket="bucket", Prefix="p/"))

    kind = "Contents" if operation == "list_objects_v2" else "Versions"
    assert [len(page[kind]) for page in pages] == [1000, 1]


def test_parts_become_one_object_in_their_order(s3: Any, refused: Refused) -> None:
    upload = {"Bucket": "bucket", "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    parts = []
    for number, body in enumerate((b"x" * LEAST_PART_BYTES, b"y"), 1):
        tag = s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]
        parts.append({"PartNumber": number, "ETag": tag})

    def complete(*chosen: Any) -> None:
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": list(chosen)})

    assert refused(lambda: read(s3)) == "NoSuchKey"
    if isinstance(s3, S3):  # moto does not look
        wrong = {"PartNumber": 1, "ETag": parts[1]["ETag"]}
        assert refused(lambda: complete(wrong)) == "InvalidPart"
    complete(*parts)
    complete(*parts)  # the answer to the first may have been lost
    assert read(s3) == b"x" * LEAST_PART_BYTES + b"y"
    assert len(s3.list_object_versions(Bucket="bucket")["Versions"]) == 1


def test_part_of_an_upload_that_was_aborted_is_refused(refused: Refused) -> None:
    s3 = S3(lambda: NOW, ("bucket",))
    upload_id = s3.create_multipart_upload(Bucket="bucket", Key="k")["UploadId"]
    s3.abort_multipart_upload(Bucket="bucket", Key="k", UploadId=upload_id)

    def upload_part() -> None:
        s3.upload_part(Bucket="bucket", Key="k", UploadId=upload_id, PartNumber=1, Body=b"x")

    assert refused(upload_part) == "NoSuchUpload"


def test_small_part_before_the_last_is_refused(s3: Any, refused: Refused) -> None:
    upload = {"Bucket": "bucket", "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    tags = [s3.upload_part(**upload, PartNumber=number, Body=b"x")["ETag"] for number in (1, 2)]
    parts = {"Parts": [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]}

    assert refused(lambda: s3.complete_multipart_upload(**upload, MultipartUpload=parts)) == "EntityTooSmall"


def test_times_are_whole_seconds() -> None:
    s3 = S3(lambda: NOW, ("bucket",))
    s3.put_object(Bucket="bucket", Key="k", Body=b"")
    assert s3.head_object(Bucket="bucket", Key="k")["LastModified"] == NOW.replace(microsecond=0)


def test_throttling_is_met_as_often_as_planned(refused: Refused) -> None:
    s3 = S3(lambda: NOW, ("bucket",))
    s3.refuse("PutObject", "SlowDown", times=2)

    def put() -> None:
        s3.put_object(Bucket="bucket", Key="k", Body=b"")

    assert [refused(put), refused(put)] == ["SlowDown", "SlowDown"]
    put()
