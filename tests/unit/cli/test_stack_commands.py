"""`bulk-profiles list` and `show`: where the imports of a stack stand, and why their batches wait."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

import simulator
from bulk_profiles.aws import stack as aws_stack
from bulk_profiles.aws.stack import StackDescription
from bulk_profiles.cli import stack as cli_stack
from bulk_profiles.cli.main import main
from bulk_profiles.cli.overview import Overview, render_import, render_list
from bulk_profiles.cli.stack import Stack
from bulk_profiles.cli.watching import progress_line
from bulk_profiles.core.models import BatchState, ImportStatus, ProfileCounts, Why
from bulk_profiles.ledger.batch_entry import BatchEntry
from tests.worlds.deployment import START, Deployment

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\n,x\nu3,Zoe\n"
RESULTS = {"ResultsUri": "s3://data-bucket/imports/"}

pytestmark = pytest.mark.usefixtures("ours")


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def dropped(deployment: Deployment, key: str = "drop/crm/crm.csv", file: bytes = FILE) -> str:
    return deployment.split(deployment.drop(file, key)).import_id


# --- list ---


def test_list_of_a_stack_without_imports_says_so(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, "list").startswith("No imports")
    assert json.loads(shown(capsys, "list", "--json")) == []
    del deployment


def test_list_of_a_feed_without_imports_names_it(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    dropped(deployment)
    assert shown(capsys, "list", "--feed", "web").startswith("No imports of the feed web: ")


def test_list_has_the_newest_import_first(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    first = dropped(deployment)
    deployment.clock.advance(minutes=5)
    second = dropped(deployment, "drop/web/web.csv")
    found = json.loads(shown(capsys, "list", "--json"))
    assert [each["importId"] for each in found] == [second, first]
    assert [each["feed"] for each in found] == ["web", "crm"]
    assert [each["importId"] for each in json.loads(shown(capsys, "list", "--json", "--limit", "1"))] == [
        second
    ]
    assert [each["importId"] for each in json.loads(shown(capsys, "list", "--json", "--feed", "crm"))] == [
        first
    ]
    lines = [line for line in shown(capsys, "list").splitlines() if not line.startswith(" ")]
    assert [line.split()[:3] for line in lines] == [
        ["STATUS", "IMPORT", "PROFILES"],
        ["●", "uploading", second],
        ["●", "uploading", first],
    ]


def test_list_counts_what_became_of_the_rows(
    deployment: Deployment, target: simulator.Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    target.configure(failed_ids=frozenset({"u2"}))
    import_id = dropped(deployment)
    deployment.resume(import_id)
    [found] = json.loads(shown(capsys, "list", "--json"))
    assert (found["status"], found["rows"], found["rejected"]) == ("partial", 3, 1)
    assert found["profiles"] == {"success": 2, "error": 1, "pending": 0, "unknown": 0, "notSent": 0}
    assert found["batches"] == {"all": 2, "settled": 2, "byState": {"complete": 2}}
    assert (found["waiting"], found["finishedAt"] > found["startedAt"]) == ([], True)
    assert "1 row rejected of 4 read" in found["reason"]


def test_list_passes_over_an_entry_that_cannot_be_read(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = dropped(deployment)
    broken = {"pk": "IMPORT#broken-1", "sk": "IMPORT"}
    deployment.ledger._table.create(broken, {"status": "?"}, START, over=False)
    assert [each["importId"] for each in json.loads(shown(capsys, "list", "--json"))] == [import_id]


# --- why it waits ---


def test_show_says_why_a_batch_waits_and_until_when(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.configure(upload_window="20:00-21:00")
    import_id = dropped(deployment, file=b"thirdPartyId,name\nu1,Ada\n")
    outcome = deployment.submit(import_id, 1)
    assert outcome.resume_at is not None
    found = json.loads(shown(capsys, "show", import_id, "--json"))
    assert found["status"] == "waiting"
    assert [(each["why"], each["batches"]) for each in found["waiting"]] == [("upload_window", [1])]
    assert found["waiting"][0]["until"] == outcome.to_json()["resumeAt"]
    text = shown(capsys, "show", import_id)
    assert f"waits        1 batch for the upload window until {outcome.resume_at:%Y-%m-%d %H:%M} UTC" in text


def test_show_of_an_import_that_there_is_not_says_what_to_do(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "none-1"]) == 2
    said = "bulk-profiles show: The stack has no import none-1 (any more). Those it has: "
    assert capsys.readouterr().err == f"{said}bulk-profiles list --stack ours\n"
    del deployment


def entry(deployment: Deployment) -> Any:
    return deployment.ledger.get_import(dropped(deployment))


def batch(number: int, **changes: Any) -> BatchEntry:
    return BatchEntry("crm-1", number, 100, 2000, "aa").change(**changes)


def test_show_prints_no_control_character_of_a_file_name(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = dropped(deployment, "drop/crm/a\n\x1b[31m.csv")
    assert "/drop/crm/a??[31m.csv\n" in shown(capsys, "show", import_id)


@pytest.mark.parametrize("seconds", ["0", "3601", "inf", "nan"])
def test_watch_looks_at_least_once_an_hour(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "a-1", "--interval", seconds]) == 2
    assert "Invalid value for '--interval'" in capsys.readouterr().err


def test_import_waits_only_where_all_that_is_left_waits(deployment: Deployment) -> None:
    waiting = batch(1).waiting(Why.ROWS, START)
    settled = batch(2, settled_at=START)
    import_entry = entry(deployment)
    assert Overview(import_entry, (waiting, settled)).status == "waiting"
    assert Overview(import_entry, (waiting, batch(3, state=BatchState.ACCEPTED))).status == "uploading"
    assert Overview(import_entry, (settled,)).status == "uploading"
    assert Overview(import_entry, (settled.waiting(Why.ROWS, START),)).waiting == []


def test_reasons_to_wait_are_grouped_with_the_largest_first(deployment: Deployment) -> None:
    later = START + timedelta(hours=1)
    batches = (
        batch(1, reason="Busy.").waiting(Why.TURNED_AWAY, START),
        batch(2).waiting(Why.ROWS, later),
        batch(3).waiting(Why.ROWS, START),
    )
    overview = Overview(entry(deployment), batches)
    assert [(each.why, each.batches, each.until) for each in overview.waiting] == [
        (Why.ROWS, (2, 3), START),
        (Why.TURNED_AWAY, (1,), START),
    ]
    text = render_import(overview, RESULTS, START)
    assert "waits        2 batches for the rows of the day until 2026-" in text
    assert "waits        1 batch for another try, as Target did not take it (next look at 2026-" in text
    assert ": Busy." in text


def test_show_names_what_goes_first_and_what_had_the_same_content(deployment: Deployment) -> None:
    waiting = batch(1).waiting(Why.EARLIER_IMPORT, START)
    known = dataclasses.replace(entry(deployment), after=("crm-0",), duplicate_of="crm-7")
    text = render_import(Overview(known, (waiting,)), RESULTS, START)
    assert "waits        for crm-0, with some of the same ids, which goes first.\n" in text
    assert "same as      import crm-7: the same content\n" in text
    told = Overview(known, (waiting,)).to_json()
    assert (told["after"], told["duplicateOf"]) == (["crm-0"], "crm-7")
    later = render_import(Overview(known, (batch(1).waiting(Why.ROWS, START),)), RESULTS, START)
    assert "goes first" not in later
    several = dataclasses.replace(known, after=("crm-0", "crm-3"))
    assert "for crm-0, crm-3, with some of the same ids, which go first." in render_import(
        Overview(several, (waiting,)), RESULTS, START
    )


def test_show_of_an_import_that_was_overtaken_says_so_until_it_has_ended(deployment: Deployment) -> None:
    overtaken = dataclasses.replace(entry(deployment), overtaken_by="crm-9")
    says = "A newer import, crm-9, with some of the same ids has gone first. Nothing more is sent;"
    assert says in render_import(Overview(overtaken, (batch(1),)), RESULTS, START)
    ended = dataclasses.replace(overtaken, status=ImportStatus.PARTIAL)
    assert says not in render_import(Overview(ended, (batch(1),)), RESULTS, START)


def test_show_says_what_is_left_once_all_batches_have_ended(deployment: Deployment) -> None:
    plain = entry(deployment)
    ended = batch(1, settled_at=START)
    assert "waits        for its report.\n" in render_import(Overview(plain, (ended,)), RESULTS, START)
    sample = dataclasses.replace(plain, settings={"feed": {"verifySample": 300}})
    text = render_import(Overview(sample, (ended,)), RESULTS, START)
    assert "waits        for 300 profiles to be read back, and for its report.\n" in text
    assert "report." not in render_import(Overview(plain, (ended, batch(2))), RESULTS, START)
    splitting = dataclasses.replace(plain, status=ImportStatus.SPLITTING)
    assert "batches      none yet: the file is being split\n" in render_import(
        Overview(splitting, ()), RESULTS, START
    )


@pytest.mark.parametrize(
    ("status", "rejected", "cell"),
    [
        (ImportStatus.UPLOADING, 0, "-"),
        (ImportStatus.UPLOADING, 2, "2"),  # of its first end: parts of it are sent again
        (ImportStatus.SUCCEEDED, 0, "0"),
        (ImportStatus.REJECTED, 0, "-"),
        (ImportStatus.REJECTED, 3, "3"),
    ],
)
def test_list_shows_no_count_of_what_is_not_counted(
    deployment: Deployment, status: ImportStatus, rejected: int, cell: str
) -> None:
    overview = Overview(dataclasses.replace(entry(deployment), status=status, rejected=rejected), ())
    assert render_list([overview], START, 0).splitlines()[1].split()[-1] == cell
    assert overview.to_json()["rejected"] == (None if cell == "-" else rejected)


@pytest.mark.parametrize("why", list(Why))
def test_every_reason_to_wait_has_words(deployment: Deployment, why: Why) -> None:
    overview = Overview(entry(deployment), (batch(1).waiting(why, START),))
    assert render_list([overview], START, 0).count("waits: 1 batch for ") == 1


@pytest.mark.parametrize("width", [60, 80])
def test_list_fits_the_terminal(deployment: Deployment, width: int) -> None:
    overview = Overview(entry(deployment), (batch(1, reason="x " * 50).waiting(Why.TOKEN, START),))
    assert max(map(len, render_list([overview] * 2, START, width).splitlines())) <= width


def test_list_puts_the_numbers_below_a_name_that_leaves_no_space_for_them(deployment: Deployment) -> None:
    import_entry = dataclasses.replace(entry(deployment), import_id=f"{'n' * 40}-0123456789ab")
    done = batch(1, settled_at=START, profiles=ProfileCounts(success=60, error=40))
    head, *lines = render_list([Overview(import_entry, (done,))], import_entry.started_at, 80).splitlines()
    assert lines[0] == f"● uploading  {import_entry.import_id}"
    assert [line.split() for line in lines[1:]] == [
        ["100", "40", "-"],
        ["crm,", "just", "now,", "100", "%", "done"],
    ]
    assert len(head) == len(lines[1]) == 80
    wide = render_list([Overview(import_entry, (done,))], import_entry.started_at, 0).splitlines()
    assert wide[1].split()[2:] == [import_entry.import_id, "100", "40", "-"]


def test_no_line_ends_within_a_command(deployment: Deployment) -> None:
    copied = "bulk-profiles resend crm-csv-1 --only notSent"
    ended = dataclasses.replace(
        entry(deployment), status=ImportStatus.FAILED, reason=f"Next: send them again with `{copied}`."
    )
    for width in range(40, 100):
        for text in (
            render_list([Overview(ended, ())], START, width),
            render_import(Overview(ended, ()), RESULTS, START, width),
        ):
            assert "bulk-profiles" in text
            assert "crm-csv-1" in text
    lines = render_import(
        Overview(ended, ()), {"ResultsUri": f"s3://{'b' * 60}/imports/"}, START, 80
    ).splitlines()
    assert lines[-1] == f"results      s3://{'b' * 60}/imports/{ended.import_id}/"
    assert max(map(len, lines[:-1])) <= 80


def test_a_profile_under_way_is_not_called_failed(deployment: Deployment) -> None:
    """Nobody knows what became of a batch that is being sent, and that is no failure."""
    under_way = batch(1).sending(START + timedelta(minutes=2))
    overview = Overview(entry(deployment), (under_way, batch(2, possibly_duplicate=True)))
    assert overview.profiles.unknown == overview.rows
    assert overview.failed == 0
    assert "failed" not in progress_line(overview)
    assert "0 % done" in render_list([overview], START, 0)


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        ({"seconds": 59}, "just now"),
        ({"minutes": 59}, "59 min ago"),
        ({"hours": 23}, "23 h ago"),
        ({"days": 1}, "1 day ago"),
        ({"days": 9}, "9 days ago"),
    ],
)
def test_list_says_how_long_ago(deployment: Deployment, ago: dict[str, int], words: str) -> None:
    import_entry = entry(deployment)
    assert words in render_list([Overview(import_entry, ())], import_entry.started_at + timedelta(**ago), 0)


# --- find ---


def test_find_has_what_became_of_one_profile_in_every_import(
    deployment: Deployment, target: simulator.Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    target.configure(failed_ids=frozenset({"u2"}))
    first = dropped(deployment)
    deployment.resume(first)
    deployment.clock.advance(minutes=5)
    second = dropped(deployment, file=b"thirdPartyId,name\nu2,Grace\nu4,Amy\n")
    deployment.resume(second)
    found = json.loads(shown(capsys, "find", "u2", "--json"))
    assert [(each["importId"], each["batch"], each["status"], each["basis"]) for each in found] == [
        (second, 1, "error", "reported"),
        (first, 1, "error", "reported"),
    ]
    assert {(each["clientCode"], each["keyColumn"]) for each in found} == {("demo", "thirdPartyId")}
    lines = shown(capsys, "find", "u2").splitlines()
    assert [line.split()[0] for line in lines] == ["error", "error"]
    assert re.search(rf" \d{{4}}-\d\d-\d\d \d\d:\d\d UTC  {second} batch 1, reported", lines[0])


def test_find_takes_blanks_off_the_ends_of_an_id_as_an_import_does(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.resume(dropped(deployment))
    assert json.loads(shown(capsys, "find", " u1\u00a0", "--json"))


def test_find_of_a_profile_without_results_says_where_to_look(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.resume(dropped(deployment))
    assert main(["find", "u9"]) == 1
    assert "The files below profiles/ of each import hold every result." in capsys.readouterr().out
    assert main(["find", "u9", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == []


# --- the forecast ---


def test_show_says_when_all_batches_can_be_submitted(
    ours: StackDescription, deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.configure(rows_per_day=2)
    import_id = dropped(deployment)
    ours.parameters["RowsPerDay"] = "2"
    assert json.loads(shown(capsys, "show", import_id, "--json"))["submittedAt"] == ""
    deployment.submit(import_id, 1)
    assert deployment.submit(import_id, 2).why is Why.ROWS
    found = json.loads(shown(capsys, "show", import_id, "--json"))
    assert found["submittedAt"]
    assert "all batches submitted by 2026-" in shown(capsys, "show", import_id)
    ours.parameters.clear()
    assert json.loads(shown(capsys, "show", import_id, "--json"))["submittedAt"] == ""


def test_forecast_is_by_the_limits_of_the_client_code(
    ours: StackDescription, deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is damaged, or that may not be read, leaves the rest of what is shown."""
    deployment.configure(rows_per_day=2)
    import_id = dropped(deployment)
    deployment.submit(import_id, 1)
    assert deployment.submit(import_id, 2).why is Why.ROWS
    ours.parameters["RowsPerDay"] = "2"

    def submitted_at(limits: bytes) -> str:
        deployment.storage.write("clients/demo.json", limits, "application/json")
        found: str = json.loads(shown(capsys, "show", import_id, "--json"))["submittedAt"]
        return found

    in_the_window = submitted_at(b'{"uploadWindow": "Mon 03:33-04:00"}')
    assert in_the_window[11:13] == "03"
    assert "" < submitted_at(b"{}") <= in_the_window
    assert submitted_at(b"{") == ""


