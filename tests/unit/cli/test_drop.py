"""`bulk-profiles drop`: a file of this machine becomes an import."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError

from bulk_profiles.aws import uploads
from bulk_profiles.cli.commands import drop
from bulk_profiles.cli.main import main
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.core.names import import_id
from bulk_profiles.steps.messages import DroppedObject
from tests.worlds.deployment import DATA_BUCKET, DROP_BUCKET, Deployment

pytestmark = pytest.mark.usefixtures("ours")


def test_drop_uploads_the_file_and_names_its_import(
    deployment: Deployment, customers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drop", str(customers), "--feed", "crm", "--json"]) == 0
    dropped = json.loads(capsys.readouterr().out)
    key, version = "drop/crm/customers.csv", dropped["versionId"]
    found = deployment.s3.get_object(Bucket=DROP_BUCKET, Key=key, VersionId=version)
    assert found["Body"].read() == customers.read_bytes()
    name = import_id(DROP_BUCKET, key, version)
    assert dropped == {"importId": name, "bucket": DROP_BUCKET, "key": key, "versionId": version}
    result = deployment.split(DroppedObject("event-1", DROP_BUCKET, key, version))
    assert result.import_id == name


def test_drop_tells_what_to_do_next(
    deployment: Deployment, customers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drop", str(customers)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Dropped customers.csv as import customers-csv-")
    assert said[1] == "The feed default has no configuration: what the stack sets holds."
    assert said[2] == f"To follow it: bulk-profiles watch {said[0].rpartition(' ')[2]} --stack ours"
    del deployment


@pytest.mark.parametrize(
    ("name", "feed", "message"),
    [
        ("_SUCCESS", "crm", "_SUCCESS would be passed over: a name in its path begins with _. Give it"),
        ("a.csv", "no feed", "The folder below drop/ cannot be a feed"),
        ("none.csv", "crm", "none.csv: No such file or directory."),
    ],
)
def test_drop_refuses_what_would_not_be_imported(
    name: str, feed: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    if name != "none.csv":
        file.write_bytes(b"thirdPartyId,a\n1,x\n")
    assert main(["drop", str(file), "--feed", feed]) == 2
    assert message in capsys.readouterr().err


def test_drop_refuses_a_feed_whose_configuration_would_be_refused(
    deployment: Deployment, customers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.s3.put_object(Bucket=DATA_BUCKET, Key="feeds/crm.json", Body=b'{"delimeter": ";"}')
    assert main(["drop", str(customers), "--feed", "crm"]) == 2
    assert "did you mean delimiter?" in capsys.readouterr().err
    assert "Contents" not in deployment.s3.list_objects_v2(Bucket=DROP_BUCKET)
    deployment.s3.put_object(Bucket=DATA_BUCKET, Key="feeds/crm.json", Body=b'{"delimiter": ";"}')
    assert main(["drop", str(customers), "--feed", "crm"]) == 0
    assert "no configuration" not in capsys.readouterr().out


def test_drop_and_watch_waits_for_the_import_and_exits_as_it_ends(
    deployment: Deployment,
    customers: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    key = "drop/default/customers.csv"
    looks = iter(["nothing", "split", "end"])

    def sleep(_seconds: float) -> None:
        version = deployment.s3.head_object(Bucket=DROP_BUCKET, Key=key)["VersionId"]
        look = next(looks)
        if look == "split":
            deployment.split(DroppedObject("event-1", DROP_BUCKET, key, version))
        elif look == "end":
            deployment.resume(import_id(DROP_BUCKET, key, version))

    monkeypatch.setattr("bulk_profiles.cli.watching.time.sleep", sleep)
    assert main(["drop", str(customers), "--watch"]) == 0
    assert "✓ succeeded" in capsys.readouterr().out


def test_drop_and_watch_as_json_has_an_object_on_each_line(
    deployment: Deployment,
    customers: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    overview = SimpleNamespace(entry=SimpleNamespace(status=ImportStatus.SUCCEEDED))
    monkeypatch.setattr("bulk_profiles.cli.commands.drop.watch", lambda *_, **__: overview)
    assert main(["drop", str(customers), "--watch", "--json"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["bucket"] == DROP_BUCKET
    del deployment


def test_drop_of_which_no_import_comes_ends(
    deployment: Deployment,
    customers: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("bulk_profiles.cli.watching._PATIENCE", 0.1)
    monkeypatch.setattr("bulk_profiles.cli.commands.drop._INTERVAL", 0.05)
    assert main(["drop", str(customers), "--watch"]) == 2
    assert "The stack has no import customers-csv-" in capsys.readouterr().err
    del deployment


@pytest.mark.usefixtures("deployment")
def test_drop_that_s3_refuses_names_its_error(
    customers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    s3 = boto3.client("s3")

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "secret"}}, "PutObject")

    monkeypatch.setattr(s3, "put_object", refuse)
    monkeypatch.setattr(uploads, "client", lambda _service: s3)
    assert main(["drop", str(customers)]) == 2
    message = f"bulk-profiles drop: S3 did not take the file into the bucket {DROP_BUCKET}: AccessDenied.\n"
    assert capsys.readouterr().err == message


def test_progress_of_an_upload_is_what_was_sent_in_all() -> None:
    shown: list[tuple[int, int]] = []
    add = drop._total(lambda sent, size: shown.append((sent, size)), 30)
    for more in (10, 15, 5):
        add(more)
    assert shown == [(10, 30), (25, 30), (30, 30)]
