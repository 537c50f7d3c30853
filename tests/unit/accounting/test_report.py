"""Report and notice: complete, and harmless whatever names and texts come from outside."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import override

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.accounting.account import _places, account
from bulk_profiles.accounting.report import render_report, render_text
from bulk_profiles.accounting.summary import FailedRows, Summary, reconcile, reject
from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.models import (
    ApiVersion,
    Basis,
    BatchState,
    Examples,
    ImportStatus,
    KeyColumn,
    Manifest,
    PlannedBatch,
    ProfileCounts,
    ProfileStatus,
    RowCounts,
    Source,
)
from bulk_profiles.core.text import printable
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.rows.faults import Reject, Warn
from tests.worlds import summaries
from tests.worlds.splitting import run

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style><h1>Succeeded</h1>",
    "javascript:alert(1)",
    "<!-- &lt;b&gt; -->",
    "]]><svg/onload=alert(1)>",
    '=HYPERLINK("http://example.com","open")',
    "a\nUnaccounted: 0\nStatus: succeeded",
    "evil\u202efdp.csv",
    "{{7*7}} ${7*7} <%= 7*7 %>",
]


def summary(text: str = "customers.csv", reason: str = "") -> Summary:
    """Return an import of two batches, one refused with `reason`; all text from outside is `text`."""
    planned = (PlannedBatch(1, 1_200, 60_000, "aa" * 32), PlannedBatch(2, 300, 9_000, "bb" * 32))
    source = Source("drop-bucket", f"drop/default/{text}", "v1", 100_000, "ab" * 32)
    entry = ImportEntry(
        "customers-csv-0a1b2c3d4e5f",
        ImportStatus.UPLOADING,
        source,
        text,
        text,
        ApiVersion.V2,
        NOW,
        key_column=KeyColumn.THIRD_PARTY_ID,
    )
    rows = RowCounts(read=1_507, rejected=4, merged=2, skipped=1, sent=1_500)
    manifest = Manifest(
        entry.import_id,
        text,
        text,
        entry.api_version,
        KeyColumn.THIRD_PARTY_ID,
        source,
        rows,
        {"empty_id": 4},
        {"plus_sign": 7, "look_alike": 2},
        Examples(
            {"empty_id": [2, 3, 5, 1507]}, {"plus_sign": [8, 9, 10, 11, 14]}, {"look_alike": ["PC_ID", text]}
        ),
        planned,
    )
    done = BatchEntry.planned(entry.import_id, planned[0]).change(
        state=BatchState.COMPLETE,
        profiles=ProfileCounts(success=1_200),
        bases={ProfileStatus.SUCCESS: Counter({Basis.REPORTED: 200, Basis.IMPLIED: 1_000})},
        settled_at=NOW,
        submissions=1,
        checks=3,
    )
    refused = BatchEntry.planned(entry.import_id, planned[1]).change(
        state=BatchState.REFUSED,
        profiles=ProfileCounts(error=300),
        bases={ProfileStatus.ERROR: Counter({Basis.BATCH: 300})},
        settled_at=NOW,
        submissions=2,
        possibly_duplicate=True,
        reason=reason or text,
    )
    return reconcile(entry, manifest, (done, refused), NOW)


class Page(HTMLParser):
    """A page as a browser parses it: its elements with their attributes, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))

    @override
    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    @override
    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)  # the report has none

    def after(self, text: str, count: int = 1) -> list[str]:
        """Return the texts that follow one."""
        place = self.texts.index(text) + 1
        return self.texts[place : place + count]


def test_report_shows_every_count_and_batch() -> None:
    page = Page(render_report(summary(reason="Batch is not welcome")))
    assert page.after("customers.csv") == ["partial, 4 rows rejected"]
    for name, number in (
        ("Rows read", "1,507"),
        ("Rejected", "4"),
        ("Merged into another row of the same id", "2"),
        ("Skipped: no values", "1"),
        ("In batches for Target", "1,500"),
        ("Updated", "1,200"),
        ("named by Target", "200"),
        ("implied by a complete batch", "1,000"),
        ("Failed", "300"),
        ("as the whole batch", "300"),
        ("Not sent", "0"),
        ("Pending", "0"),
        ("Unaccounted", "0"),
        ("Key column", "thirdPartyId"),
        ("Finished", "2026-11-24T09:00:00.000Z"),
    ):
        assert page.after(name) == [number], name
    assert page.after("1,200 of 1,500 profiles updated.", 4) == [
        *("1,200 updated", "300 failed", "4 rejected", "2 merged into another row of the same id")
    ]
    assert page.after(Reject.EMPTY_ID.help, 2) == ["empty_id · lines 2, 3, 5, 1507", "4"]
    assert page.after(Warn.PLUS_SIGN.help, 2) == ["plus_sign · lines 8, 9, 10, 11, 14, ...", "7"]
    assert page.after(Warn.LOOK_ALIKE.help, 2) == ["look_alike · columns PC_ID, customers.csv", "2"]
    counts = page.after("1 complete, 1,200 rows", 18)[9:]
    assert counts == ["1", "1,200", "1,200", "0", "0", "0", "0", "1", "3"]
    counts = page.after("1 refused, possibly a duplicate, 300 rows: Batch is not welcome", 18)[9:]
    assert counts == ["2", "300", "0", "300", "0", "0", "0", "2", "0"]