def test_list_is_a_table_with_a_line_below_each_import(deployment: Deployment) -> None:
    import_entry = dataclasses.replace(entry(deployment), import_id="crm-csv-1")
    batches = (batch(1, settled_at=START, profiles=ProfileCounts(success=60, error=40)), batch(2))
    listed = [Overview(import_entry, batches), Overview(dataclasses.replace(import_entry, rejected=7), ())]
    assert render_list(listed, import_entry.started_at + timedelta(minutes=1), 0).splitlines() == [
        "STATUS       IMPORT     PROFILES  FAILED  REJECTED",
        "● uploading  crm-csv-1       200      40         -",
        "             crm, 1 min ago, 50 % done",
        "● uploading  crm-csv-1         -       -         7",
        "             crm, 1 min ago",
    ]


def test_list_says_how_much_of_an_import_under_way_is_done(deployment: Deployment) -> None:
    done = batch(1, settled_at=START, profiles=ProfileCounts(success=60, error=40))
    text = render_list([Overview(entry(deployment), (done, batch(2)))], START, 0)
    assert "50 % done" in text
    assert "100 % done" in render_list([Overview(entry(deployment), (done,))], START, 0)


def test_list_says_how_long_a_short_import_took(deployment: Deployment) -> None:
    import_id = dropped(deployment)
    deployment.resume(import_id)
    ended = deployment.ledger.get_import(import_id)
    assert ended is not None
    short = dataclasses.replace(ended, finished_at=ended.started_at + timedelta(seconds=7))
    assert "took 7 s" in render_list([Overview(short, ())], START, 0)


