"""`bulk-profiles results`: the files of an import, in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bulk_profiles.cli.main import main
from bulk_profiles.core.names import REPORT, SUMMARY, object_key
from simulator import Simulator
from tests.worlds.deployment import DATA_BUCKET, Deployment

FILE = b"thirdPartyId,city\nu1,Ulm\n,nobody\nu2,Bonn\n"

pytestmark = pytest.mark.usefixtures("ours")


def test_results_are_the_files_of_the_import(
    deployment: Deployment, target: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target.configure(failed_ids=frozenset({"u2"}))
    import_id = deployment.run(FILE).entry.import_id

    assert main(["results", import_id, "--out", str(tmp_path / "new"), "--json"]) == 0

    paths = [Path(path) for path in json.loads(capsys.readouterr().out)]
    names = ["report.html", "summary.json", "rejected-rows.csv", "failed-rows.csv"]
    assert [path.name for path in paths] == names
    kept = deployment.objects(import_id)
    assert all(path.read_bytes() == kept[path.name] for path in paths)


def test_failed_rows_that_the_import_did_not_make_are_made_here(
    deployment: Deployment, target: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target.configure(failed_ids=frozenset({"u2"}))
    import_id = deployment.run(FILE).entry.import_id
    made = deployment.objects(import_id)["failed-rows.csv"]
    summary = deployment.storage.read_json(object_key(import_id, SUMMARY))
    assert summary is not None
    summary["failedRows"] = {"file": "", "missing": "There was no time."}
    deployment.storage.write_json(object_key(import_id, SUMMARY), summary)

    assert main(["results", import_id, "--out", str(tmp_path)]) == 0

    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "failed-rows.csv")
    assert (tmp_path / "failed-rows.csv").read_bytes() == made


def test_failed_rows_that_the_import_made_are_not_made_again(
    deployment: Deployment, target: Simulator, tmp_path: Path
) -> None:
    target.configure(failed_ids=frozenset({"u2"}))
    import_id = deployment.run(FILE).entry.import_id
    kept = object_key(import_id, "failed-rows.csv")
    deployment.s3.put_object(Bucket=DATA_BUCKET, Key=kept, Body=b"as the import made it")
    assert main(["results", import_id, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "failed-rows.csv").read_bytes() == b"as the import made it"


def test_rows_of_an_earlier_call_do_not_stay(
    deployment: Deployment, target: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target.configure(failed_ids=frozenset({"u2"}))
    import_id = deployment.run(FILE).entry.import_id
    assert main(["results", import_id, "--out", str(tmp_path)]) == 0
    (tmp_path / "other.csv").touch()
    target.configure(failed_ids=frozenset())
    deployment.send_again(import_id, "error")

    assert main(["results", import_id, "--out", str(tmp_path)]) == 0

    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"report.html", "summary.json", "rejected-rows.csv", "other.csv"}
    said = f"Removed {tmp_path / 'failed-rows.csv'}: import {import_id} has no such rows.\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("name", ["failed-rows.csv", "rejected-rows.csv"])
def test_rows_that_cannot_be_fetched_any_more_stay_in_the_folder(
    deployment: Deployment, target: Simulator, tmp_path: Path, name: str
) -> None:
    target.configure(failed_ids=frozenset({"u2"}))
    import_id = deployment.run(FILE).entry.import_id
    (tmp_path / name).write_bytes(b"mended")
    deployment.s3.delete_object(Bucket=DATA_BUCKET, Key=object_key(import_id, name))
    assert main(["results", import_id, "--out", str(tmp_path)]) == 0
    assert (tmp_path / name).read_bytes() == b"mended"


def test_rejected_rows_of_another_import_do_not_stay(deployment: Deployment, tmp_path: Path) -> None:
    import_id = deployment.run(b"thirdPartyId,city\nu1,Ulm\n").entry.import_id
    (tmp_path / "rejected-rows.jsonl").write_bytes(b"{}")
    assert main(["results", import_id, "--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "summary.json"}


def test_import_that_has_not_ended_has_no_results(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = deployment.split(deployment.drop(FILE)).import_id
    assert main(["results", import_id, "--out", str(tmp_path)]) == 2
    assert "has not ended yet" in capsys.readouterr().err


def test_what_is_not_there_any_more_is_passed_over(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = deployment.run(FILE).entry.import_id
    deployment.s3.delete_object(Bucket=DATA_BUCKET, Key=object_key(import_id, REPORT))
    assert main(["results", import_id, "--out", str(tmp_path), "--json"]) == 0
    names = [Path(path).name for path in json.loads(capsys.readouterr().out)]
    assert names == ["summary.json", "rejected-rows.csv"]


def test_failed_rows_of_profiles_that_have_succeeded_since_are_not_made(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = deployment.run(FILE).entry.import_id
    summary = deployment.storage.read_json(object_key(import_id, SUMMARY))
    assert summary is not None
    summary["profiles"] |= {"success": 1, "error": 1}
    deployment.storage.write_json(object_key(import_id, SUMMARY), summary)
    assert main(["results", import_id, "--out", str(tmp_path)]) == 0
    assert "failed-rows" not in capsys.readouterr().out