def test_report_numbers_what_there_is_to_do() -> None:
    failed = FailedRows("failed-rows.csv", 300, 301)
    page = Page(render_report(dataclasses.replace(summary(reason="No."), failed_rows=failed)))
    assert page.after("What to do", 7) == [
        "Batch 2, 300 profiles: No.",
        "failed-rows.csv",
        "300 profiles, 301 rows: mend what is wrong with them, and drop the file as it is.",
        "Or send 300 profiles again as they are, once the cause is mended:",
        "bulk-profiles resend customers-csv-0a1b2c3d4e5f --only refused",
        "rejected-rows.csv",
        "4 rows rejected: mend them, and drop the file as it is.",
    ]


def test_report_says_why_there_are_no_failed_rows() -> None:
    missing = dataclasses.replace(summary(), failed_rows=FailedRows(missing="It is gone."))
    assert "There is no file of the failed rows. It is gone." in Page(render_report(missing)).texts
    assert "There is no file of the failed rows. It is gone." in render_text(missing)


def test_report_tells_how_to_end_what_did_not_come_to_an_end() -> None:
    told = account(summaries.summary(batches=10).to_json() | {"stack": "crm"}).to_do[0]
    assert told.text == (
        "1 batch of 10 did not come to an end. The hourly sweep lets them go on. To let them go on at once:"
    )
    assert told.command == "bulk-profiles resend customers-csv-0a1b2c3d4e5f --stack crm"


def test_report_of_an_earlier_release_names_no_stack() -> None:
    data = summaries.summary(batches=10).to_json()
    del data["stack"]
    assert account(data).to_do[0].command == "bulk-profiles resend customers-csv-0a1b2c3d4e5f"


def test_rows_that_are_unaccounted_for_are_the_first_thing_to_do() -> None:
    data = summaries.summary(batches=10).to_json()
    first = account(data | {"unaccounted": 1}).to_do[0]
    assert (first.file, first.text) == (
        "summary.json",
        "Report a fault of the software: some rows are unaccounted for.",
    )
    assert first not in account(data | {"unaccounted": 0}).to_do


def test_report_of_as_many_batches_and_rejects_as_there_may_be_stays_short() -> None:
    report = render_report(summaries.summary(batches=10_000))
    assert len(report) < 300_000
    page = Page(report)
    assert "Batches (10,000)" in page.texts
    assert "7,900 more are in summary.json." in page.texts  # of 8,000 complete ones
    assert "71 more reasons are in summary.json." in page.texts
    assert len(account(summaries.summary(batches=10_000).to_json()).to_do) == 7


@pytest.mark.parametrize(
    ("finished", "took"),
    [
        ("2026-11-24T08:59:59.000Z", "0 s"),  # clocks differ
        ("2026-11-24T09:00:59.000Z", "59 s"),
        ("2026-11-24T09:01:00.000Z", "1 min 0 s"),
        ("2026-11-24T09:59:59.000Z", "59 min 59 s"),
        ("2026-11-24T10:00:00.000Z", "1 h 0 min"),
        ("2026-11-26T10:59:59.000Z", "49 h 59 min"),
    ],
)
def test_account_says_when_an_import_began_and_how_long_it_took(finished: str, took: str) -> None:
    data = summaries.summary().to_json()
    told = account(data | {"startedAt": "2026-11-24T09:00:00.000Z", "finishedAt": finished})
    assert told.period == f"24 Nov 2026, 09:00 UTC, took {took}"


def test_account_names_its_facts() -> None:
    told = account(summaries.summary().to_json() | {"duplicateOf": "crm-1"})
    assert [name for name, _ in told.facts] == [
        *("File", "Feed", "Client code", "API version", "Key column", "Started", "Finished", "Import"),
        *("Version of the file", "SHA-256 of the file", "The same content as"),
    ]