def test_executions_are_those_of_the_state_machine_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Client:
        def start_execution(self, **given: str) -> None:
            asked.append(given["stateMachineArn"])

    monkeypatch.setattr(cli_stack, "client", lambda _: Client())
    Stack.of("ours").executions.start("crm-1", [1])
    assert asked == ["arn"]


# --- watch ---


def test_watch_prints_a_line_for_each_change_until_the_import_has_ended(
    deployment: Deployment,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import_id = dropped(deployment)
    looks = iter(["nothing", "ends"])

    def sleep(_seconds: float) -> None:
        if next(looks) == "ends":
            deployment.resume(import_id)

    monkeypatch.setattr("bulk_profiles.cli.watching.time.sleep", sleep)
    lines = shown(capsys, "watch", import_id).splitlines()
    assert [line.partition(" ")[2] for line in lines[:2]] == [
        "uploading: 0 of 2 batches settled",
        "succeeded: 2 of 2 batches settled",
    ]
    assert lines[2].startswith(f"✓ succeeded  {import_id}")
    found = [json.loads(line) for line in shown(capsys, "watch", import_id, "--json").splitlines()]
    assert [each["status"] for each in found] == ["succeeded"]


def test_watch_exits_with_1_for_an_import_that_has_not_succeeded_if_asked(
    deployment: Deployment, target: simulator.Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    target.configure(failed_ids=frozenset({"u2"}))
    failed = dropped(deployment)
    deployment.resume(failed)
    assert main(["watch", failed]) == 0
    assert "partial: 2 of 2 batches settled; 1 profile failed" in capsys.readouterr().out
    assert main(["watch", failed, "--exit-status"]) == 1
    succeeded = dropped(deployment, file=b"thirdPartyId,name\nu7,Ada\n")
    deployment.resume(succeeded)
    assert main(["watch", succeeded, "--exit-status"]) == 0


def test_watch_on_a_terminal_draws_how_far_the_import_is_and_what_it_waits_for(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = dropped(deployment)
    assert list(deployment.walk(import_id, 1))
    deployment.configure(upload_window="20:00-21:00")
    deployment.submit(import_id, 2)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("bulk_profiles.cli.watching.time.sleep", interrupt)
    assert main(["watch", import_id]) == 130
    captured = capsys.readouterr()
    assert "● 1 of 2 batches" in captured.out
    assert "2 of 3 profiles" in captured.out
    assert "waits: 1 batch for the upload window until" in captured.out
    assert "Ctrl-C stops watching, not the import." in captured.out
    assert "bulk-profiles watch: interrupted" in captured.err


def test_watch_on_a_terminal_ends_with_the_import(
    deployment: Deployment,
    target: simulator.Simulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target.configure(failed_ids=frozenset({"u1"}))
    import_id = dropped(deployment)
    assert list(deployment.walk(import_id, 1))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr(
        "bulk_profiles.cli.watching.time.sleep", lambda _: deployment.resume(import_id) and None
    )
    assert main(["watch", import_id]) == 0
    captured = capsys.readouterr()
    assert "1 failed so far" in captured.out
    assert "partial" in captured.out
    assert import_id in captured.out


def test_watch_of_a_file_that_is_being_split_says_the_status(deployment: Deployment) -> None:
    under_way = entry(deployment)
    assert progress_line(Overview(under_way, ())) == "uploading"
    failed = dataclasses.replace(under_way, last_error="S3 did not answer.")
    assert progress_line(Overview(failed, ())) == "uploading: S3 did not answer."


def test_show_says_where_the_results_are(deployment: Deployment) -> None:
    import_entry = entry(deployment)
    text = render_import(Overview(import_entry, ()), RESULTS, START)
    assert text.splitlines()[-1].split() == ["results", f"s3://data-bucket/imports/{import_entry.import_id}/"]


def interrupt(_seconds: float) -> None:
    raise KeyboardInterrupt


# --- the stack ---


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ("ValidationError", "There is no stack none in this account and region: give its name with --stack."),
        ("AccessDenied", "CloudFormation did not describe the stack none: AccessDenied."),
        ([{"Outputs": [{"OutputKey": "A", "OutputValue": "b"}]}], "The stack none is none of bulk-profiles"),
        ([{}], "The stack none is none of bulk-profiles"),
    ],
)
def test_stack_that_is_not_ours_is_told(
    described: Any, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def describe_stacks(**_: str) -> Any:
        if isinstance(described, str):
            raise ClientError({"Error": {"Code": described}}, "DescribeStacks")
        return {"Stacks": described}

    monkeypatch.setattr(cli_stack, "describe_stack", aws_stack.describe_stack)
    monkeypatch.setattr(aws_stack, "client", lambda _: SimpleNamespace(describe_stacks=describe_stacks))
    assert main(["list", "--stack", "none"]) == 2
    assert capsys.readouterr().err.startswith(f"bulk-profiles list: {message}")
