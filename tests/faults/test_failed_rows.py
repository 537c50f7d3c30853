"""The file of failed rows: the rows, as dropped, of every profile that is not known to be updated."""

from __future__ import annotations

import csv
import io
import json

import pytest

from bulk_profiles.accounting.failed_rows import write_failed_rows
from bulk_profiles.accounting.summary import FailedRows
from bulk_profiles.core.models import ImportStatus, ProfileStatus
from simulator import Fault, Simulator, fault
from tests.worlds.deployment import DROP_BUCKET, Deployment

FILE = (
    'thirdPartyId;city;_note\nu1;Ulm;a\n;nobody;b\nu2;"Bonn; am\nRhein";c\nu3;Köln;d\nu2;Kiel;e\n u4 ;Hof;f\n'
).encode()


def rows_of(deployment: Deployment, import_id: str, delimiter: str = ";") -> list[dict[str, str]]:
    text = deployment.objects(import_id)["failed-rows.csv"].decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_profiles_that_target_named_have_all_their_rows(deployment: Deployment, target: Simulator) -> None:
    target.configure(failed_ids=frozenset({"u2", "u4"}))

    summary = deployment.run(FILE)

    rows = rows_of(deployment, summary.entry.import_id)
    assert [(row["thirdPartyId"], row["city"], row["_line"]) for row in rows] == [
        ("u2", "Bonn; am\nRhein", "4"),
        ("u2", "Kiel", "7"),
        (" u4 ", "Hof", "8"),
    ]
    assert {row["_status"] for row in rows} == {"error"}
    assert all("Target" in row["_reason"] and row["_what_to_do"] for row in rows)
    assert [*rows[0]] == [
        *("thirdPartyId", "city", "_note", "_line", "_reason", "_what_to_do", "_batch", "_status")
    ]
    failed = summary.failed_rows
    assert (failed.file, failed.profiles, failed.rows, failed.missing) == ("failed-rows.csv", 2, 3, "")
    stored = json.loads(deployment.objects(summary.entry.import_id)["summary.json"])
    assert stored["failedRows"]["rows"] == 3
    assert stored["rejectedRows"] == "rejected-rows.csv"


def test_rows_of_a_refused_batch_are_not_said_to_be_wrong(deployment: Deployment, target: Simulator) -> None:
    target.script(fault("too_large"))
    import_id = deployment.run(FILE).entry.import_id
    said = "Target refused or gave up the whole batch: drop the row again once the cause is mended."
    assert {row["_what_to_do"] for row in rows_of(deployment, import_id)} == {said}


def test_failed_rows_dropped_as_they_are_update_what_failed(
    deployment: Deployment, target: Simulator
) -> None:
    target.configure(failed_ids=frozenset({"u2", "u4"}))
    first = deployment.run(FILE)
    target.configure(failed_ids=frozenset())

    again = deployment.run(
        deployment.objects(first.entry.import_id)["failed-rows.csv"], "drop/default/failed-rows.csv"
    )

    assert again.status is ImportStatus.SUCCEEDED
    assert target.profile("u2") == {"city": "Kiel"}
    assert target.profile("u4") == {"city": "Hof"}
    assert "failed-rows.csv" not in deployment.objects(again.entry.import_id)


def test_failed_rows_stay_where_some_have_failed_and_cannot_be_written_again(
    deployment: Deployment, target: Simulator
) -> None:
    target.configure(failed_ids=frozenset({"u2"}))
    entry = deployment.run(FILE).entry
    import_id, source = entry.import_id, entry.source
    before = deployment.objects(import_id)["failed-rows.csv"]
    deployment.s3.delete_object(Bucket=source.bucket, Key=source.key, VersionId=source.version_id)
    assert deployment.finish(import_id).failed_rows.missing
    assert deployment.objects(import_id)["failed-rows.csv"] == before


def test_profiles_of_a_refused_batch_and_of_one_that_never_left_are_all_there(
    deployment: Deployment, target: Simulator
) -> None:
    deployment.configure(max_batch_rows=2)
    target.script(Fault(code=400, times=1))
    imported = deployment.split(deployment.drop(b"pcId,a\n1,x\n2,x\n3,x\n4,x\n5,x\n"))
    for _ in deployment.walk(imported.import_id, 1):
        pass

    summary = deployment.finish(imported.import_id)

    rows = rows_of(deployment, imported.import_id, ",")
    assert [(row["pcId"], row["_batch"], row["_status"]) for row in rows] == [
        *(("1", "1", "error"), ("2", "1", "error"), ("3", "2", "notSent"), ("4", "2", "notSent")),
        ("5", "3", "notSent"),
    ]
    counts = summary.profiles
    assert len(rows) == summary.failed_rows.profiles == counts.total - counts.success == 5


