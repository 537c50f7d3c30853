"""An import that has ended says in every place how many of its rows were rejected."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from moto import mock_aws

from bulk_profiles.core.errors import LedgerError
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.steps.closing import event_of
from simulator import Simulator
from tests.worlds.application import Application, deployed
from tests.worlds.deployment import DROP_BUCKET, Deployment

SOUND = b"thirdPartyId,name\n" + b"".join(b"u%d,Ada\n" % number for number in range(9))
FILE = SOUND + b",Nobody\n"  # 10 % of its rows are rejected
WORSE = FILE + b",Nobody\n"


@pytest.fixture
def application(target: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """The functions with the template's defaults."""
    with mock_aws():
        yield deployed(target, monkeypatch)


@pytest.mark.parametrize(
    ("body", "status", "line"),
    [
        (SOUND, ImportStatus.SUCCEEDED, "succeeded"),
        (FILE, ImportStatus.SUCCEEDED, "succeeded, 1 row rejected"),
        (WORSE, ImportStatus.PARTIAL, "partial, 2 rows rejected"),
    ],
)
def test_subject_text_report_and_ledger_say_how_many_rows_were_rejected(
    deployment: Deployment, body: bytes, status: ImportStatus, line: str
) -> None:
    deployment.configure(max_rejected_percent=10)

    summary = deployment.run(body)

    assert summary.status is status
    subject, first, *_ = deployment.topic.messages[0].splitlines()
    assert subject == f"Import {summary.entry.import_id}: {line}"
    assert first == f"drop/default/customers.csv: {line}"
    report = deployment.objects(summary.entry.import_id)["report.html"].decode()
    assert f"{summary.entry.import_id}: {line}</title>" in report
    assert f">{line}</span></header>" in report
    entry = deployment.ledger.get_import(summary.entry.import_id)
    assert entry is not None
    assert (entry.status, entry.rejected) == (status, summary.rows.rejected)
    assert entry.over  # no later import waits for it
    assert entry.verified == ""  # nothing was read back
    [event] = deployment.bus.entries
    place = event["Detail"]["results"]
    assert place.startswith(f"s3://{DROP_BUCKET}/results/default/customers.csv/")
    assert event["Detail"] == event_of(entry) | {
        "status": status.value,
        "reason": summary.reason,
        "rows": summary.rows.to_json(),
        "profiles": summary.profiles.to_json(),
        "unaccounted": 0,
        "results": place,
    }


def test_a_limit_of_the_feed_goes_before_that_of_the_deployment(deployment: Deployment) -> None:
    deployment.configure(max_rejected_percent=10)
    deployment.storage.write_json("feeds/crm.json", {"maxRejectedPercent": 20})

    assert deployment.run(WORSE, "drop/crm/customers.csv").status is ImportStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("body", "status", "cause"),
    [
        (SOUND, "succeeded", "Every row reached Target: 9 implied by a complete batch."),
        (FILE, "succeeded", "1 row rejected of 10 read: rejected-rows.csv has"),
        (WORSE, "partial", "2 rows rejected of 11 read, which is above the limit of 10 %: "),
    ],
)
def test_answer_and_log_say_how_many_rows_were_rejected(
    application: Application,
    capsys: pytest.CaptureFixture[str],
    body: bytes,
    status: str,
    cause: str,
) -> None:
    answer = application.run(body)

    assert answer["status"] == status
    assert answer["bases"] == {"reported": 0, "implied": 9, "isolated": 0}
    assert answer["profiles"]["success"] == 9
    assert answer["cause"].startswith(cause)
    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines() if text.startswith("{")]
    [log] = [line for line in lines if line.get("message") == "Import finished"]
    rejected = body.count(b"Nobody")
    assert (log["status"], log["rows_rejected"]) == (status, rejected)
    assert ("rejected of" in log["reason"]) is (rejected > 0)


def test_import_that_was_not_split_cannot_be_finished(deployment: Deployment) -> None:
    with pytest.raises(LedgerError, match=r"^There is no split import crm-1: is the name right"):
        deployment.finish("crm-1")
