"""`bulk-profiles forget`: every copy of one person that the stack keeps is removed."""

from __future__ import annotations

import dataclasses
import gzip
import json
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest

import simulator
from bulk_profiles.aws.clients import client
from bulk_profiles.aws.stack import StackDescription
from bulk_profiles.cli.main import main
from bulk_profiles.core.names import results_prefix
from tests.worlds.deployment import DATA_BUCKET, DROP_BUCKET, PROFILES_TABLE, Deployment

pytestmark = pytest.mark.usefixtures("ours")

# The id that is forgotten is nowhere a part of another text.
FILE = b"thirdPartyId,name\nzoe-99,Zoe\nu2,Grace\n,lost\nu3,Amy\n"
OTHER = b"thirdPartyId,name\nu2,Grace\nu4,Tom\n"


def dropped(deployment: Deployment, file: bytes = FILE, key: str = "drop/crm/a.csv") -> str:
    return deployment.split(deployment.drop(file, key)).import_id


def ended(deployment: Deployment, file: bytes = FILE, key: str = "drop/crm/a.csv") -> str:
    import_id = dropped(deployment, file, key)
    deployment.resume(import_id)
    return import_id


def everything() -> dict[str, bytes]:
    """Return every version of every object of both buckets, unpacked."""
    s3, found = client("s3"), {}
    for bucket in (DROP_BUCKET, DATA_BUCKET):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for version in page.get("Versions", []):
                key, version_id = version["Key"], version["VersionId"]
                body = s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)["Body"].read()
                found[f"{bucket}/{key}?{version_id}"] = gzip.decompress(body) if key.endswith(".gz") else body
    return found


def items() -> list[Any]:
    return list(client("dynamodb").items(PROFILES_TABLE))


def holding(text: str) -> list[str]:
    """Return where a text is, of all that the stack keeps."""
    places = [name for name, body in everything().items() if text.encode() in body]
    return places + [item["batch"]["S"] for item in items() if text in item["profile"]["S"]]