def test_profiles_of_a_follow_up_that_is_on_its_way_are_pending(
    deployment: Deployment, target: Simulator
) -> None:
    deployment.configure(max_batch_rows=10)
    target.configure(failed_once_ids=frozenset({"u3"}))
    imported = deployment.split(deployment.drop(FILE))
    accepted = 0
    for step in deployment.walk(imported.import_id, 1):
        accepted += step == "Upload batch: accepted"
        if accepted == 2:
            break

    summary = deployment.finish(imported.import_id)

    assert (summary.profiles.pending, summary.profiles.total) == (1, 4)
    [row] = rows_of(deployment, imported.import_id)
    assert (row["thirdPartyId"], row["_status"]) == ("u3", ProfileStatus.PENDING)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"pcId": "1", "a": "x"}\n{"pcId": 2, "a": 1.50}\n{"pcId": "3", "a": "y", "b": "z"}\n',
         b'{"pcId": 2, "a": 1.50, "_line": "2", '),
        (b"batch=pcId,a\n1,x\n2,p%2Cq+r\n", b'{"pcId": "2", "a": "p,q r", "_line": "3", '),
    ],
)  # fmt: skip
def test_other_formats_give_json_lines(
    deployment: Deployment, target: Simulator, data: bytes, expected: bytes
) -> None:
    target.configure(failed_ids=frozenset({"2"}))

    summary = deployment.run(data)

    assert deployment.objects(summary.entry.import_id)["failed-rows.jsonl"].startswith(expected)


def test_id_with_a_raw_plus_is_found(deployment: Deployment, target: Simulator) -> None:
    target.configure(failed_ids=frozenset({"a+b", "a b", "c+d"}))

    summary = deployment.run(b"batch=pcId,a\na+b,x\nc%2Bd,x\n")

    assert summary.failed_rows.not_found == 0
    assert summary.failed_rows.rows == summary.profiles.total == 2


def test_row_that_no_batch_could_hold_is_only_a_rejected_one(
    deployment: Deployment, target: Simulator
) -> None:
    """Its id is that of a row that was sent."""
    deployment.configure(max_batch_bytes=60)
    target.configure(failed_ids=frozenset({"1"}))

    summary = deployment.run(b"pcId,a\n1,x\n1," + b"y" * 90 + b"\n")

    assert (summary.rows.rejected, summary.failed_rows.profiles, summary.failed_rows.rows) == (1, 1, 1)


def test_source_file_that_is_gone_is_told(deployment: Deployment, target: Simulator) -> None:
    target.configure(failed_ids=frozenset({"u2"}))
    dropped = deployment.drop(FILE)
    imported = deployment.split(dropped)
    for _ in deployment.walk(imported.import_id, 1):
        pass
    deployment.s3.delete_object(Bucket=DROP_BUCKET, Key=dropped.key, VersionId=dropped.version_id)

    summary = deployment.finish(imported.import_id)

    assert summary.status is ImportStatus.PARTIAL
    assert summary.failed_rows.missing.startswith("The dropped file cannot be read any more")
    assert "failed-rows.csv" not in deployment.objects(imported.import_id)


def test_file_for_which_there_is_no_time_is_told_with_the_command(
    deployment: Deployment, target: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulk_profiles.splitting.reading.delimited.BLOCK_BYTES", 10)
    target.configure(failed_ids=frozenset({"u2"}))
    imported = deployment.split(deployment.drop(FILE))
    for _ in deployment.walk(imported.import_id, 1):
        pass

    summary = deployment.finish(imported.import_id, out_of_time=lambda: True)

    assert (
        f"bulk-profiles results {imported.import_id} --out {imported.import_id}"
        in summary.failed_rows.missing
    )
    assert "failed-rows.csv" not in deployment.objects(imported.import_id)


def test_import_of_successes_has_no_file_of_failed_rows(deployment: Deployment) -> None:
    summary = deployment.run(FILE)
    output = deployment.storage.output(summary.entry.import_id)
    made = write_failed_rows(summary.entry, summary.batches, deployment.storage, output)
    assert made == FailedRows()
    assert "failed-rows.csv" not in deployment.objects(summary.entry.import_id)
