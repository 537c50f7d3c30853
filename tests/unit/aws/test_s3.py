"""The Data bucket and the objects in the Drop bucket."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, ReadTimeoutError

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import ExistingObjectError, MissingObjectError, StorageError
from bulk_profiles.core.models import Source
from bulk_profiles.core.timestamps import moment
from tests.worlds.deployment import DATA_BUCKET, DROP_BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1024 * 1024
KEY = "imports/crm-1/batches/00001.batch"


def drop(s3: S3Client, key: str, body: bytes = b"pcId,a\n1,x\n") -> str:
    return s3.put_object(Bucket=DROP_BUCKET, Key=key, Body=body)["VersionId"]


def test_source_is_the_version_that_is_named(s3: S3Client, storage: Storage) -> None:
    first = drop(s3, "drop/crm.csv", b"first")
    second = drop(s3, "drop/crm.csv", b"second one")

    source = storage.source(DROP_BUCKET, "drop/crm.csv", first)

    assert source == Source(DROP_BUCKET, "drop/crm.csv", first, len(b"first"), modified_at=source.modified_at)
    assert datetime.now(UTC) - moment(source.modified_at) < timedelta(minutes=5)
    assert storage.source(DROP_BUCKET, "drop/crm.csv", "").version_id == second


def test_source_in_a_bucket_without_versions_has_none(s3: S3Client, storage: Storage) -> None:
    s3.create_bucket(Bucket="plain")
    s3.put_object(Bucket="plain", Key="crm.csv", Body=b"x")
    assert storage.source("plain", "crm.csv", "").version_id == ""


def test_source_that_is_gone_is_a_missing_object(storage: Storage) -> None:
    with pytest.raises(MissingObjectError, match=r"S3 has no object 'drop/crm\.csv' \(any more\)\."):
        storage.source(DROP_BUCKET, "drop/crm.csv", "")


def test_dropped_yields_every_version_in_a_span(s3: S3Client, storage: Storage) -> None:
    versions = {drop(s3, "drop/a.csv"), drop(s3, "drop/a.csv"), drop(s3, "drop/b.csv")}
    drop(s3, "elsewhere/c.csv")
    now, hour = datetime.now(UTC), timedelta(hours=1)

    assert {source.version_id for source in storage.dropped(DROP_BUCKET, now - hour, now + hour)} == versions
    assert list(storage.dropped(DROP_BUCKET, now - 2 * hour, now - hour)) == []


@pytest.mark.parametrize("start", [0, 1, 4])
def test_source_file_is_read_from_any_byte_of_its_version(s3: S3Client, storage: Storage, start: int) -> None:
    version = drop(s3, "drop/a?versionId=b.csv", b"first")
    drop(s3, "drop/a?versionId=b.csv", b"second")
    source = storage.source(DROP_BUCKET, "drop/a?versionId=b.csv", version)
    with storage.source_file(source).open(start) as stream:
        assert stream.read() == b"first"[start:]


def test_source_file_is_read_by_the_client_that_there_is(
    s3: S3Client, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = storage.source(DROP_BUCKET, "drop/c.csv", drop(s3, "drop/c.csv", b"first"))
    monkeypatch.delattr(boto3.Session, "client")
    with storage.source_file(source).open() as stream:
        assert stream.read() == b"first"


@pytest.mark.parametrize("size", [0, 10, 8 * MIB, 8 * MIB + 1, 25 * MIB])
def test_sink_writes_the_whole_object_at_commit(storage: Storage, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    sink = storage.sink(KEY)
    for start in range(0, size, 3 * MIB):
        sink.write(memoryview(body)[start : start + 3 * MIB])
    assert storage.names("crm-1", "batches/") == []
    sink.commit()
    with storage.open(KEY) as stream:
        assert stream.read() == body


@pytest.mark.parametrize("size", [10, 20 * MIB])
def test_sink_that_is_aborted_leaves_nothing(s3: S3Client, storage: Storage, size: int) -> None:
    sink = storage.sink(KEY)
    sink.write(bytes(size))
    sink.abort()
    assert storage.names("crm-1", "batches/") == []
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=DATA_BUCKET)


def test_sink_sends_a_part_as_soon_as_it_is_full(s3: S3Client, storage: Storage) -> None:
    """So no more than one part is held in memory, apart from those on their way."""
    sink = storage.sink(KEY)
    sink.write(bytes(8 * MIB - 1))
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=DATA_BUCKET)
    sink.write(b"x")
    assert [upload["Key"] for upload in s3.list_multipart_uploads(Bucket=DATA_BUCKET)["Uploads"]] == [KEY]
    sink.abort()


def dropped(storage: Storage) -> None:
    now = datetime.now(UTC)
    list(storage.dropped(DROP_BUCKET, now, now))


def aborted(storage: Storage) -> None:
    sink = storage.sink(KEY)
    sink.write(bytes(8 * MIB))
    sink.abort()


@pytest.mark.parametrize(
    ("operation", "call", "message"),
    [
        ("PutObject", lambda s: s.write(KEY, b"", "text/plain"), f"S3 did not write '{KEY}': SlowDown."),
        ("PutObject", lambda s: s.sink(KEY).commit(), f"S3 did not write '{KEY}': SlowDown."),
        ("GetObject", lambda s: s.open(KEY), f"S3 did not read '{KEY}': SlowDown."),
        ("GetObject", lambda s: s.read_json(KEY), f"S3 did not read '{KEY}': SlowDown."),
        ("HeadObject", lambda s: s.source(DROP_BUCKET, KEY, ""), f"S3 did not look up '{KEY}': SlowDown."),
        ("ListObjectsV2", lambda s: s.names("crm-1", ""), "S3 did not list 'imports/crm-1/': SlowDown."),
        ("ListObjectVersions", dropped, "S3 did not list 'drop/': SlowDown."),
        ("DeleteObject", lambda s: s.delete(KEY), f"S3 did not delete '{KEY}': SlowDown."),
        ("AbortMultipartUpload", aborted, f"S3 did not abort writing '{KEY}': SlowDown."),
        (
            "CreateMultipartUpload",
            lambda s: s.sink(KEY).write(bytes(8 * MIB)),
            f"S3 did not write '{KEY}': SlowDown.",
        ),
    ],
)
def test_call_that_fails_names_action_object_and_code(
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    call: Callable[[Storage], object],
    message: str,
) -> None:
    api_call = BaseClient._make_api_call  # type: ignore[attr-defined]  # where all calls of all clients meet

    def failing(client: Any, name: str, parameters: Any) -> Any:
        if name == operation:
            raise ClientError({"Error": {"Code": "SlowDown", "Message": "m"}}, name)
        return api_call(client, name, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", failing)
    with pytest.raises(StorageError) as raised:
        call(storage)
    assert str(raised.value) == message


def test_open_reads_from_a_byte_on(storage: Storage) -> None:
    storage.write(KEY, b"0123456789", "text/plain")
    for start in (0, 3, 9, 10, 11):
        with storage.open(KEY, start) as stream:
            assert stream.read() == b"0123456789"[start:]


class _Cut:
    """A body whose connection is closed after some bytes."""

    def __init__(self, body: Any, size: int) -> None:
        self._body, self._left = body, size

    def read(self, size: int) -> bytes:
        if self._left <= 0:
            raise ReadTimeoutError(endpoint_url="there")
        piece: bytes = self._body.read(min(size, self._left))
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._body.close()


def _cut_bodies(s3: S3Client, monkeypatch: pytest.MonkeyPatch, size: int) -> list[dict[str, Any]]:
    """Close every connection after `size` bytes; return the requests."""
    requests: list[dict[str, Any]] = []
    get_object = s3.get_object

    def get(**request: Any) -> Any:
        requests.append(request)
        response = get_object(**request)
        return response | {"Body": _Cut(response["Body"], size)}

    monkeypatch.setattr(s3, "get_object", get)
    return requests


def test_read_goes_on_where_the_connection_was_closed(
    storage: Storage, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write(KEY, b"0123456789", "text/plain")
    requests = _cut_bodies(s3, monkeypatch, 3)
    with storage.open(KEY, 1) as stream:
        assert stream.read() == b"123456789"
    assert [request["Range"] for request in requests] == [f"bytes={start}-" for start in (1, 4, 7, 10)]
    assert len({request.get("IfMatch") for request in requests[1:]}) == 1
    assert requests[1]["IfMatch"]


def test_read_that_gets_nothing_ends_with_an_error(
    storage: Storage, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write(KEY, b"0123456789", "text/plain")
    requests = _cut_bodies(s3, monkeypatch, 0)
    with storage.open(KEY) as stream, pytest.raises(StorageError, match="ReadTimeoutError"):
        stream.read()
    assert len(requests) == 4


def test_object_that_is_replaced_meanwhile_is_not_read_on(
    storage: Storage, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write(KEY, b"0123456789", "text/plain")
    _cut_bodies(s3, monkeypatch, 3)
    with storage.open(KEY) as stream:
        storage.write(KEY, b"abcdefghij", "text/plain")
        with pytest.raises(StorageError, match="another object"):
            stream.read()


def test_open_of_a_missing_object_is_an_error(storage: Storage) -> None:
    with pytest.raises(MissingObjectError):
        storage.open(KEY)
    with pytest.raises(MissingObjectError):
        storage.open(KEY, 3)


def test_read_json_reads_what_write_json_wrote(storage: Storage) -> None:
    storage.write_json("a.json", {"größe": [1, None]})
    assert storage.read_json("a.json") == {"größe": [1, None]}
    with storage.open("a.json") as stream:
        assert stream.read().decode() == json.dumps({"größe": [1, None]}, indent=2, ensure_ascii=False) + "\n"


def test_read_json_of_a_missing_object_is_none(storage: Storage) -> None:
    assert storage.read_json("a.json") is None


def test_read_json_does_not_take_null_for_a_missing_object(storage: Storage) -> None:
    storage.write("a.json", b" null\n", "application/json")
    with pytest.raises(StorageError, match=r"a\.json is null\."):
        storage.read_json("a.json")


def test_read_json_of_another_content_is_an_error(storage: Storage) -> None:
    storage.write("a.json", b"{", "application/json")
    with pytest.raises(StorageError, match=rf"s3://{DATA_BUCKET}/a\.json is not JSON\."):
        storage.read_json("a.json")


def test_write_once_of_an_existing_object_is_refused(storage: Storage) -> None:
    storage.write_json("a.json", {"a": 1}, once=True)
    with pytest.raises(ExistingObjectError, match=r"S3 has an object 'a\.json' already\."):
        storage.write_json("a.json", {"a": 2}, once=True)
    assert storage.read_json("a.json") == {"a": 1}
    storage.write_json("a.json", {"a": 3})
    assert storage.read_json("a.json") == {"a": 3}


def test_names_are_those_of_one_folder_of_one_import(storage: Storage) -> None:
    for key in (
        KEY,
        "imports/crm-1/batches/00002.batch",
        "imports/crm-1/manifest.json",
        "imports/crm-10/batches/1",
    ):
        storage.write(key, b"", "text/plain")
    assert storage.names("crm-1", "batches/") == ["batches/00001.batch", "batches/00002.batch"]


def test_delete_of_a_missing_object_is_no_error(storage: Storage) -> None:
    storage.write(KEY, b"", "text/plain")
    storage.delete(KEY)
    storage.delete(KEY)
    assert storage.names("crm-1", "batches/") == []


def test_output_and_scratch_are_below_the_folder_of_the_import(storage: Storage) -> None:
    for sink in (storage.output("crm-1").create("manifest.json"), storage.scratch("crm-1").create("runs-1")):
        sink.write(b"01")
        sink.commit()
    assert storage.names("crm-1", "") == ["manifest.json", "scratch/runs-1"]
    with storage.scratch("crm-1").open("runs-1", 1) as stream:
        assert stream.read() == b"1"


def test_streams_of_the_scratch_buffer_little(storage: Storage) -> None:
    """A merge has one of each run open, hundreds of them."""
    sink = storage.scratch("crm-1").create("runs-1")
    sink.write(bytes(MIB))
    sink.commit()
    with cast("io.BufferedReader", storage.scratch("crm-1").open("runs-1")) as stream:
        assert len(stream.peek()) == MIB // 16
        assert len(stream.read()) == MIB


def test_renewal_writes_what_is_old_again_a_part_at_a_time(
    s3: S3Client, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import of ten thousand batches must not take a whole sweep."""
    for number in range(1, 5):
        storage.write(f"imports/crm-1/batches/{number:05d}.batch", b"body", "text/csv")
    storage.write_json("imports/crm-1/manifest.json", {})
    storage.write("imports/crm-1/profiles/00001.csv.gz", b"x", "application/gzip")
    monkeypatch.setattr("bulk_profiles.aws.s3._MOST_RENEWED", 3)

    def versions() -> list[int]:
        listed = s3.list_object_versions(Bucket=DATA_BUCKET, Prefix="imports/crm-1/")["Versions"]
        keys = [version["Key"].removeprefix("imports/crm-1/") for version in listed]
        return [keys.count(name) for name in sorted(set(keys))]

    storage.renew("crm-1", datetime.now(UTC) - timedelta(minutes=5))
    assert versions() == [1, 1, 1, 1, 1, 1]
    storage.renew("crm-1", datetime.now(UTC) + timedelta(minutes=5))
    assert versions() == [2, 2, 1, 1, 2, 1]
    manifest = s3.get_object(Bucket=DATA_BUCKET, Key="imports/crm-1/manifest.json")
    assert (manifest["ContentType"], storage.read_json("imports/crm-1/manifest.json")) == (
        "application/json",
        {},
    )


def test_feeds_and_clients_are_those_that_have_a_configuration(storage: Storage) -> None:
    assert (storage.feeds(), storage.clients()) == ([], [])
    for key in ("feeds/crm.json", "feeds/notes.txt", "clients/demo.json", "imports/feeds/other.json"):
        storage.write_json(key, {})
    assert (storage.feeds(), storage.clients()) == (["crm"], ["demo"])