def test_account_of_a_file_whose_columns_were_not_read_names_no_key_column() -> None:
    told = account(summaries.summary().to_json() | {"keyColumn": None})
    assert dict(told.facts)["Key column"] == "none"


@pytest.mark.parametrize(
    ("batches", "more"),
    [
        (5, []),
        (7, ["See 1 more reason among the batches."]),
        (9, ["See 2 more reasons among the batches."]),
    ],
)
def test_account_lists_three_reasons_and_says_that_there_are_more(batches: int, more: list[str]) -> None:
    """Every second batch is refused, each for a reason of its own."""
    data = summaries.summary(batches=batches, every=1).to_json()
    for batch in data["batches"]:
        batch["reason"] = batch["reason"] and f"Reason {batch['number']}."
    told = account(data).to_do
    assert len([todo for todo in told if ": Reason " in todo.text]) == 3
    assert [todo.text for todo in told if todo.text.startswith("See ")] == more


def test_parts_of_the_bar_are_all_rows() -> None:
    told = account(summaries.summary(batches=10).to_json())
    assert sum(part.count for part in told.bar) == told.lines[0].count


def test_summary_of_release_0_1_0_has_an_account() -> None:
    data = summary().to_json()
    del data["rejectedRows"], data["failedRows"]
    assert account(data).files == ()


def test_notice_shows_status_counts_and_what_to_do() -> None:
    lines = render_text(summary(reason="Batch is not welcome")).splitlines()
    assert lines[0] == "drop/default/customers.csv: partial, 4 rows rejected"
    assert "4 rows rejected of 1,507 read" in lines[1]
    assert "Batch is not welcome" in lines[1]
    assert lines[3:] == [
        "1. Batch 2, 300 profiles: Batch is not welcome",
        "2. Send 300 profiles again as they are, once the cause is mended: bulk-profiles resend"
        " customers-csv-0a1b2c3d4e5f --only refused",
        "3. rejected-rows.csv: 4 rows rejected: mend them, and drop the file as it is.",
        "",
        "Rows: 1,507 read = 4 rejected + 2 merged + 1 skipped + 1,500 sent",
        "Profiles: 1,200 success, 300 error, 0 pending, 0 unknown, 0 not sent",
        "Success: 200 named by Target, 1,000 implied by a complete batch",
        "Unaccounted: 0",
    ]


@pytest.mark.parametrize("status", ["succeeded", "partial", "failed", "rejected"])
def test_report_marks_each_end(status: str) -> None:
    ended = dataclasses.replace(summary(), status=ImportStatus(status))
    assert f'<span class="status {status}">{status}' in render_report(ended)


def test_report_of_a_rejected_file_shows_its_reason() -> None:
    rejected = reject(summary().entry, "The file is empty.", NOW)
    page = Page(render_report(rejected))
    assert page.after("What to do") == ["The file is empty. Then drop the file again."]
    assert page.after("Nothing was sent.") == ["What to do"]
    assert not [text for text in page.texts if text.startswith("Batches")]
    assert render_text(rejected).startswith("drop/default/customers.csv: rejected\nThe file is empty.\n")


def test_report_of_a_file_whose_columns_the_feed_may_leave_out_says_to_drop_it_again() -> None:
    """The feed's `drop` is about columns."""
    with pytest.raises(FileRejectedError) as caught:
        run(b"pcId,a\n1,x\n", limits=Limits(max_batch_bytes=10))
    rejected = reject(summary().entry, str(caught.value), NOW)
    assert Page(render_report(rejected)).after("What to do") == [
        "The header alone needs 12 bytes, which leaves no room for a row in a batch of 10: add columns to "
        '"drop" in the feed\'s mapping. Then drop the file again.'
    ]


def test_report_of_a_rejected_file_says_once_whether_it_is_to_be_dropped_again() -> None:
    """Of an older version, nobody is told to drop it over the newer one."""
    reason = "A newer version came first. Drop it again if it is to go after the newer one."
    [to_do] = account(reject(summary().entry, reason, NOW).to_json()).to_do
    assert to_do.text == reason


def test_rows_to_mend_are_those_of_their_file_and_not_the_whole_file() -> None:
    rejected = dataclasses.replace(
        reject(summary().entry, "A newer version came first.", NOW),
        rows=RowCounts(read=5, rejected=5),
        rejects={"older_version": 3, "empty_id": 2},
        rejected_file="rejected-rows.csv",
    )
    assert account(rejected.to_json()).to_do[-1].text.startswith("2 rows rejected: mend them")