def run(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    assert main(["forget", *arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_every_copy_of_the_person_is_removed_and_nothing_of_other_imports(
    deployment: Deployment, target: simulator.Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    target.configure(failed_ids=frozenset({"zoe-99"}))
    first = ended(deployment)
    second = ended(deployment, OTHER, "drop/crm/b.csv")
    kept = {name: body for name, body in everything().items() if second in name or "b.csv" in name}
    assert (
        len(holding("zoe-99")) >= 4
    )  # the file, the batch, its follow-up, the results, the table, failed rows
    found = run(capsys, "zoe-99", "--yes")
    assert [(trace["importId"], trace["inFile"]) for trace in found["imports"]] == [(first, True)]
    assert found["forgotten"]
    assert found["erased"] > 0
    assert holding("zoe-99") == []
    now = everything()
    assert kept.items() <= now.items()
    results = [body for name, body in now.items() if f"{first}/profiles/" in name]
    assert sum(body.count(b"(forgotten),error,reported") for body in results) == 1
    assert any(b"u2,success" in body for body in results)
    assert any(f"{first}/summary.json" in name for name in now)
    assert len(items()) == 4  # of u2 and u3, and of u2 and u4
    assert run(capsys, "zoe-99", "--yes") == {
        "imports": [],
        "profileItems": 0,
        "erased": 0,
        "forgotten": False,
    }


def test_dry_run_removes_nothing(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    import_id = ended(deployment)
    before = everything(), items()
    found = run(capsys, "zoe-99", "--dry-run")
    assert (found["forgotten"], found["erased"], found["profileItems"]) == (False, 0, 1)
    assert found["imports"][0]["results"] == ["profiles/00001.csv.gz"]
    assert (everything(), items()) == before
    assert main(["forget", "zoe-99", "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert f"✗ {import_id}: s3://{DROP_BUCKET}/drop/crm/a.csv, profiles/00001.csv.gz" in text
    assert "1 item of the Profiles table and the files of 1 import to remove." in text
    assert "Adobe's Privacy Service" in text
    for words in ("deleted for good  the dropped file, its batches", "failed-rows", "kept   ", "sent again"):
        assert words in text
    assert "Something is left" not in text


def test_show_after_it_names_no_file_that_is_gone(
    deployment: Deployment, target: simulator.Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    target.configure(failed_ids=frozenset({"zoe-99"}))
    import_id = ended(deployment)
    assert main(["show", import_id]) == 0
    assert "rejected-rows.csv" in capsys.readouterr().out
    run(capsys, "zoe-99", "--dry-run")
    assert main(["show", import_id]) == 0
    assert "rejected-rows.csv" in capsys.readouterr().out
    run(capsys, "zoe-99", "--yes")
    for arguments in (["show", import_id], ["list"], ["show", import_id, "--json"]):
        assert main(arguments) == 0
        said = capsys.readouterr().out
        assert "A person was forgotten on 20" in said
        assert "-rows.csv" not in said
    newest = {name: deployment.objects(import_id)[name].decode() for name in ("report.html", "summary.json")}
    for name, said in newest.items():
        assert "A person was forgotten on 20" in said
        assert "-rows.csv" not in said
        assert "bulk-profiles resend" not in said
        prefix = results_prefix("drop/crm/a.csv", import_id, started_at(deployment, import_id))
        beside = deployment.s3.get_object(Bucket=DROP_BUCKET, Key=f"{prefix}{name}")["Body"].read().decode()
        assert beside == said
    assert json.loads(newest["summary.json"])["profiles"]["error"] == 1


def started_at(deployment: Deployment, import_id: str) -> datetime:
    entry = deployment.ledger.get_import(import_id)
    assert entry is not None
    return entry.started_at


def test_import_under_way_is_left_and_told(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = dropped(deployment)
    found = run(capsys, "zoe-99", "--yes", status=1)
    assert found["imports"][0]["underWay"]
    assert not found["forgotten"]
    assert deployment.s3.list_objects_v2(Bucket=DATA_BUCKET, Prefix=f"imports/{import_id}/batches/")[
        "Contents"
    ]
    assert main(["forget", "zoe-99", "--dry-run"]) == 1
    said = capsys.readouterr().out
    assert ", under way: stop it, or wait" in said
    assert "Something is left, marked ● or ! above. Then give this command again." in said
    assert "deleted for good" not in said


def test_overtaken_import_is_left_until_its_results_are_written(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """They would be written after the person was forgotten."""
    import_id = dropped(deployment)
    deployment.ledger.change_import(
        import_id, deployment.clock(), lambda entry: dataclasses.replace(entry, overtaken_by="newer")
    )
    assert run(capsys, "zoe-99", "--yes", status=1)["imports"][0]["underWay"]
    deployment.resume(import_id)
    assert run(capsys, "zoe-99", "--yes")["forgotten"]
    assert holding("zoe-99") == []


def test_person_in_a_rejected_row_is_found(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(deployment, b'thirdPartyId,name\nu2,Grace\n"zoe""99",Zoe,more\n')
    found = run(capsys, 'zoe"99', "--yes")
    assert [(trace["inFile"], len(trace["rows"])) for trace in found["imports"]] == [(False, 1)]
    assert [name for name, body in everything().items() if b'zoe""99' in body] == []


REJECTED = (
    b"sep=~\nthirdPartyId~name\n101~Ann\n~12 High Street\n102~Bob\n103~Tom~12\n104-7~x~y\n"
    b'105~"Zoe"zoe-991\n106~Amy\n'
)


@pytest.mark.parametrize("profile_id", ["4", "10", "7", "104", "rejected", "zoe-99"])
def test_note_or_part_of_another_text_is_nobodys_id(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], profile_id: str
) -> None:
    """Line 4 was rejected, and forgetting customer 4 would delete the file."""
    ended(deployment, REJECTED)
    before = everything()
    assert run(capsys, profile_id, "--yes")["imports"] == []
    assert everything() == before


@pytest.mark.parametrize(
    ("file", "profile_id", "feed"),
    [
        (REJECTED, "103", {}),
        ("thirdPartyId,name\nu2,Grace\nzoë-9,Zoe\n".encode("cp1252"), "zoë-9", {}),
        (b"thirdPartyId,name\nu2,Grace\n'zoe-99',Zoe\n", "zoe-99", {}),
        (b'thirdPartyId,name\nu2,Grace\nzoe-99,"Zoe"x\n', "zoe-99", {}),
        (b'thirdPartyId,name\nu2,Grace\n"zoe""99","Zoe"x\n', 'zoe"99', {}),
        (b'thirdPartyId,name\nu1,Ada\nu2,"Grace,x\nzoe-99,Zoe,x\nu3,"Tom,x\n', "zoe-99", {"quoting": "none"}),
        (b'{"thirdPartyId": "zo\\u00eb-9", "a": [1]}\n{"thirdPartyId": "u2", "a": "1"}\n', "zoë-9", {}),
        (b'{"thirdPartyId": "zoe-99", "a": "\\ud83d"}\n{"thirdPartyId": "u2", "a": "1"}\n', "zoe-99", {}),
        (b'{"thirdPartyId": "zo\\u00eb-9", "a": }\n{"thirdPartyId": "u2", "a": "1"}\n', "zoë-9", {}),
        (b'{"thirdPartyId": 99, "a": [1]}\n{"thirdPartyId": "u2", "a": "1"}\n', "99", {}),
        (b"batch=thirdPartyId,a\nu2,1\nzo%C3%AB,%zz\n", "zoë", {}),
        (b"thirdPartyId,name\nu2,Grace\n," + b"x" * 200_000 + b"\nzoe-99,Zoe,more\n", "zoe-99", {}),
    ],
)
def test_person_in_a_rejected_row_of_any_form_is_found(
    deployment: Deployment,
    capsys: pytest.CaptureFixture[str],
    file: bytes,
    profile_id: str,
    feed: dict[str, str],
) -> None:
    deployment.storage.write_json("feeds/crm.json", feed)
    ended(deployment, file)
    [trace] = run(capsys, profile_id, "--yes")["imports"]
    assert (trace["inFile"], len(trace["rows"])) == (False, 1)
    assert not [name for name in everything() if "rejected-rows" in name or "/drop/" in name]


def test_rejected_rows_without_notes_are_searched(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """As release 0.1.0 wrote them."""
    import_id = ended(deployment)
    rows = f"imports/{import_id}/rejected-rows.csv"
    deployment.storage.write(rows, b"thirdPartyId,name\nzoe-77,Zoe,more\n", "text/csv")
    [trace] = run(capsys, "zoe-77", "--dry-run")["imports"]
    assert trace["rows"] == ["rejected-rows.csv"]
    assert run(capsys, "zoe-78", "--dry-run")["imports"] == []


def test_batches_of_a_file_that_was_rejected_at_its_end_are_removed(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file itself cannot be searched."""
    rows = b"".join(b"u%d,x\n" % number for number in range(6))
    dropped(deployment, b"thirdPartyId,name\nzo%25 99,Zoe\n" + rows + b'u7,"open\n')
    assert holding("Zoe")
    [trace] = run(capsys, "zo%25 99", "--yes", status=1)["imports"]
    assert (trace["inFile"], trace["batches"]) == (False, ["batches/00001.batch"])
    assert "not closed" in trace["unread"]
    assert holding("Zoe") == []
    assert run(capsys, "zo%25 99", "--yes")["imports"] == []


@pytest.mark.parametrize(
    ("file", "feed"),
    [
        (b"thirdPartyId;name\nu2;Grace\nzoe;99;Zoe\nzoe-99;a;b\n", {}),
        (b"thirdPartyId,name\nu2,Grace\n'zoe-99',Zoe\n", {}),
        (b'thirdPartyId,name\nu2,Grace\n"zoe-99"x,Zoe\nu3,Amy\n', {}),
        (b'thirdPartyId,name\nu2,Grace\nzoe-99,"a\nb",c\n', {}),
        (b'thirdPartyId,"a\nb"\nu2,Grace\nzoe-99,a,c\n', {}),
        (b'thirdPartyId,name\nu2,Grace\nzoe-99,"a,c\n', {"quoting": "none"}),
        (b'thirdPartyId^name\nu2^Grace\n^zoe-99^"a"b\nu3^Amy\n', {"delimiter": "^"}),
        (b'{"thirdPartyId": "u2", "n": "G"}\n{"thirdPartyId": "zoe\\u002d99", "n": [1]}\n', {}),
    ],
)
def test_person_in_a_rejected_row_is_found_in_every_form(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], file: bytes, feed: dict[str, str]
) -> None:
    deployment.storage.write_json("feeds/crm.json", feed)
    ended(deployment, file)
    assert [len(trace["rows"]) for trace in run(capsys, "zoe-99", "--dry-run")["imports"]] == [1]


@pytest.mark.parametrize("other", ["3", "zoe", "oe-99", "rejected", "99a", "mended"])
@pytest.mark.parametrize(
    "file",
    [
        b"thirdPartyId,name\nu2,Grace\nzoe-99a,Zoe,more\n",
        b'{"thirdPartyId": "u2", "name": "G"}\n\n{"thirdPartyId": "zoe-99a", "name": [1]}\n',
    ],
)
def test_part_of_another_id_and_our_notes_are_no_person(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], file: bytes, other: str
) -> None:
    """The rejected row is in line 3. What is found is deleted, with the whole file."""
    ended(deployment, file)
    assert run(capsys, other, "--dry-run")["imports"] == []


def test_file_that_cannot_be_read_is_told(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    dropped(deployment, b"%PDF-1.7\n")
    found = run(capsys, "zoe-99", "--yes", status=1)
    assert "a PDF document" in found["imports"][0]["unread"]
    assert main(["forget", "zoe-99"]) == 1
    assert "is not searched: The file is a PDF document" in capsys.readouterr().out


def test_forget_asks_before_it_removes(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(deployment)
    asked = []
    monkeypatch.setattr("click.confirm", lambda question, **_: asked.append(question))
    assert not run(capsys, "zoe-99", status=1)["forgotten"]
    assert asked == ["Remove them?"]
    assert holding("zoe-99")


def test_answer_no_leaves_something(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(deployment)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    assert not run(capsys, "zoe-99", status=1)["forgotten"]


def test_file_that_has_expired_does_not_stop_the_search(
    ours: StackDescription, deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(deployment)
    for version in deployment.s3.list_object_versions(Bucket=DROP_BUCKET)["Versions"]:
        deployment.s3.delete_object(Bucket=DROP_BUCKET, Key=version["Key"], VersionId=version["VersionId"])
    found = run(capsys, "zoe-99", "--yes")
    assert [trace["inFile"] for trace in found["imports"]] == [False]
    assert holding("zoe-99") == []
    del ours


def test_results_are_cleared_where_nothing_else_is_left(
    deployment: Deployment, target: simulator.Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they are written last, they expire last."""
    target.configure(failed_ids=frozenset({"zoe-99"}))
    import_id = ended(deployment)
    for bucket in (DROP_BUCKET, DATA_BUCKET):
        for version in deployment.s3.list_object_versions(Bucket=bucket)["Versions"]:
            key = version["Key"]
            if not key.endswith(".csv.gz"):
                deployment.s3.delete_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])
    [trace] = run(capsys, "zoe-99", "--yes")["imports"]
    assert (trace["importId"], trace["inFile"], trace["batches"]) == (import_id, False, [])
    assert holding("zoe-99") == []
    assert [name for name in everything() if name.split("?")[0].endswith(".csv.gz")]


def test_report_names_no_file_that_is_gone_where_forget_breaks_off(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of an import that has nothing of the person any more, the next try would find nothing."""
    import_id = ended(deployment)

    def break_off(_version: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bulk_profiles.aws.erasure.Version.erase", break_off)
    with suppress(KeyboardInterrupt):
        assert main(["forget", "zoe-99", "--yes"])
    capsys.readouterr()
    assert json.loads(deployment.objects(import_id)["summary.json"])["forgottenAt"]
