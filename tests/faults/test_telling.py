"""Who is told of an import, and where its results are: beside the file, by notice, by event."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import StorageError
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.core.names import passed_over
from simulator import Fault, Simulator
from tests.worlds.deployment import DATA_BUCKET, DROP_BUCKET, Deployment

FILE = b"thirdPartyId,city\nu1,Ulm\n,nobody\nu2,Bonn\n"
KEY = "drop/crm/customers.csv"


def results(deployment: Deployment) -> dict[str, bytes]:
    """Return the objects below results/ in the Drop bucket."""
    listed = deployment.s3.list_objects_v2(Bucket=DROP_BUCKET, Prefix="results/").get("Contents", [])
    return {
        item["Key"]: deployment.s3.get_object(Bucket=DROP_BUCKET, Key=item["Key"])["Body"].read()
        for item in listed
    }


def test_results_are_beside_the_file_and_are_no_dropped_files(
    deployment: Deployment, target: Simulator
) -> None:
    target.configure(failed_ids=frozenset({"u2"}))

    summary = deployment.run(FILE, KEY)

    found = results(deployment)
    [prefix] = {key.rsplit("/", 1)[0] for key in found}
    assert prefix.startswith("results/crm/customers.csv/2026-11-24T090000Z-")
    assert prefix.endswith(summary.entry.import_id[-12:])
    names = {key.rsplit("/", 1)[1] for key in found}
    assert names == {"report.html", "summary.json", "failed-rows.csv", "rejected-rows.csv"}
    kept = deployment.objects(summary.entry.import_id)
    assert all(kept[key.rsplit("/", 1)[1]] == body for key, body in found.items())
    assert all(passed_over(key) for key in found)


def test_versions_of_one_file_do_not_overwrite_each_other(deployment: Deployment) -> None:
    deployment.run(FILE, KEY)
    deployment.run(FILE + b"u3,Hof\n", KEY)
    assert len({key.rsplit("/", 1)[0] for key in results(deployment)}) == 2


def test_failed_rows_are_gone_where_an_import_ends_once_more_without_any(
    deployment: Deployment, target: Simulator
) -> None:
    """Dropped by mistake, they would send their old values again."""
    target.configure(failed_ids=frozenset({"u2"}))
    import_id = deployment.run(FILE, KEY).entry.import_id
    target.configure(failed_ids=frozenset())

    deployment.send_again(import_id, "error")

    names = {key.rsplit("/", 1)[1] for key in results(deployment)}
    assert names == {"report.html", "summary.json", "rejected-rows.csv"}
    assert "failed-rows.csv" not in deployment.objects(import_id)


def test_failed_rows_of_an_earlier_end_are_replaced_by_those_of_the_last(
    deployment: Deployment, target: Simulator
) -> None:
    target.configure(failed_ids=frozenset({"u1", "u2"}))
    import_id = deployment.run(FILE, KEY).entry.import_id
    target.configure(failed_ids=frozenset({"u2"}))

    deployment.send_again(import_id, "error")

    [body] = [body for key, body in results(deployment).items() if key.endswith("failed-rows.csv")]
    assert (b"u1" in body, b"u2" in body) == (False, True)
    assert deployment.objects(import_id)["failed-rows.csv"] == body


@pytest.mark.parametrize("key", ["drop/../..", "elsewhere/../x.csv", "drop/x y/z.csv"])
def test_results_of_a_file_in_the_wrong_place_are_below_results(deployment: Deployment, key: str) -> None:
    deployment.split(deployment.drop(FILE, key))
    assert results(deployment)
    assert not [one for one in results(deployment) if ".." in one.split("/")]


def test_notice_has_links_and_attributes_to_choose_by(deployment: Deployment) -> None:
    deployment.console_url = "https://eu-central-1.console.aws.amazon.com"

    summary = deployment.run(FILE, KEY)

    assert deployment.topic.attributes == [{"feed": "crm", "status": summary.status.value}]
    prefix = next(iter(results(deployment))).rsplit("/", 1)[0] + "/"
    lines = deployment.topic.messages[0].splitlines()
    console = "https://eu-central-1.console.aws.amazon.com/s3/buckets"
    assert lines[-4:] == [
        f"Results: s3://{DROP_BUCKET}/{prefix}",
        f"  {console}/{DROP_BUCKET}?region=eu-central-1&prefix={prefix}",
        f"All of it: s3://{DATA_BUCKET}/imports/{summary.entry.import_id}/",
        f"  {console}/{DATA_BUCKET}?region=eu-central-1&prefix=imports/{summary.entry.import_id}/",
    ]


def test_notice_without_a_console_has_no_links(deployment: Deployment) -> None:
    deployment.run(FILE, KEY)
    assert "https://" not in deployment.topic.messages[0]


def test_event_tells_of_an_end(deployment: Deployment) -> None:
    summary = deployment.run(FILE, KEY)

    [event] = deployment.bus.entries
    assert (event["Source"], event["DetailType"]) == ("bulk-profiles", "Import ended")
    detail = event["Detail"]
    assert (detail["importId"], detail["feed"], detail["key"]) == (summary.entry.import_id, "crm", KEY)
    assert detail["status"] == summary.status
    assert detail["rows"] == summary.rows.to_json()
    assert detail["results"].startswith(f"s3://{DROP_BUCKET}/results/crm/customers.csv/")


def test_event_tells_of_a_rejected_file(deployment: Deployment) -> None:
    deployment.split(deployment.drop(b"no key column\n"))
    [event] = deployment.bus.entries
    assert (event["DetailType"], event["Detail"]["status"]) == ("File rejected", "rejected")


def test_what_cannot_be_told_decides_nothing(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StorageError("S3 did not copy it.")

    monkeypatch.setattr(Storage, "copy", refuse)
    deployment.bus.refused = True

    summary = deployment.run(FILE)

    assert summary.status is not ImportStatus.FAILED
    assert summary.told
    assert summary.untold == (
        "S3 did not copy it.",
        "EventBridge did not take the event: InternalFailure.",
    )
    assert f"imports/{summary.entry.import_id}/" in deployment.topic.messages[0]
    assert "Results:" not in deployment.topic.messages[0]


def test_event_tells_of_an_import_that_waits_long(deployment: Deployment, target: Simulator) -> None:
    target.script(Fault(code=503, times=0))
    imported = deployment.split(deployment.drop(b"pcId,a\n1,x\n"))
    deployment.submit(imported.import_id, 1)
    started = deployment.clock()

    deployment.clock.reach(started + timedelta(hours=23))
    deployment.sweep_only()
    assert deployment.bus.entries == []
    deployment.clock.reach(started + timedelta(hours=25))
    deployment.sweep_only()
    deployment.sweep_only()
    [event] = deployment.bus.entries
    assert event["DetailType"] == "Import waits"
    assert event["Detail"]["importId"] == imported.import_id
    assert event["Detail"]["waiting"] == {"turned_away": 1}
    deployment.clock.reach(started + timedelta(hours=50))
    deployment.sweep_only()
    assert len(deployment.bus.entries) == 2


@pytest.mark.parametrize(("hours", "told"), [(0, 0), (3, 1)])
def test_wait_is_told_after_the_hours_of_the_parameter_waits_told_after_hours(
    deployment: Deployment, target: Simulator, hours: int, told: int
) -> None:
    """0 for WaitsToldAfterHours: never."""
    deployment.waits_told_after_hours = hours
    target.script(Fault(code=503, times=0))
    imported = deployment.split(deployment.drop(b"pcId,a\n1,x\n"))
    deployment.submit(imported.import_id, 1)
    deployment.clock.advance(hours=2)
    deployment.sweep_only()
    assert deployment.bus.entries == []
    deployment.clock.advance(hours=2)
    deployment.sweep_only()
    assert len(deployment.bus.entries) == told


def test_event_of_a_wait_that_the_bus_refuses_is_put_again_by_the_next_sweep(
    deployment: Deployment, target: Simulator
) -> None:
    target.script(Fault(code=503, times=0))
    imported = deployment.split(deployment.drop(b"pcId,a\n1,x\n"))
    deployment.submit(imported.import_id, 1)
    deployment.clock.advance(hours=25)
    deployment.bus.refused = True

    failures = deployment.sweep_only().failures
    assert failures == {imported.import_id: "EventBridge did not take the event: InternalFailure."}
    deployment.bus.refused = False
    deployment.sweep_only()
    assert len(deployment.bus.entries) == 1