def test_report_of_a_success_shows_rejected_rows_beside_the_status() -> None:
    page = Page(render_report(dataclasses.replace(summary(), status=ImportStatus.SUCCEEDED)))
    assert page.texts.count("succeeded, 4 rows rejected") == 1
    assert "customers-csv-0a1b2c3d4e5f: succeeded, 4 rows rejected" in page.texts


def test_report_of_a_whole_file_that_is_not_sent_says_why() -> None:
    older = dataclasses.replace(summary(), rejects={"older_version": 3}, examples=Examples())
    assert Page(render_report(older)).after("A newer version of the file came first.", 2) == [
        "older_version",
        "3",
    ]


def test_report_of_a_success_without_reason_says_so() -> None:
    sound = dataclasses.replace(
        summary(), reason="", status=ImportStatus.SUCCEEDED, rows=RowCounts(), rejected_file="", batches=()
    )
    words = "Every row reached Target: 200 named by Target, 1,000 implied by a complete batch."
    assert words in Page(render_report(sound)).texts


@pytest.mark.fault(63, "A file name that is HTML or a formula")
@pytest.mark.parametrize("text", HOSTILE)
def test_report_escapes_text_from_outside(text: str) -> None:
    page, harmless = Page(render_report(summary(text))), Page(render_report(summary("customers.csv")))
    assert page.elements == harmless.elements
    assert len(page.texts) == len(harmless.texts)
    for name in ("Feed", "Client code"):
        assert page.after(name) == [printable(text)]


@given(st.text(min_size=1))
def test_report_has_the_same_elements_for_any_text(text: str) -> None:
    assert Page(render_report(summary(text))).elements == Page(render_report(summary("a"))).elements


def test_report_loads_and_runs_nothing() -> None:
    page = Page(render_report(summary()))
    assert {tag for tag, _ in page.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "p", "span", "div", "i"),
        *("ul", "ol", "li", "code", "table", "thead", "tbody", "tr", "th", "td", "br", "small"),
        *("details", "summary", "dl", "dt", "dd"),
    }
    assert {name for _, attributes in page.elements for name, _ in attributes} <= {
        *("lang", "charset", "name", "content", "http-equiv", "class", "style", "data-name", "open"),
    }
    policy = (
        ("http-equiv", "Content-Security-Policy"),
        ("content", "default-src 'none'; style-src 'unsafe-inline'"),
    )
    assert ("meta", policy) in page.elements


@pytest.mark.parametrize(
    "text", ["a\nUnaccounted: 0", "a\r\nb", "a\u2028b", "a\x85b", "a\x1b[2Jb", "a\u202eb"]
)
def test_notice_with_a_hostile_name_keeps_its_lines(text: str) -> None:
    notification = render_text(summary(text, reason="No."))
    assert len(notification.splitlines()) == len(render_text(summary("a", reason="No.")).splitlines())
    assert not any(sign in notification for sign in ("\x1b", "\u202e", "\u2028"))
    assert Page(render_report(summary(text))).after("File")[0].isprintable()


@pytest.mark.parametrize(
    ("some", "count", "words"),
    [
        ([3], 1, "line 3"),
        ([3, 4], 2, "lines 3, 4"),
        (["city"], 1, "column city"),
        (["a", "b"], 2, "columns a, b"),
        ([], 0, ""),
    ],
)
def test_places_are_named_in_words(some: list[int | str], count: int, words: str) -> None:
    assert _places(some, count) == words


# --- colours ---


def luminance(color: str) -> float:
    """Return the relative luminance of a colour: https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    digits = "".join(2 * digit for digit in color) if len(color) == 3 else color
    parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_colour_of_text_has_the_contrast_of_wcag_aa() -> None:
    """On the page and on cards, by day and in the dark: 4.5 to 1."""
    schemes = re.findall(r":root \{(.*?)\}", render_report(summary()), re.DOTALL)
    assert len(schemes) == 2
    for scheme in schemes:
        colors = dict(re.findall(r"--(\w+): #(\w+);", scheme))
        behind = [luminance(colors.pop(name)) for name in ("page", "card")]
        del colors["line"]  # of borders
        assert {"text", "faint", "plain", "wait", "rejected"} <= set(colors)
        for name, color in colors.items():
            for ground in behind:
                dark, light = sorted((luminance(color), ground))
                assert (light + 0.05) / (dark + 0.05) >= 4.5, name
